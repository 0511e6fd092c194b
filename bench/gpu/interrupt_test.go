package gpu

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
)

// TestAnInterruptKeepsTheSamples and ends the case within a second, whatever the worker does.
func TestAnInterruptKeepsTheSamples(t *testing.T) {
	for name, hangs := range map[string]bool{"a worker that answers": false, "a worker that hangs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCard("GPU-1")
				c.deaf = hangs
				ctx, cancel := context.WithCancel(t.Context())
				var at time.Time
				c.sample = func(l *life, _ worker.SampleRequest) *worker.Error {
					if l.batches == 200 { // after the 6 s of the warm-up
						at = time.Now()
						cancel()
						if hangs {
							l.hang()
						}
					}
					return nil
				}
				r := runner(c)
				long := relu()
				long.MinS, long.MaxS = 60, 60
				res, err := r.Run(ctx, long)
				took := time.Since(at)
				if !errors.Is(err, context.Canceled) || res.Status != bench.OK || !near(res.FlopPerS, 1e9) || !slices.Contains(codes(res), bench.Interrupted) || res.N == 0 {
					t.Errorf("%v: %+v", err, res)
				}
				if took > time.Second || !hangs && took > 200*time.Millisecond {
					t.Errorf("took %v after the interrupt", took)
				}
				calls := c.lives[0].calls
				if !hangs && !slices.Equal(calls[len(calls)-3:], []string{"sample", "check", "release"}) {
					t.Errorf("the last calls were %v: what was measured is checked", calls)
				}
				at = time.Now()
				r.Close()
				if took := time.Since(at); took > time.Second {
					t.Errorf("Close took %v", took)
				}
				synctest.Wait()
				if !hangs && !slices.Equal(c.lives[0].calls[len(calls):], []string{"close"}) {
					t.Errorf("the worker was not left politely: %v", c.lives[0].calls)
				}
				c.lives[0].die("at the test's end")
			})
		})
	}
}

func TestAnInterruptBeforeTheFirstSampleKeepsNothing(t *testing.T) {
	for _, hangs := range []string{"hello", "open", "prepare", "sample"} {
		t.Run(hangs, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCard("GPU-1")
				ctx, cancel := context.WithCancel(t.Context())
				var at time.Time
				stop := func(l *life) { at = time.Now(); cancel(); l.hang() }
				switch hangs {
				case "hello":
					c.hello = stop
				case "open":
					c.open = func(l *life) *worker.Error { stop(l); return nil }
				case "prepare":
					c.prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
						stop(l)
						return l.prepared(r), nil
					}
				case "sample":
					c.sample = func(l *life, _ worker.SampleRequest) *worker.Error { stop(l); return nil }
				}
				r := runner(c)
				defer r.Close()
				res, err := r.Run(ctx, relu())
				if !errors.Is(err, context.Canceled) || res.Status != bench.Failed || res.N != 0 || res.Error != "interrupted before the first sample" || time.Since(at) > time.Second || len(res.Warnings) != 0 {
					t.Errorf("%v after %v: %+v", err, time.Since(at), res)
				}
				if res, err := r.Run(ctx, relu()); !errors.Is(err, context.Canceled) || res.Status != bench.Failed || len(c.lives) != 1 {
					t.Errorf("another case: %v, %+v", err, res)
				}
			})
		})
	}
}
