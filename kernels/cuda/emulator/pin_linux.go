package emulator

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pin is memory of the host that the process and the emulator share: an anonymous file that the
// process opens by the emulator's descriptor of it.
type pin struct {
	pid, fd uint64
	data    []byte
}

func newPin(n int64) (*pin, error) {
	fd, err := unix.MemfdCreate("realflops-pinned", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	if err := unix.Ftruncate(fd, n); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("ftruncate: %w", err)
	}
	data, err := unix.Mmap(fd, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return &pin{uint64(os.Getpid()), uint64(fd), data}, nil
}

func (p *pin) close() {
	_ = unix.Munmap(p.data)
	_ = unix.Close(int(p.fd))
}
