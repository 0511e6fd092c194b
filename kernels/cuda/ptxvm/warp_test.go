package ptxvm

import (
	"testing"
)

// TestDivergence runs control flow in which threads of a warp part, and meets what each thread must have computed.
func TestDivergence(t *testing.T) {
	cases := []struct {
		name, statements string
		want             func(i uint32) uint32
	}{
		{
			"if and else", "and.b32 %r1, %t, 1; setp.eq.u32 %p1, %r1, 0; @%p1 bra EVEN; mul.lo.u32 %r2, %t, 3; bra.uni DONE; EVEN: add.u32 %r2, %t, 100; DONE:",
			func(i uint32) uint32 {
				if i&1 == 0 {
					return i + 100
				}
				return 3 * i
			},
		},
		{
			"a loop of as many rounds as the thread's number",
			"mov.u32 %r2, 0; mov.u32 %r1, 0; L: setp.ge.u32 %p1, %r1, %t; @%p1 bra E; add.u32 %r2, %r2, %r1; add.u32 %r1, %r1, 1; bra L; E:",
			func(i uint32) uint32 { return i * (i - 1) / 2 },
		},
		{
			"a branch in a loop", "mov.u32 %r2, %t; mov.u32 %r1, 0; L: and.b32 %r3, %r2, 1; setp.ne.u32 %p1, %r3, 0; setp.le.u32 %p2, %r2, 1; @%p2 bra E; add.u32 %r1, %r1, 1; " +
				"@%p1 bra ODD; shr.u32 %r2, %r2, 1; bra L; ODD: mad.lo.u32 %r2, %r2, 3, 1; bra L; E: mov.u32 %r2, %r1;",
			func(i uint32) uint32 {
				n := uint32(0)
				for ; i > 1; n++ {
					if i&1 == 0 {
						i /= 2
					} else {
						i = 3*i + 1
					}
				}
				return n
			},
		},
		{
			"some exit early, after their store", "mov.u32 %r2, 7; setp.lt.u32 %p1, %t, 10; mad.wide.u32 %x9, %t, 4, %out; st.global.u32 [%x9], %r2; @%p1 exit; mov.u32 %r2, 9;",
			func(i uint32) uint32 {
				if i < 10 {
					return 7
				}
				return 9
			},
		},
		{
			"scopes with labels and registers of one name",
			"mov.u32 %r2, %t; { .reg .pred p; .reg .b32 n; mov.u32 n, 0; AGAIN: add.u32 n, n, 1; setp.lt.u32 p, n, 3; @p bra AGAIN; add.u32 %r2, %r2, n; }" +
				"{ .reg .pred p; .reg .b32 n; mov.u32 n, 0; AGAIN: add.u32 n, n, 1; setp.lt.u32 p, n, 4; @p bra AGAIN; add.u32 %r2, %r2, n; }",
			func(i uint32) uint32 { return i + 7 },
		},
		{
			"lanes meet again before a collective", "mov.u32 %r1, 1; setp.lt.u32 %p1, %t, 9; @%p1 bra A; mov.u32 %r1, 2; A: shfl.sync.bfly.b32 %r2, %r1, 31, 31, -1;",
			func(i uint32) uint32 {
				if i&31^31 < 9 && i < 32 {
					return 1
				}
				return 2
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := runBlocks(t, c.statements+outWord+"st.global.u32 [%x9], %r2;", 64, 1, 64)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if want := c.want(uint32(i)); v != want {
					t.Errorf("thread %d: got %d, want %d", i, v, want)
				}
			}
		})
	}
}

// TestDivergentThreadsMeetAgain counts instructions: after an if, a warp must go on as one.
func TestDivergentThreadsMeetAgain(t *testing.T) {
	_, counts, err := run(t, "setp.lt.u32 %p1, %t, 9; @%p1 bra A; mul.f32 %f1, 0f3F800000, 0f3F800000; A: mov.f32 %f2, 0f3F800000; "+
		"add.f32 %f2, %f2, %f2; add.f32 %f2, %f2, %f2; add.f32 %f2, %f2, %f2;", 1)
	if err != nil || counts.WarpInstructions[ClassFP32] != 4 {
		t.Errorf("%d fp32 instructions, %v; want 4", counts.WarpInstructions[ClassFP32], err)
	}
}
