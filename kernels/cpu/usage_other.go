//go:build !unix

package cpu

// ProcessUsage is not known here.
func ProcessUsage() (u Usage, ok bool) { return Usage{}, false }
