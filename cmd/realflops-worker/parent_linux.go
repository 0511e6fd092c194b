//go:build worker

package main

import "golang.org/x/sys/unix"

// diesWithParent makes the kernel end this process when the one that started it ends: nobody else
// would free the device.
func diesWithParent() {
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) // the end of stdin ends it too
}
