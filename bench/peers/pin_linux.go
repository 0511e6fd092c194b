package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// pin keeps the caller on a thread of its own, and that on the last CPU that it may use.
func pin() {
	runtime.LockOSThread()
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return // then it is busy wherever it is put
	}
	for c := 64*len(set) - 1; c >= 0; c-- {
		if set.IsSet(c) {
			set.Zero()
			set.Set(c)
			_ = unix.SchedSetaffinity(0, &set)
			return
		}
	}
}
