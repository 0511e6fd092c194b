package ptxvm

import (
	"fmt"
	"slices"
	"testing"
)

// run runs statements on one warp with 4 KiB at %out and 4 KiB of input, whose word i is i·0x01010101, and is the first n words of the output.
func run(t *testing.T, statements string, n int) ([]uint32, Counts, error) {
	t.Helper()
	return runBlocks(t, statements, n, 1, 32)
}

func runBlocks(t *testing.T, statements string, n, grid, block int) ([]uint32, Counts, error) {
	t.Helper()
	mem := NewMemory(1 << 24)
	in := make([]uint32, 1024)
	for i := range in {
		in[i] = uint32(i) * 0x01010101
	}
	out := alloc(t, mem, make([]uint32, 1024))
	counts, err := launch(t, entry(2, statements), mem, grid, block, out, alloc(t, mem, in))
	return words(t, mem, out, n), counts, err
}

const outWord = "mad.wide.u32 %x9, %t, 4, %out;\n" // the address of this thread's word

func TestLoadsAndStores(t *testing.T) {
	cases := []struct {
		name, statements string
		want             []uint32
	}{
		{"v4", "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%in+16]; st.global.v4.u32 [%out], {%r4, %r3, %r2, %r1};", []uint32{0x07070707, 0x06060606, 0x05050505, 0x04040404}},
		{"v2 of 64", "ld.global.nc.v2.u64 {%x1, %x2}, [%in+16]; st.global.v2.b64 [%out], {%x2, %x1};", []uint32{0x06060606, 0x07070707, 0x04040404, 0x05050505}},
		{"a sink in a vector", "ld.global.v2.f32 {_, %f1}, [%in+8]; st.global.f32 [%out], %f1;", []uint32{0x03030303}},
		{"a sink before a wide register", "ld.global.v2.u64 {_, %x1}, [%in+16]; st.global.u64 [%out], %x1;", []uint32{0x06060606, 0x07070707}},
		{"signed bytes", "ld.global.s8 %r1, [%in+512]; ld.global.u8 %r2, [%in+513]; st.global.v2.u32 [%out], {%r1, %r2};", []uint32{0xffffff80, 0x80}},
		{"signed halves", "ld.global.s16 %x1, [%in+512]; ld.global.u16 %h1, [%in+512]; st.global.u64 [%out], %x1; st.global.u16 [%out+8], %h1;", []uint32{0xffff8080, 0xffffffff, 0x8080}},
		{"bytes", "mov.u32 %r1, 0x11223344; st.global.u8 [%out+1], %r1; st.global.u16 [%out+2], %r1;", []uint32{0x33444400}},
		{"cache hints", "ld.global.L1::no_allocate.L2::128B.v2.u32 {%r1, %r2}, [%in]; ld.global.nc.L1::evict_last.u32 %r3, [%in+4]; st.global.cs.u32 [%out], %r3; st.volatile.global.u32 [%out+4], %r2;", []uint32{0x01010101, 0x01010101}},
		{"a negative offset", "add.s64 %x1, %in, 64; ld.global.u32 %r1, [%x1+-4]; st.global.u32 [%out], %r1;", []uint32{0x0f0f0f0f}},
		{"generic", "ld.u32 %r1, [%in+4]; st.u32 [%out], %r1;", []uint32{0x01010101}},
		{"cvta to global", "cvta.to.global.u64 %x1, %in; ld.global.u32 %r1, [%x1+8]; st.global.u32 [%out], %r1;", []uint32{0x02020202}},
		{"parameters", "ld.param.u32 %r1, [p1]; cvt.u32.u64 %r2, %in; sub.u32 %r1, %r1, %r2; ld.param.v2.u32 {%r3, %r4}, [p1]; sub.u32 %r3, %r3, %r2; st.global.v2.u32 [%out], {%r1, %r3};", []uint32{0, 0}},
		{"local", ".local .align 16 .b8 frame[64]; mov.u64 %x1, frame; cvta.local.u64 %x2, %x1; st.local.u32 [%x1+4], %t; st.u32 [%x2+8], 7; ld.local.v2.u32 {%r1, %r2}, [%x1+0]; ld.local.u32 %r2, [frame+8]; ld.u32 %r1, [%x2+4]; " +
			outWord + "add.u32 %r1, %r1, %r2; st.global.u32 [%x9], %r1;", []uint32{7, 8, 9, 10}},
		{"shared", ".shared .align 8 .b8 buffer[256]; mov.u32 %r1, buffer; shl.b32 %r2, %t, 2; add.u32 %r1, %r1, %r2; st.shared.u32 [%r1], %t; bar.sync 0; xor.b32 %r1, %r1, 4; ld.shared.u32 %r3, [%r1]; " +
			outWord + "st.global.u32 [%x9], %r3;", []uint32{1, 0, 3, 2}},
		{"generic shared", ".shared .align 8 .b8 other[8]; .shared .align 8 .b8 buffer[256]; st.shared.u32 [other], 1; mov.u64 %x1, buffer; cvta.shared.u64 %x2, %x1; mad.wide.u32 %x2, %t, 4, %x2; st.u32 [%x2], %t; ld.u32 %r3, [%x2]; " +
			"cvta.to.shared.u64 %x3, %x2; ld.shared.u32 %r4, [%x3]; add.u32 %r3, %r3, %r4;" +
			outWord + "st.global.u32 [%x9], %r3;", []uint32{0, 2, 4, 6}},
		{"halves of a word by threads", ".shared .align 4 .b8 buffer[128]; mov.u32 %r1, buffer; add.u32 %r2, %t, %t; add.u32 %r1, %r1, %r2; cvt.u16.u32 %h1, %t; st.shared.u16 [%r1], %h1; bar.sync 0; and.b32 %r1, %r1, 0xfffffffc; ld.shared.u32 %r3, [%r1];" +
			outWord + "st.global.u32 [%x9], %r3;", []uint32{0x10000, 0x10000, 0x30002, 0x30002}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := run(t, c.statements, len(c.want))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %x, want %x", got, c.want)
			}
		})
	}
}

func TestModuleVariables(t *testing.T) {
	text := header + `
.const .align 4 .b8 bytes[8] = {1, 2, 3, 4, 0xFF};
.global .align 8 .u64 words[2] = {0x1122334455667788, -1};
.global .f32 one = 0f3F800000;
.extern .shared .align 16 .b8 dynamic[];
.visible .entry f(.param .u64 p0) {
	.reg .b32 %r<9>; .reg .b64 %x<9>;
	.shared .align 4 .b8 fixed[20];
	ld.param.u64 %x1, [p0];
	mov.u64 %x2, bytes;
	ld.const.u32 %r1, [%x2+4];
	ld.global.u64 %x3, [words+8];
	ld.global.u32 %r2, [one];
	st.global.u32 [one], %r1;
	mov.u32 %r3, dynamic;
	mov.u32 %r4, fixed;
	sub.u32 %r3, %r3, %r4;
	st.shared.u32 [dynamic+28], %r1;
	st.global.v4.u32 [%x1], {%r1, %r2, %r3, %r3};
	st.global.u64 [%x1+16], %x3;
	ret;
}`
	mem := NewMemory(1 << 20)
	out := alloc(t, mem, make([]uint32, 8))
	m, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f := m.Functions["f"]
	if f.SharedBytes != 20 || f.sharedTop != 32 {
		t.Errorf("%d bytes of static shared memory and dynamic from %d; want 20 and 32", f.SharedBytes, f.sharedTop)
	}
	params, err := f.PackParams([]uint64{out})
	if err != nil {
		t.Fatal(err)
	}
	for round, one := range []uint32{0x3f800000, 0xff} { // .global variables keep what was stored
		if _, err := Run(t.Context(), mem, Launch{Function: f, Grid: 1, Block: 1, Shared: 32, Params: params}); err != nil {
			t.Fatal(err)
		}
		want := []uint32{0xff, one, 32, 32, 0xffffffff, 0xffffffff}
		if got := words(t, mem, out, 6); !slices.Equal(got, want) {
			t.Errorf("round %d: got %x, want %x", round, got, want)
		}
	}
}

// TestMemoryFaults runs one misuse each.
func TestMemoryFaults(t *testing.T) {
	shared := ".shared .align 16 .b8 s[1024]; mov.u32 %r9, s; mad.lo.u32 %r8, %t, 4, %r9;\n"
	cases := []struct{ name, statements, kind, source string }{
		{"load behind the end", "ld.global.u32 %r1, [%in+4096];", FaultGlobal, "4096"},
		{"vector across the end", "add.s64 %x1, %in, 4088; ld.global.v2.u32 {%r1, %r2}, [%x1]; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%x1+-8]; ld.global.v2.u32 {%r1, %r2}, [%x1+8];", FaultGlobal, "[%x1+8]"},
		{"store before the start", "st.global.u8 [%out+-1], %t;", FaultGlobal, "-1"},
		{"null", "mov.u64 %x1, 0; ld.global.u32 %r1, [%x1];", FaultGlobal, "%x1"},
		{"misaligned load", "ld.global.u32 %r1, [%in+2];", FaultMisaligned, "+2"},
		{"misaligned vector", "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%in+8];", FaultMisaligned, "+8"},
		{"misaligned shared vector", shared + "st.shared.v2.u32 [%r9+4], {%r9, %r9};", FaultMisaligned, "v2"},
		{"shared behind the end", shared + "st.shared.u32 [%r9+1024], %t;", FaultShared, "+1024"},
		{"shared never written", shared + "st.shared.u32 [%r9], %t; bar.warp.sync -1; ld.shared.v2.u32 {%r1, %r2}, [%r9];", FaultUnwritten, "ld.shared"},
		{"a byte never written", shared + "st.shared.u16 [%r9], %t; bar.warp.sync -1; ld.shared.u8 %r1, [%r9+1]; ld.shared.u8 %r1, [%r9+2];", FaultUnwritten, "+2"},
		{"a byte before those written", shared + "st.shared.u16 [%r9+2], %t; bar.warp.sync -1; ld.shared.u8 %r1, [%r9+3]; ld.shared.u8 %r1, [%r9+1];", FaultUnwritten, "+1"},
		{"local behind the end", ".local .b8 l[8]; mov.u64 %x1, l; st.local.u32 [%x1+8], %t;", FaultLocal, "+8"},
		{"an atomic outside", "atom.global.add.u32 %r1, [%out+4096], 1;", FaultGlobal, "atom"},
		{"an atomic of what was never written", shared + "atom.shared.add.u32 %r1, [%r9], 1;", FaultUnwritten, "atom"},
		{"a register never written", "add.u32 %r1, %r2, 1;", FaultRegister, "add.u32"},
		{"a register written by some lanes", "setp.lt.u32 %p1, %t, 31; @%p1 mov.u32 %r2, 1; add.u32 %r1, %r2, 1;", FaultRegister, "add.u32"},
		{"a register written on one of two ways", "setp.lt.u32 %p1, %t, 31; @%p1 bra B; bra A; B: mov.u32 %r2, 1; A: add.u32 %r1, %r2, 1;", FaultRegister, "add.u32"},
		{"a register written in a loop that may not run", "L: setp.lt.u32 %p1, %t, 64; @%p1 bra A; mov.u32 %r2, 1; bra L; A: add.u32 %r1, %r2, 1;", FaultRegister, "add.u32"},
		{"a predicate never written", "@%p3 mov.u32 %r2, 1;", FaultRegister, "@%p3"},
		{"trap", "trap;", FaultTrap, "trap"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := run(t, c.statements, 1)
			if fault := faultOf(t, err, c.kind, c.source); fault.Function != "f" || fault.Block != 0 {
				t.Errorf("%+v is not of block 0 of f", fault)
			}
		})
	}
}

// TestFaultNamesTheThread puts one bad access into one thread of the grid.
func TestFaultNamesTheThread(t *testing.T) {
	_, _, err := runBlocks(t, "setp.eq.u32 %p1, %t, 165; mov.u64 %x1, %in; @%p1 add.s64 %x1, %x1, 4096; ld.global.u32 %r1, [%x1];", 1, 3, 64)
	if f := faultOf(t, err, FaultGlobal, "ld.global.u32"); f.Block != 2 || f.Thread != 37 {
		t.Errorf("block %d, thread %d; want 2, 37", f.Block, f.Thread)
	}
}

// TestVectorAcrossTheEnd reads 16 bytes a lane of an allocation of 20, whose start an earlier lane has met.
func TestVectorAcrossTheEnd(t *testing.T) {
	mem := NewMemory(1 << 20)
	text := entry(2, "mad.wide.u32 %x1, %t, 16, %in; ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%x1];")
	_, err := launch(t, text, mem, 1, 2, 0, alloc(t, mem, make([]uint32, 5)))
	if f := faultOf(t, err, FaultGlobal, "ld.global.v4"); f.Thread != 1 {
		t.Errorf("thread %d, want 1", f.Thread)
	}
}

func TestMemory(t *testing.T) {
	mem := NewMemory(10000)
	a, err := mem.Alloc(1000)
	if err != nil {
		t.Fatal(err)
	}
	b, err := mem.Alloc(9000)
	if err != nil {
		t.Fatal(err)
	}
	if a%256 != 0 || b%256 != 0 || b-a < 1000+256 {
		t.Errorf("addresses %#x and %#x: not aligned, or no gap between", a, b)
	}
	if _, err := mem.Alloc(1); err == nil || err.Error() != "1 bytes asked for, 0 free" {
		t.Errorf("got %v for a byte too many", err)
	}
	p, err := mem.Bytes(b+8990, 10)
	if err != nil || p[9] != Poison {
		t.Errorf("%v, %v: want the last ten bytes, poisoned", p, err)
	}
	for _, bad := range []struct {
		addr uint64
		n    int64
	}{{b + 8990, 11}, {a - 1, 1}, {a + 1001, 1}, {0, 1}, {a, -1}, {b, 1 << 62}} {
		if _, err := mem.Bytes(bad.addr, bad.n); err == nil {
			t.Errorf("no error for %d bytes at %#x", bad.n, bad.addr)
		}
	}
	if err := mem.Free(a + 8); err == nil {
		t.Error("no error for freeing the middle of an allocation")
	}
	if err := mem.Free(a); err != nil || mem.FreeBytes() != 1000 {
		t.Errorf("%v, %d bytes free; want 1000", err, mem.FreeBytes())
	}
	if err := mem.Free(a); err == nil {
		t.Error("no error for freeing twice")
	}
	if _, err := mem.Bytes(a, 1); err == nil {
		t.Error("no error for what was freed")
	}
	if c, err := mem.Alloc(1000); err != nil || c == a {
		t.Errorf("%v; address %#x used again", err, c)
	}
}

// TestStalePointerIsFound frees what a kernel then reads.
func TestStalePointerIsFound(t *testing.T) {
	mem := NewMemory(1 << 20)
	out, in := alloc(t, mem, make([]uint32, 64)), alloc(t, mem, make([]uint32, 64))
	text := entry(2, "ld.global.u32 %r1, [%in]; st.global.u32 [%out], %r1;")
	if _, err := launch(t, text, mem, 1, 1, out, in); err != nil {
		t.Fatal(err)
	}
	if err := mem.Free(in); err != nil {
		t.Fatal(err)
	}
	alloc(t, mem, make([]uint32, 64))
	_, err := launch(t, text, mem, 1, 1, out, in)
	wantFault(t, err, FaultGlobal, "ld.global")
}

// TestBankConflicts counts cycles of shared accesses with a stride.
func TestBankConflicts(t *testing.T) {
	cases := []struct {
		bytes, stride int
		want          int64
	}{
		{4, 4, 0},
		{4, 8, 1},
		{4, 16, 3},
		{4, 128, 31},
		{4, 0, 0},
		{4, 132, 0},
		{2, 2, 0},
		{8, 8, 0},
		{8, 16, 2},
		{8, 128, 30},
		{16, 16, 0},
		{16, 32, 4},
		{16, 144, 0},
		{16, 128, 28},
	}
	for _, c := range cases {
		data := map[int]string{2: "u16 [%r1], %h1", 4: "u32 [%r1], %t", 8: "u64 [%r1], %out", 16: "v4.u32 [%r1], {%t, %t, %t, %t}"}[c.bytes]
		_, counts, err := run(t, ".shared .align 16 .b8 s[8192]; mov.u32 %r1, s; mov.u16 %h1, 1; mad.lo.u32 %r1, %t, "+fmt.Sprint(c.stride)+", %r1; st.shared."+data+";", 1)
		if err != nil {
			t.Fatal(err)
		}
		if counts.SharedConflictCycles != c.want || counts.SharedAccesses != 1 || counts.SharedBytes != int64(32*c.bytes) {
			t.Errorf("%d bytes, stride %d: %d cycles, %d accesses, %d bytes; want %d, 1, %d", c.bytes, c.stride,
				counts.SharedConflictCycles, counts.SharedAccesses, counts.SharedBytes, c.want, 32*c.bytes)
		}
	}
}

// TestBankConflictsOfSharedWords lets two lanes each ask for one word of one bank: 16 words, 15 cycles more than one.
func TestBankConflictsOfSharedWords(t *testing.T) {
	_, counts, err := run(t, ".shared .align 16 .b8 s[8192]; mov.u32 %r1, s; shr.u32 %r2, %t, 1; mad.lo.u32 %r1, %r2, 128, %r1; st.shared.u32 [%r1], %t;", 1)
	if err != nil || counts.SharedConflictCycles != 15 {
		t.Errorf("%d cycles, %v; want 15", counts.SharedConflictCycles, err)
	}
}

// TestSectors counts pieces of 32 bytes of global accesses with a stride.
func TestSectors(t *testing.T) {
	for stride, want := range map[int]int64{0: 1, 4: 4, 8: 8, 32: 32, 64: 32, 1: 1} {
		typ := "u32"
		if stride == 1 {
			typ = "u8"
		}
		_, counts, err := run(t, "mad.wide.u32 %x1, %t, "+fmt.Sprint(stride)+", %in; ld.global."+typ+" %r1, [%x1];", 1)
		if err != nil {
			t.Fatal(err)
		}
		if counts.GlobalLoadSectors != want {
			t.Errorf("stride %d: %d sectors, want %d", stride, counts.GlobalLoadSectors, want)
		}
	}
}
