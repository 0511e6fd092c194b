//go:build !linux

package cpu

import "unsafe"

// mapPages takes the block from the Go heap, cut to begin on a page; the garbage collector gives
// it back.
func mapPages(size int, _ bool) (block []byte, free func(), err error) {
	const page = 4096
	raw := make([]byte, size+page)
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % page)
	return raw[start : start+size : start+size], func() {}, nil
}
