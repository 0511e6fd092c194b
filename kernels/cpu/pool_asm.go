//go:build amd64 || arm64

package cpu

// pause tells the CPU that this thread only waits: it leaves the core's units to its sibling.
func pause()
