package cpu

import (
	"fmt"
	"syscall"
)

// Of Linux: arch/x86/include/uapi/asm/prctl.h, and Documentation/arch/x86/xstate.rst.
const (
	archReqXCompPerm = 0x1023
	xfeatureXTILE    = 18
)

// requestTiles asks Linux to let this process use tiles, whose state of 8 KiB it does not give unasked.
func requestTiles() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, archReqXCompPerm, xfeatureXTILE, 0); errno != 0 {
		return fmt.Errorf("arch_prctl(ARCH_REQ_XCOMP_PERM): %w", errno)
	}
	return nil
}
