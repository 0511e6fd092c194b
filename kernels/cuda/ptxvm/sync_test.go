package ptxvm

import "testing"

const sharedWord = ".shared .align 16 .b8 s[4096]; mov.u32 %r9, s; mad.lo.u32 %r8, %t, 4, %r9;\n"

// TestSynchronisationFaults runs one misuse each, on two warps.
func TestSynchronisationFaults(t *testing.T) {
	cases := []struct{ name, statements, kind, source string }{
		{"read of another warp's word", sharedWord + "st.shared.u32 [%r8], %t; xor.b32 %r1, %t, 32; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r2];", FaultUnwritten, "ld.shared"},
		{"read after a write without a barrier", sharedWord + "st.shared.u32 [%r8], %t; bar.sync 0; st.shared.u32 [%r8], 5; xor.b32 %r1, %t, 32; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r2];", FaultRace, ""},
		{"write after a read without a barrier", sharedWord + "st.shared.u32 [%r8], %t; bar.sync 0; xor.b32 %r1, %t, 32; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r2]; st.shared.u32 [%r8], 5;", FaultRace, ""},
		{"read of another lane's word", sharedWord + "st.shared.u32 [%r8], %t; xor.b32 %r1, %t, 1; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r8]; ld.shared.u32 %r3, [%r2];", FaultRace, "[%r2]"},
		{"two writers", sharedWord + "st.shared.u32 [%r9], %t;", FaultRace, "st.shared"},
		{"write after all read", sharedWord + "setp.ne.u32 %p1, %t, 0; @%p1 bra A; st.shared.u32 [%r9], 1; A: bar.sync 0; ld.shared.u32 %r1, [%r9]; @%p1 bra B; st.shared.u32 [%r9], 2; B:", FaultRace, ""},
		{"a part of a warp at a barrier", "setp.lt.u32 %p1, %t, 40; @%p1 bra A; bar.sync 0; A:", FaultBarrier, "bar.sync"},
		{"exited threads at a barrier", "setp.lt.u32 %p1, %t, 5; @%p1 exit; bar.sync 0;", FaultBarrier, "bar.sync"},
		{"a guarded barrier", "setp.lt.u32 %p1, %t, 5; @%p1 bar.sync 0;", FaultBarrier, "bar.sync"},
		{"warps at different barriers", "setp.lt.u32 %p1, %t, 32; @%p1 bra A; bar.sync 1; A: bar.sync 2;", FaultBarrier, "bar.sync"},
		{"a barrier for more than there are", "bar.sync 1, 96;", FaultBarrier, "bar.sync"},
		{"a barrier for half a warp", "bar.sync 1, 48;", FaultBarrier, "bar.sync"},
		{"shuffle by a part", "setp.lt.u32 %p1, %t, 5; @%p1 shfl.sync.bfly.b32 %r1, %t, 1, 31, -1;", FaultCollective, "shfl"},
		{"shuffle of named lanes by more", "shfl.sync.bfly.b32 %r1, %t, 1, 31, 0xffff;", FaultCollective, "shfl"},
		{"shuffle from a lane that is away", "setp.lt.u32 %p1, %t, 5; @%p1 bra A; exit; A: shfl.sync.bfly.b32 %r1, %t, 8, 31, 31;", FaultCollective, "shfl"},
		{"vote by a part", "setp.lt.u32 %p1, %t, 5; @%p1 vote.sync.ballot.b32 %r1, %p1, -1;", FaultCollective, "vote"},
		{"bar.warp.sync by a part", "setp.lt.u32 %p1, %t, 5; @%p1 bar.warp.sync -1;", FaultCollective, "bar.warp"},
		{"ldmatrix by a part", sharedWord + "st.shared.u32 [%r8], %t; setp.lt.u32 %p1, %t, 5; @%p1 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r9];", FaultCollective, "ldmatrix"},
		{"ldmatrix of a row off 16 bytes", sharedWord + "st.shared.u32 [%r8], %t; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r9+8];", FaultMisaligned, "ldmatrix"},
		{"mma by a part", "mov.u32 %r1, 0; setp.lt.u32 %p1, %t, 5; @%p1 bra A; mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r2, %r3}, {%r1}, {%r1}, {%r1, %r1}; A:", FaultCollective, "mma"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := runBlocks(t, c.statements, 1, 1, 64)
			wantFault(t, err, c.kind, c.source)
		})
	}
}

// TestRaceIsFoundInEitherOrder lets one warp write what another reads: whichever comes second is at fault.
func TestRaceIsFoundInEitherOrder(t *testing.T) {
	f := parse(t, entry(0, sharedWord+"setp.lt.u32 %p1, %t, 32; setp.ne.u32 %p2, %t, 0; @%p2 bra A; st.shared.u32 [%r9], 1; A: bar.sync 0; @%p1 bra READ; st.shared.u32 [%r9], 2; bra DONE; READ: ld.shared.u32 %r1, [%r9]; DONE:"))
	found := map[string]bool{}
	for seed := range uint64(10) {
		_, err := Run(t.Context(), NewMemory(0), Launch{Function: f, Grid: 1, Block: 64, Seed: seed})
		found[faultOf(t, err, FaultRace, "").Source] = true
	}
	if len(found) != 2 {
		t.Errorf("faults at %v, want one at the load and one at the store", found)
	}
}

// TestBarriersOrder runs what the faults above lack nothing but a barrier for.
func TestBarriersOrder(t *testing.T) {
	cases := map[string]string{
		"exchange":            "st.shared.u32 [%r8], %t; bar.sync 0; xor.b32 %r1, %t, 32; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r2]; bar.sync 0; st.shared.u32 [%r8], 5;",
		"lanes of a warp":     "st.shared.u32 [%r8], %t; bar.warp.sync -1; xor.b32 %r1, %t, 1; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r2]; xor.b32 %r3, %r3, 33;",
		"aligned":             "st.shared.u32 [%r8], %t; barrier.sync.aligned 0; xor.b32 %r1, %t, 32; mad.lo.u32 %r2, %r1, 4, %r9; ld.shared.u32 %r3, [%r2];",
		"one warp alone":      "setp.ge.u32 %p1, %t, 32; mov.u32 %r3, %t; @%p1 bra A; st.shared.u32 [%r8], %t; bar.sync 1, 32; ld.shared.u32 %r3, [%r8]; A: xor.b32 %r3, %r3, 32;",
		"a warp that is gone": "xor.b32 %r3, %t, 32; mad.wide.u32 %x9, %t, 4, %out; st.global.u32 [%x9], %r3; setp.ge.u32 %p1, %t, 32; @%p1 exit; bar.sync 0;",
	}
	for name, statements := range cases {
		t.Run(name, func(t *testing.T) {
			got, _, err := runBlocks(t, sharedWord+statements+outWord+"st.global.u32 [%x9], %r3;", 64, 1, 64)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if v != uint32(i)^32 {
					t.Fatalf("thread %d: got %d, want %d", i, v, i^32)
				}
			}
		})
	}
}

// copied is a cp.async of each thread's word or 16 bytes of the input.
const copied = sharedWord + "mad.wide.u32 %x1, %t, 16, %in; mad.lo.u32 %r7, %t, 16, %r9; cp.async.cg.shared.global [%r7], [%x1], 16;\n"

func TestAsyncCopies(t *testing.T) {
	read := "ld.shared.u32 %r3, [%r7+4];" + outWord + "st.global.u32 [%x9], %r3;"
	first := func(i uint32) uint32 { return (4*i + 1) * 0x01010101 }
	cases := []struct {
		name, statements string
		want             func(i uint32) uint32
	}{
		{"waited for", copied + "cp.async.commit_group; cp.async.wait_group 0;" + read, first},
		{"all", copied + "cp.async.wait_all;" + read, first},
		{"the first of two groups", copied + "cp.async.commit_group; cp.async.ca.shared.global [%r7+1024], [%x1+4], 4; cp.async.commit_group; cp.async.wait_group 1;" + read, first},
		{"zeros behind the source", copied[:len(copied)-4] + "16, 4; cp.async.wait_all;" + read, func(uint32) uint32 { return 0 }},
		{"half of it", copied[:len(copied)-4] + "16, 6; cp.async.wait_all;" + read, func(i uint32) uint32 { return first(i) & 0xffff }},
		{"nothing of a source that is not there", sharedWord + "mov.u64 %x1, 16; mad.lo.u32 %r7, %t, 16, %r9; mov.u32 %r1, 0; cp.async.cg.shared.global.L2::128B [%r7], [%x1], 16, %r1; cp.async.wait_all;" + read, func(uint32) uint32 { return 0 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := runBlocks(t, c.statements, 32, 1, 32)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if want := c.want(uint32(i)); v != want {
					t.Fatalf("thread %d: got %x, want %x", i, v, want)
				}
			}
		})
	}
}

func TestAsyncFaults(t *testing.T) {
	cases := []struct{ name, statements, kind, source string }{
		{"read before the wait", copied + "cp.async.commit_group; ld.shared.u32 %r1, [%r7];", FaultPending, "ld.shared"},
		{"wait for one group too few", copied + "cp.async.commit_group; cp.async.ca.shared.global [%r7+1024], [%x1], 4; cp.async.commit_group; cp.async.wait_group 1; ld.shared.u32 %r1, [%r7+1024];", FaultPending, "ld.shared"},
		{"wait without a commit", copied + "cp.async.wait_group 0; ld.shared.u32 %r1, [%r7];", FaultPending, "ld.shared"},
		{"write before the wait", copied + "st.shared.u32 [%r7], 1;", FaultPending, "st.shared"},
		{"twice to one place", copied + "cp.async.ca.shared.global [%r7], [%x1], 4;", FaultPending, "cp.async.ca"},
		{"no barrier after the wait", copied + "cp.async.wait_all; xor.b32 %r1, %t, 32; mad.lo.u32 %r1, %r1, 16, %r9; ld.shared.u32 %r1, [%r1];", FaultRace + "|" + FaultPending + "|" + FaultUnwritten, "ld.shared"},
		{"another warp still reads the buffer", sharedWord + "mad.lo.u32 %r7, %t, 16, %r9; xor.b32 %r1, %t, 32; mad.lo.u32 %r1, %r1, 16, %r9; st.shared.v4.u32 [%r7], {%t, %t, %t, %t}; bar.sync 0; ld.shared.u32 %r2, [%r1]; cp.async.cg.shared.global [%r7], [%in], 16;", FaultRace + "|" + FaultPending, ""},
		{"another lane reads before bar.warp.sync", copied + "cp.async.wait_all; xor.b32 %r1, %t, 1; mad.lo.u32 %r1, %r1, 16, %r9; ld.shared.u32 %r2, [%r7]; ld.shared.u32 %r2, [%r1];", FaultRace, "[%r1]"},
		{"a source off 16 bytes", sharedWord + "cp.async.cg.shared.global [%r9], [%in+4], 16;", FaultMisaligned, "cp.async"},
		{"a source behind the end", sharedWord + "mad.lo.u32 %r7, %t, 16, %r9; cp.async.cg.shared.global [%r7], [%in+4096], 16;", FaultGlobal, "cp.async"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := runBlocks(t, c.statements, 1, 1, 64)
			wantFault(t, err, c.kind, c.source)
		})
	}
}
