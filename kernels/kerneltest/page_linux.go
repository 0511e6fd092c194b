package kerneltest

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PageEnd returns n zeroed elements whose last byte is the last of a page, before a page
// that cannot be touched: a read or a write past the end faults.
func PageEnd[T any](t testing.TB, n int) []T {
	pages := fenced(t, n*size[T]())
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(pages[len(pages)-n*size[T]():]))), n)
}

// PageStart returns n zeroed elements whose first byte is the first of a page, behind a
// page that cannot be touched: a read or a write before the start faults.
func PageStart[T any](t testing.TB, n int) []T {
	pages := fenced(t, n*size[T]())
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(pages))), n)
}

// fenced maps whole pages for at least the given bytes between two pages of no access.
func fenced(t testing.TB, bytes int) []byte {
	t.Helper()
	page := unix.Getpagesize()
	inner := (max(bytes, 1) + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, page+inner+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mapping guard pages: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(all); err != nil {
			t.Errorf("unmapping guard pages: %v", err)
		}
	})
	for _, fence := range [][]byte{all[:page], all[page+inner:]} {
		if err := unix.Mprotect(fence, unix.PROT_NONE); err != nil {
			t.Fatalf("protecting a guard page: %v", err)
		}
	}
	return all[page : page+inner : page+inner]
}
