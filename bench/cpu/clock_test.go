package cpu

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cpu"
)

func TestOverheadsAreMedians(t *testing.T) {
	clock := &fakeClock{tick: 50}
	r := newFake(t, clock, nil)
	all, err := r.Overheads(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, o := range all {
		got += fmt.Sprintf("%s %s %d %.5g %.5g %.5g; ", o.Name, o.Device, o.Threads, o.Seconds, o.Lo, o.Hi)
	}
	// A batch of empty calls takes one tick; one of a thousand readings takes 1001.
	const want = "dispatch host-1 1 2.5e-09 2.5e-09 2.5e-09; dispatch host-1 2 2.5e-09 2.5e-09 2.5e-09; timer host-1 1 5.005e-08 5.005e-08 5.005e-08; "
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if all, err := r.Overheads(ctx); !errors.Is(err, context.Canceled) || len(all) != 0 {
		t.Errorf("cancelled: %v, %v", all, err)
	}
}

// TestASlowDispatchIsTimedForAFifthOfASecond, or in 11 samples.
func TestASlowDispatchIsTimedForAFifthOfASecond(t *testing.T) {
	clock := &fakeClock{}
	r := newFake(t, clock, nil)
	for call, want := range map[time.Duration]int{time.Microsecond: 101, 500 * time.Microsecond: 20, 100 * time.Millisecond: 11} {
		samples, err := r.repeat(context.Background(), dispatchBatch, func() { clock.work(call) })
		if err != nil || len(samples) != want || !near(&samples[0], call.Seconds()) {
			t.Errorf("%v a call: %d samples, want %d; %v, %v", call, len(samples), want, samples[0], err)
		}
	}
}

// TestOverheadsEndWithTheContext: after the sample in which it ends, with what was whole before,
// and the Runner can be used again.
func TestOverheadsEndWithTheContext(t *testing.T) {
	r := newFake(t, &fakeClock{}, nil)
	for _, c := range []struct{ reading, want, stopped int }{ // 203 readings for a thread count
		{50, 0, 1},
		{203 + 50, 1, 2},
		{2*203 + 3*(timerBatch+2), 2, 0},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		readings := 0
		r.now = func() time.Time {
			if readings++; readings == c.reading {
				cancel()
			}
			return time.Unix(0, int64(readings))
		}
		all, err := r.Overheads(ctx)
		if !errors.Is(err, context.Canceled) || len(all) != c.want || readings > c.reading+timerBatch+2 {
			t.Errorf("ended at reading %d: %d overheads, %v, %d readings", c.reading, len(all), err, readings)
		}
		if c.stopped > 0 && !r.pools[c.stopped].Stopped() {
			t.Errorf("ended at reading %d: the pool of %d threads goes on", c.reading, c.stopped)
		}
	}
	if all, err := r.Overheads(context.Background()); err != nil || len(all) != 3 {
		t.Errorf("afterwards: %v, %v", all, err)
	}
}

// TestAnInterruptedProductTimesNoDispatch, which would take longer than the user who interrupts waits.
func TestAnInterruptedProductTimesNoDispatch(t *testing.T) {
	clock := &fakeClock{}
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	var pool *cpu.Pool
	plan := planGEMM(func([]float32) {
		if calls++; calls == 15 {
			for cancel(); !pool.Stopped(); {
				runtime.Gosched()
			}
		}
		clock.work(4 * time.Millisecond)
	})
	r := newFake(t, clock, planFunc[float32, float32](func(p *cpu.Pool, s cpu.Product) (product[float32, float32], error) {
		pool = p
		return plan(p, s)
	}))
	res, err := r.Run(ctx, caseOf(kernels.GEMM, kernels.FP32FP32, kernels.Shape{M: 4, N: 4, K: 4}, 2))
	if _, timed := r.dispatchS[2]; !errors.Is(err, context.Canceled) || res.FlopPerS == nil || timed || r.pools[2] != pool {
		t.Errorf("%v, timed %v, another pool %v: %+v", err, timed, r.pools[2] != pool, res)
	}
}
