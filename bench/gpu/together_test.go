package gpu

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
)

// node is a machine of so many cards, a tenth of a second of set-up each slower than the one before.
func node(cards int) (all []*card, runners []*Runner, closeAll func()) {
	for i := range cards {
		c := newCard(fmt.Sprintf("GPU-%d", i))
		c.slow = time.Millisecond
		late := time.Duration(i) * 100 * time.Millisecond
		c.prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			l.sleep(late)
			return l.prepared(r), nil
		}
		all, runners = append(all, c), append(runners, runner(c))
	}
	return all, runners, func() {
		for _, r := range runners {
			r.Close()
		}
	}
}

// span keeps when a card sampled first and last.
type span struct{ first, last time.Time }

// TestTogetherBeginAndEndAtTheSameTime, and hold each rate against that alone.
func TestTogetherBeginAndEndAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cards, runners, closeAll := node(4)
		defer closeAll()
		for _, r := range runners[:3] {
			measure(t, r, relu())
		}
		spans := make([]span, len(cards))
		for i, c := range cards {
			c.passS = 0.00125 // they share something
			c.sample = func(*life, worker.SampleRequest) *worker.Error {
				if spans[i].last = time.Now(); spans[i].first.IsZero() {
					spans[i].first = spans[i].last
				}
				return nil
			}
		}
		results := Together(t.Context(), runners, relu())
		for i, res := range results {
			if res.Device != cards[i].welcome.Devices[0].ID || res.Status != bench.OK || res.Together != 4 || len(res.Warnings) != 0 {
				t.Errorf("%d: %+v", i, res)
			}
			if measured := i < 3; measured && !near(res.OfAlone, 0.8) || !measured && res.OfAlone != nil {
				t.Errorf("%d: of alone %v", i, res.OfAlone)
			}
			if d := spans[i].first.Sub(spans[0].first).Abs(); d > 10*time.Millisecond {
				t.Errorf("%d began %v apart", i, d)
			}
			if d := spans[i].last.Sub(spans[0].last).Abs(); d > 60*time.Millisecond {
				t.Errorf("%d ended %v apart", i, d)
			}
			if res.Seconds < 0.85 || res.Seconds > 1 {
				t.Errorf("%d sampled for %v s", i, res.Seconds)
			}
		}
		// Rates beside others are no rates alone.
		if results := Together(t.Context(), runners, relu()); !near(results[0].OfAlone, 0.8) || results[3].OfAlone != nil {
			t.Errorf("a second time: %v, %v", results[0].OfAlone, results[3].OfAlone)
		}
	})
}

// TestTheFaultsOfSomeAreNotTheOthers: of eight devices one hangs, one computes wrong and one dies;
// the other five have the figures that they have alone.
func TestTheFaultsOfSomeAreNotTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cards, runners, closeAll := node(8)
		defer closeAll()
		alone := make([]bench.Result, len(runners))
		for i, r := range runners {
			alone[i] = measure(t, r, relu())
		}
		cards[1].sample = func(l *life, _ worker.SampleRequest) *worker.Error { l.hang(); return nil }
		cards[4].check = func(int) string { return "bad" }
		cards[6].prepare = func(l *life, _ worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			l.die("signal: killed")
			return worker.Prepared{}, nil
		}
		want := map[int]string{1: bench.TimedOut, 4: bench.WrongResult, 6: bench.Lost}
		for i, res := range Together(t.Context(), runners, relu()) {
			code, bad := want[i]
			switch {
			case bad && (res.Status != bench.Failed || !slices.Equal(codes(res), []string{code}) || res.FlopPerS != nil):
				t.Errorf("%d: %+v, want %s", i, res, code)
			case !bad && (res.Status != bench.OK || *res.FlopPerS != *alone[i].FlopPerS || res.Together != 7 || !near(res.OfAlone, 1) || len(res.Warnings) != 0):
				t.Errorf("%d: %+v", i, res)
			}
		}
		for i, r := range runners {
			if res := measure(t, r, relu()); (want[i] == "") != (res.Status == bench.OK) || want[i] == "" && *res.FlopPerS != *alone[i].FlopPerS {
				t.Errorf("%d afterwards: %+v", i, res)
			}
		}
	})
}

func TestTogetherAfterAnInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cards, runners, closeAll := node(2)
		defer closeAll()
		cards[1].prepare = func(l *life, r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
			l.hang()
			return l.prepared(r), nil
		}
		ctx, cancel := contextIn(t, time.Second)
		defer cancel()
		began := time.Now()
		for i, res := range Together(ctx, runners, relu()) {
			if res.Status != bench.Failed || res.Error != "interrupted before the first sample" {
				t.Errorf("%d: %+v", i, res)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		if calls := cards[0].lives[0].calls; !slices.Contains(calls, "release") {
			t.Errorf("the one that waited was not released in time: %v", calls)
		}
	})
}

// of is a result of a device at a rate.
func of(device, model string, rate float64, change ...func(*bench.Result)) bench.Result {
	res := bench.Result{
		Device: device, DeviceModel: model, Kernel: relu().Kernel, Precision: relu().Precision, Shape: relu().Shape,
		Engine: "e", ElementsPerS: &rate, Status: bench.OK, Warnings: []bench.Warning{},
	}
	for _, f := range change {
		f(&res)
	}
	return res
}

// TestADeviceSlowerThanItsPeersIsNamed: held against the median of the others of its model, itself left out.
func TestADeviceSlowerThanItsPeersIsNamed(t *testing.T) {
	failed := func(r *bench.Result) { r.Status = bench.Failed }
	engine := func(r *bench.Result) { r.Engine = "other" }
	together := func(r *bench.Result) { r.Together = 4 }
	for name, c := range map[string]struct {
		results []bench.Result
		want    []int
	}{
		"alone":                        {[]bench.Result{of("a", "m", 1)}, nil},
		"of two, the slower":           {[]bench.Result{of("a", "m", 100), of("b", "m", 60)}, []int{1}},
		"within a tenth":               {[]bench.Result{of("a", "m", 100), of("b", "m", 91)}, nil},
		"beyond a tenth":               {[]bench.Result{of("a", "m", 100), of("b", "m", 89)}, []int{1}},
		"another model":                {[]bench.Result{of("a", "m", 100), of("b", "n", 60)}, nil},
		"itself left out":              {[]bench.Result{of("a", "m", 100), of("b", "m", 100), of("c", "m", 85)}, []int{2}},
		"a fast one makes none slow":   {[]bench.Result{of("a", "m", 100), of("b", "m", 100), of("c", "m", 150), of("d", "m", 100)}, nil},
		"two of five":                  {[]bench.Result{of("a", "m", 50), of("b", "m", 100), of("c", "m", 100), of("d", "m", 60), of("e", "m", 100)}, []int{0, 3}},
		"a failure is no peer":         {[]bench.Result{of("a", "m", 100), of("b", "m", 60, failed)}, nil},
		"another engine":               {[]bench.Result{of("a", "m", 100), of("b", "m", 60, engine)}, nil},
		"together and alone":           {[]bench.Result{of("a", "m", 100), of("b", "m", 60, together)}, nil},
		"both together":                {[]bench.Result{of("a", "m", 100, together), of("b", "m", 60, together)}, []int{1}},
		"one device twice is no peers": {[]bench.Result{of("a", "m", 100), of("a", "m", 60)}, nil},
	} {
		var got []int
		for _, f := range Slower(c.results) {
			got = append(got, f.Result)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSlowerResultsAreMarkedAndTheRunNamesTheDevice(t *testing.T) {
	copyOf := func(r *bench.Result) { r.Kernel, r.BytesPerS, r.ElementsPerS = "copy", r.ElementsPerS, nil }
	results := []bench.Result{
		of("a", "m", 100), of("b", "m", 60), of("c", "m", 100),
		of("a", "m", 100, copyOf), of("b", "m", 80, copyOf), of("c", "m", 100, copyOf),
	}
	run := MarkSlower(results)
	if want := "device b is slower than its peers in 2 results, most so at relu fp32 1000000: 40% below the median of the 2 other results of m"; len(run) != 1 || run[0].Code != bench.SlowerThanPeers || run[0].Text != want {
		t.Errorf("%v", run)
	}
	for i, res := range results {
		if marked := slices.Equal(codes(res), []string{bench.SlowerThanPeers}); marked != (res.Device == "b") || !marked && len(res.Warnings) != 0 {
			t.Errorf("%d: %v", i, res.Warnings)
		}
	}
	if got := text(results[4], bench.SlowerThanPeers); !strings.HasPrefix(got, "20% below the median of the 2 other") {
		t.Errorf("%s", got)
	}
	two := []bench.Result{of("a", "m", 100), of("b", "m", 60)}
	if MarkSlower(two); two[1].Warnings[0].Text != "40% below the median of the other m" {
		t.Errorf("%v", two[1].Warnings)
	}
}
