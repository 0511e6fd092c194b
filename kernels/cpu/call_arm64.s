#include "textflag.h"

// func call(fn uintptr, args unsafe.Pointer)
TEXT ·call(SB), NOSPLIT, $0-16
	MOVD fn+0(FP), R1
	MOVD args+8(FP), R0
	JMP  (R1)
