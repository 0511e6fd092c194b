//go:build !unix

package cpu

func involuntarySwitches() (int64, bool) { return 0, false }
