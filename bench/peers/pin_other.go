//go:build !linux

package main

import "runtime"

func pin() { runtime.LockOSThread() }
