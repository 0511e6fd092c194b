package cpu

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapPages maps at least size bytes: with huge pages and on a huge-page boundary where those are wanted and size is at
// least an eighth of one.
func mapPages(size int, huge bool) (block []byte, free func(), err error) {
	const flags = unix.MAP_ANON | unix.MAP_PRIVATE
	small := !huge
	huge = huge && size >= hugePage/8
	length := size
	if huge {
		// Whole huge pages, plus one to move the start to a boundary.
		length = (size+hugePage-1)/hugePage*hugePage + hugePage
	}
	mapped, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, nil, err
	}
	free = func() { _ = unix.Munmap(mapped) } // fails only for a range that was never mapped
	if small {
		_ = unix.Madvise(mapped, unix.MADV_NOHUGEPAGE) // where the system would give them unasked
	}
	if !huge {
		return mapped[:size:size], free, nil
	}
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(mapped))) % hugePage)
	block = mapped[start : length-hugePage+start]
	_ = unix.Madvise(block, unix.MADV_HUGEPAGE) // advice: a kernel without huge pages refuses it
	return block[:size:size], free, nil
}
