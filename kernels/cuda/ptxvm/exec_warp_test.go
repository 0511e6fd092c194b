package ptxvm

import (
	"math/bits"
	"testing"
)

// counting are rows 0..n-1, each times a factor.
func counting(n int, factor uint64) [][]uint64 {
	rows := make([][]uint64, n)
	for i := range rows {
		rows[i] = []uint64{uint64(i) * factor}
	}
	return rows
}

func TestShuffle(t *testing.T) {
	const all = ", 0xffffffff;"
	cases := []struct {
		statement string
		want      func(lane int) int // its value and 1000 if the lane read was its own by clamping
	}{
		{"bfly.b32 d|%p1, a, 16, 31", func(l int) int { return l ^ 16 }},
		{"down.b32 d|%p1, a, 5, 31", func(l int) int {
			if l+5 > 31 {
				return 1000 + l
			}
			return l + 5
		}},
		{"up.b32 d|%p1, a, 3, 0", func(l int) int {
			if l < 3 {
				return 1000 + l
			}
			return l - 3
		}},
		{"idx.b32 d|%p1, a, 7, 31", func(int) int { return 7 }},
		// Segments of 8: the mask is 24, in bits 8 to 12.
		{"idx.b32 d|%p1, a, 2, 6175", func(l int) int { return l&^7 + 2 }},
		{"idx.b32 d|%p1, a, 10, 6175", func(l int) int { return l&^7 + 2 }}, // the number of a lane counts within its segment
		{"down.b32 d|%p1, a, 4, 6151", func(l int) int {
			if l&7+4 > 7 {
				return 1000 + l
			}
			return l + 4
		}},
		{"up.b32 d|%p1, a, 1, 6144", func(l int) int {
			if l&7 == 0 {
				return 1000 + l
			}
			return l - 1
		}},
	}
	for _, c := range cases {
		statement := "shfl.sync." + c.statement + all + " @!%p1 add.u32 d, d, 1000;"
		for i, got := range lanes(t, statement, []int{32, 32}, counting(64, 1)) {
			if want := i&^31 + c.want(i&31); int(got) != want {
				t.Errorf("%s lane %d: got %d, want %d", c.statement, i, got, want)
			}
		}
	}
}

func TestVotes(t *testing.T) {
	pred := "setp.lt.u32 %p1, a, 40; "
	cases := []struct {
		statement string
		want      func(lane int) uint64
	}{
		{pred + "vote.sync.ballot.b32 d, %p1, -1;", func(l int) uint64 { return []uint64{0xffffffff, 0xff}[l/32] }},
		{pred + "vote.sync.all.pred %p2, %p1, -1; selp.u32 d, 1, 0, %p2;", func(l int) uint64 { return []uint64{1, 0}[l/32] }},
		{pred + "vote.sync.any.pred %p2, !%p1, -1; selp.u32 d, 1, 0, %p2;", func(l int) uint64 { return []uint64{0, 1}[l/32] }},
		{pred + "vote.sync.uni.pred %p2, %p1, -1; selp.u32 d, 1, 0, %p2;", func(l int) uint64 { return []uint64{1, 0}[l/32] }},
		{"and.b32 %r1, a, 3; match.any.sync.b32 d, %r1, -1;", func(l int) uint64 { return 0x11111111 << (l & 3) }},
		{"shr.u32 %r1, a, 5; match.all.sync.b32 d|%p1, %r1, -1; selp.u32 d, d, 0, %p1;", func(int) uint64 { return 0xffffffff }},
		{"match.all.sync.b32 d|%p1, a, -1; selp.u32 d, 7, 8, %p1;", func(int) uint64 { return 8 }},
		{"activemask.b32 d;", func(int) uint64 { return 0xffffffff }},
		{pred + "mov.u32 d, 0; @%p1 activemask.b32 d;", func(l int) uint64 {
			switch {
			case l < 32:
				return 0xffffffff
			case l < 40:
				return 0xff
			}
			return 0
		}},
		{"redux.sync.add.s32 d, a, -1;", func(l int) uint64 { return uint64(31*32/2 + l/32*1024) }},
		{"redux.sync.max.u32 d, a, -1;", func(l int) uint64 { return uint64(l | 31) }},
		{"sub.s32 %r1, a, 3; redux.sync.min.s32 d, %r1, -1;", func(l int) uint64 { return uint64(uint32(l&32 - 3)) }},
		{"redux.sync.xor.b32 d, a, -1;", func(int) uint64 { return 0 }},
	}
	for _, c := range cases {
		for i, got := range lanes(t, c.statement, []int{32, 32}, counting(64, 1)) {
			if want := c.want(i); got != want {
				t.Errorf("%s lane %d: got %x, want %x", c.statement, i, got, want)
			}
		}
	}
}

func TestSpecialRegisters(t *testing.T) {
	names := []string{"%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.x", "%laneid", "%warpid", "%tid.y", "%ntid.z", "%lanemask_eq", "%lanemask_lt", "%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size"}
	want := func(name string, block, thread int) uint32 {
		lane := thread & 31
		switch name {
		case "%tid.x":
			return uint32(thread)
		case "%ntid.x":
			return 70
		case "%ctaid.x":
			return uint32(block)
		case "%nctaid.x":
			return 3
		case "%laneid":
			return uint32(lane)
		case "%warpid":
			return uint32(thread / 32)
		case "%ntid.z":
			return 1
		case "%lanemask_lt":
			return uint32(1<<lane - 1)
		case "%lanemask_eq":
			return 1 << lane
		case "%lanemask_le":
			return uint32(2<<lane - 1)
		case "%lanemask_gt":
			return ^uint32(2<<lane - 1)
		case "%lanemask_ge":
			return ^uint32(1<<lane - 1)
		}
		return 0
	}
	for _, name := range names {
		mem := NewMemory(1 << 20)
		out := alloc(t, mem, make([]uint32, 210))
		text := entry(1, "mov.u32 %r1, "+name+"; mad.wide.u32 %x1, %t, 4, %out; st.global.u32 [%x1], %r1;")
		if _, err := launch(t, text, mem, 3, 70, out); err != nil {
			t.Fatal(err)
		}
		for i, got := range words(t, mem, out, 210) {
			if w := want(name, i/70, i%70); got != w {
				t.Fatalf("%s of thread %d: got %x, want %x", name, i, got, w)
			}
		}
	}
}

// TestAtomics adds up over a grid, in global and in shared memory, and checks what the other operations leave.
func TestAtomics(t *testing.T) {
	cases := []struct {
		statement string
		start     uint32
		want      uint32
	}{
		{"red.global.add.u32 [%out], %t;", 5, 5 + 4*64*255/2},
		{"atom.global.add.u32 %r1, [%out], 1;", 0, 256},
		{"atom.global.max.s32 %r1, [%out], %t;", 0xffffff00, 255},
		{"atom.global.min.u32 %r1, [%out], %t;", 100, 0},
		{"red.global.or.b32 [%out], %t;", 256, 511},
		{"red.relaxed.gpu.global.and.b32 [%out], 6;", 255, 6},
		{"red.global.xor.b32 [%out], 6;", 255, 255},
		{"atom.global.inc.u32 %r1, [%out], 10;", 0, 256 % 11},
		{"atom.global.dec.u32 %r1, [%out], 10;", 3, 10 - (252 % 11)},
		{"cvt.rn.f32.u32 %f1, %t; red.global.add.f32 [%out], %f1;", 0, 0x46ff0000},
		{"atom.global.cas.b32 %r1, [%out], 7, 9; atom.global.cas.b32 %r1, [%out], 8, 10;", 7, 9},
		{"mov.u32 %r1, 4; atom.global.exch.b32 %r2, [%out], %r1;", 7, 4},
		{"setp.eq.u32 %p1, %t, 0; .shared .b32 s; mov.u32 %r2, %tid.x; setp.ne.u32 %p2, %r2, 0;" +
			"@%p2 bra A; st.shared.u32 [s], 0; A: bar.sync 0; atom.shared.add.u32 %r1, [s], 2; bar.sync 0;" +
			"@%p2 bra B; ld.shared.u32 %r3, [s]; red.global.add.u32 [%out], %r3; B:", 0, 512},
	}
	for _, c := range cases {
		mem := NewMemory(1 << 20)
		out := alloc(t, mem, []uint32{c.start})
		if _, err := launch(t, entry(1, c.statement), mem, 4, 64, out); err != nil {
			t.Fatalf("%s %v", c.statement, err)
		}
		if got := words(t, mem, out, 1)[0]; got != c.want {
			t.Errorf("%s got %d, want %d", c.statement, got, c.want)
		}
	}
	// The old values are each given once.
	mem := NewMemory(1 << 20)
	out := alloc(t, mem, make([]uint32, 300))
	text := "atom.global.add.u32 %r1, [%out], 1; mad.wide.u32 %x1, %r1, 4, %out; st.global.u32 [%x1+4], 1;"
	if _, err := launch(t, entry(1, text), mem, 4, 64, out); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, v := range words(t, mem, out, 300)[1:] {
		sum += bits.OnesCount32(v)
	}
	if sum != 256 {
		t.Errorf("%d different old values, want 256", sum)
	}
}
