package ptxvm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestBudgetEndsAnEndlessLoop(t *testing.T) {
	f := parse(t, entry(0, "L: bra L;"))
	_, err := Run(t.Context(), NewMemory(0), Launch{Function: f, Grid: 3, Block: 32, Budget: 1000})
	if fault := faultOf(t, err, FaultBudget, "bra"); fault.Text != "a block runs more than 1000 warp instructions" {
		t.Errorf("got %q", fault.Text)
	}
}

func TestContextEndsARun(t *testing.T) {
	f := parse(t, entry(0, "L: bra L;"))
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	started := make(chan struct{})
	go func() {
		<-started
		cancel(cause)
	}()
	close(started)
	if _, err := Run(ctx, NewMemory(0), Launch{Function: f, Grid: 1000, Block: 32, Budget: 1 << 60}); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	done, cancel2 := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel2()
	if _, err := Run(done, NewMemory(0), Launch{Function: f, Grid: 1, Block: 32, Budget: 1 << 60}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v for a context that had ended", err)
	}
}

// TestOrderDoesNotMatter runs one kernel with several seeds: the same counts and memory.
func TestOrderDoesNotMatter(t *testing.T) {
	f := parse(t, entry(1, sharedWord+"mov.u32 %r1, %tid.x; mad.lo.u32 %r8, %r1, 4, %r9; st.shared.u32 [%r8], %t; bar.sync 0; xor.b32 %r1, %r1, 96; mad.lo.u32 %r8, %r1, 4, %r9; ld.shared.u32 %r2, [%r8];"+
		outWord+"st.global.u32 [%x9], %r2;"))
	var first []uint32
	var counted string
	for seed := range uint64(5) {
		mem := NewMemory(1 << 20)
		out := alloc(t, mem, make([]uint32, 128*7))
		params, err := f.PackParams([]uint64{out})
		if err != nil {
			t.Fatal(err)
		}
		counts, err := Run(t.Context(), mem, Launch{Function: f, Grid: 7, Block: 128, Params: params, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		got := words(t, mem, out, 128*7)
		if seed == 0 {
			first, counted = got, fmt.Sprint(counts)
		}
		if !slices.Equal(got, first) || fmt.Sprint(counts) != counted || got[130] != 130^96-128+128 {
			t.Errorf("seed %d: %v, where seed 0 gave %s", seed, counts, counted)
		}
	}
}

func TestRunOfSomeBlocks(t *testing.T) {
	f := parse(t, entry(1, outWord+"st.global.u32 [%x9], 1;"))
	mem := NewMemory(1 << 20)
	out := alloc(t, mem, make([]uint32, 320))
	params, err := f.PackParams([]uint64{out})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := Run(t.Context(), mem, Launch{Function: f, Grid: 10, Block: 32, Params: params, Blocks: []int{9, 0, 4}})
	if err != nil || counts.Blocks != 3 {
		t.Fatalf("%d blocks, %v; want 3", counts.Blocks, err)
	}
	for i, v := range words(t, mem, out, 320) {
		if b := i / 32; (v == 1) != (b == 0 || b == 4 || b == 9) {
			t.Errorf("word %d of block %d is %d", i, b, v)
		}
	}
}

func TestOrderVisitsEachBlockOnce(t *testing.T) {
	for _, total := range []int{1, 2, 3, 12, 97, 1000} {
		for seed := range uint64(4) {
			o, seen := newOrder(total, seed), make([]bool, total)
			for i := range total {
				if at := o.at(i); seen[at] {
					t.Fatalf("block %d of %d twice, seed %d", at, total, seed)
				} else {
					seen[at] = true
				}
			}
		}
	}
}

func TestLaunchFaults(t *testing.T) {
	f := parse(t, header+".visible .entry f(.param .u64 p0) .maxntid 64, 1, 1 { ret; }")
	good := Launch{Function: f, Grid: 1, Block: 64, Params: make([]byte, 8)}
	if _, err := Run(t.Context(), NewMemory(0), good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Launch){
		"a grid of 0 blocks":                       func(l *Launch) { l.Grid = 0 },
		"a block of 1025 threads, not within 1 to": func(l *Launch) { l.Block = 1025 },
		"the function is compiled for at most 64":  func(l *Launch) { l.Block = 65 },
		"7 bytes of parameters":                    func(l *Launch) { l.Params = l.Params[:7] },
		"block 1 of a grid of 1":                   func(l *Launch) { l.Blocks = []int{1} },
		"2000000 bytes of dynamic shared memory":   func(l *Launch) { l.Shared = 2000000 },
	} {
		l := good
		change(&l)
		_, err := Run(t.Context(), NewMemory(0), l)
		if f := faultOf(t, err, FaultLaunch, ""); !contains(f.Text, name) {
			t.Errorf("got %q, want %q in it", f.Text, name)
		}
	}
}

// TestExclusiveStores lets blocks overlap by one byte, with the same value.
func TestExclusiveStores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // blocks that write to one address are what it is about: one at a time
	f := parse(t, entry(1, "mul.wide.u32 %x1, %bid, 3; add.s64 %x1, %x1, %out; mov.u32 %r1, 7; st.global.u8 [%x1], %r1; st.global.u8 [%x1+1], %r1; st.global.u8 [%x1+2], %r1; red.global.add.u32 [%out+252], 1;"))
	overlap := parse(t, entry(1, "mul.wide.u32 %x1, %bid, 2; add.s64 %x1, %x1, %out; mov.u32 %r1, 7; st.global.u8 [%x1], %r1; st.global.u8 [%x1+2], %r1;"))
	for _, c := range []struct {
		function  *Function
		exclusive bool
		fault     bool
	}{{f, true, false}, {f, false, false}, {overlap, false, false}, {overlap, true, true}} {
		mem := NewMemory(1 << 20)
		params, err := c.function.PackParams([]uint64{alloc(t, mem, make([]uint32, 64))})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second launch may store where the first did
			_, err = Run(t.Context(), mem, Launch{Function: c.function, Grid: 9, Block: 1, Params: params, Exclusive: c.exclusive})
			if c.fault {
				wantFault(t, err, FaultGlobalRace, "st.global.u8")
			} else if err != nil {
				t.Error(err)
			}
		}
	}
}
