package cpu

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// raw is the memory of data.
func raw[T any](data []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(*new(T))))
}

// bindPages puts the pages of block on a node (mbind(2)) and takes them.
func bindPages(block []byte, node int) error {
	if node < 0 || node >= maxListed {
		return fmt.Errorf("node %d: want 0 to %d", node, maxListed-1)
	}
	const word = 64
	mask := make([]uint64, node/word+1)
	mask[node/word] = 1 << (node % word)
	// maxnode counts one more than the bits that are read (mbind(2), BUGS of get_mempolicy(2)).
	bits := uintptr(len(mask)*word + 1)
	_, _, errno := unix.Syscall6(unix.SYS_MBIND, uintptr(unsafe.Pointer(unsafe.SliceData(block))), uintptr(len(block)),
		unix.MPOL_BIND, uintptr(unsafe.Pointer(unsafe.SliceData(mask))), bits, 0)
	if errno != 0 {
		return fmt.Errorf("mbind: %w", errno)
	}
	// MADV_POPULATE_WRITE (Linux 5.14) says that there is no room where a write would end the process.
	if err := unix.Madvise(block, unix.MADV_POPULATE_WRITE); err != nil && err != unix.EINVAL {
		return fmt.Errorf("taking its pages: %w", err)
	}
	return nil
}

// nodeOfPage asks get_mempolicy(2) for the node of a page.
func nodeOfPage(block []byte) (int, error) {
	var node int32
	_, _, errno := unix.Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&node)), 0, 0,
		uintptr(unsafe.Pointer(unsafe.SliceData(block))), unix.MPOL_F_NODE|unix.MPOL_F_ADDR, 0)
	if errno != 0 {
		return 0, fmt.Errorf("get_mempolicy: %w", errno)
	}
	return int(node), nil
}
