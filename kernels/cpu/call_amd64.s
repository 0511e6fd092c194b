#include "textflag.h"

// func call(fn uintptr, args unsafe.Pointer)
TEXT ·call(SB), NOSPLIT, $0-16
	MOVQ fn+0(FP), AX
	MOVQ args+8(FP), DI
	JMP  AX
