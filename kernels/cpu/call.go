//go:build amd64 || arm64

package cpu

import "unsafe"

// call runs the assembly routine at fn with the address of its arguments, a struct whose layout fn
// knows, in DI (amd64) or R0 (arm64). The routine uses no stack, keeps SP, BP and the platform's reserved
// registers, and returns by RET. Routines that come in families are reached this way: the generator
// puts their addresses into a table, and no Go declaration of each is needed.
//
//go:noescape
func call(fn uintptr, args unsafe.Pointer)
