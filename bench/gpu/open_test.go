package gpu

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels"
)

// TestWhatAnotherWorkerWouldNotMend gives the device up at once, with the reason.
func TestWhatAnotherWorkerWouldNotMend(t *testing.T) {
	for name, x := range map[string]struct {
		change func(*card, *Config)
		want   string
		codes  []string
		lives  int
	}{
		"another version": {func(_ *card, c *Config) { c.Version, c.Worker = "2", "/w" }, "worker /w is of version 1 and this program of version 2: build both together", []string{}, 1},
		"the device vanished": {func(c *card, _ *Config) {
			c.welcome.Devices = []worker.Device{newDevice("GPU-2"), newDevice("GPU-3")}
		}, "device GPU-1 is not there any more: the worker knows of GPU-2 GPU-3", []string{bench.Lost}, 1},
		"all devices vanished": {func(c *card, _ *Config) { c.welcome.Devices = nil }, "the worker knows of none", []string{bench.Lost}, 1},
		"the driver vanished":  {func(c *card, _ *Config) { c.welcome.Devices, c.welcome.Problem = nil, "no driver" }, "not there any more: no driver", []string{bench.Lost}, 1},
		"not supported": {func(c *card, _ *Config) {
			c.open = func(*life) *worker.Error { return &worker.Error{Kind: worker.Unsupported, Text: "no kernels for 3.5"} }
		}, "no kernels for 3.5", []string{}, 1},
		"no worker": {func(_ *card, c *Config) {
			c.start = func(Config) (*process, error) { return nil, errors.New("no such file") }
		}, "no such file", []string{}, 0},
		"busy now": {func(c *card, _ *Config) { c.welcome.Devices[0].Processes = ptr(2) }, "2 other processes compute on it", []string{bench.Busy}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCard("GPU-1")
				config := Config{Version: "1", start: c.start, bootID: func() string { return "" }}
				x.change(c, &config)
				r := New(config, newDevice("GPU-1"))
				defer r.Close()
				for range 2 {
					res := measure(t, r, relu())
					if res.Status != bench.Failed || !strings.Contains(res.Error, x.want) || !slices.Equal(codes(res), x.codes) || r.Refused() != res.Error || len(c.lives) != x.lives {
						t.Errorf("%d workers, refused %q: %+v", len(c.lives), r.Refused(), res)
					}
				}
				synctest.Wait()
				for _, l := range c.lives {
					select {
					case <-l.done:
					default:
						t.Error("its worker still runs")
					}
				}
				if o, err := r.Overheads(t.Context()); o != nil || err != nil {
					t.Errorf("overheads %v, %v", o, err)
				}
			})
		})
	}
}

// TestASlowStartIsNoDeath: a worker whose libraries take 15 s to load sends no heartbeats until then.
func TestASlowStartIsNoDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.hello = func(l *life) {
			l.muted.Store(true)
			l.sleep(15 * time.Second)
			l.muted.Store(false)
		}
		r := runner(c)
		defer r.Close()
		if res := measure(t, r, relu()); res.Status != bench.OK || len(res.Warnings) != 0 {
			t.Errorf("%+v", res)
		}
	})
}

func TestErrorsOfOpenHaveTheirCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, f := range map[string]func(*card){
			bench.Lost:     func(c *card) { c.open = func(*life) *worker.Error { return broken() } },
			bench.TimedOut: func(c *card) { c.open = func(l *life) *worker.Error { l.hang(); return nil } },
			bench.Busy:     func(c *card) { c.welcome.Devices[0].Prohibited = ptr(true) },
			"": func(c *card) {
				c.open = func(*life) *worker.Error { return &worker.Error{Kind: worker.Unsupported, Text: "no"} }
			},
		} {
			c := newCard("GPU-1")
			f(c)
			r := runner(c)
			if _, err := r.Open(t.Context()); err == nil || Code(err) != want {
				t.Errorf("%v has the code %q, want %q", err, Code(err), want)
			}
			r.Close()
		}
		if got := Code(context.Canceled); got != "" {
			t.Errorf("an interrupt has the code %q", got)
		}
	})
}

func TestADeviceInUseIsMeasuredByForceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		c.welcome.Devices[0].Processes, c.welcome.Devices[0].Partitioned = ptr(1), ptr(true)
		r := runner(c)
		defer r.Close()
		want := "it is cut into parts, or is a part of a device: a figure would be that of a part; 1 other process computes on it"
		if res := measure(t, r, relu()); res.Status != bench.Failed || text(res, bench.Busy) != want || r.Refused() != want || len(c.lives) != 0 {
			t.Errorf("%+v", res)
		}
		forced := runner(c, func(c *Config) { c.Force = true })
		defer forced.Close()
		if res := measure(t, forced, relu()); res.Status != bench.OK || !slices.Equal(codes(res), []string{bench.Busy, bench.Busy}) || !strings.HasPrefix(text(res, bench.Busy), "measured by force although it is cut") {
			t.Errorf("%+v", res)
		}
	})
}

func TestDoubts(t *testing.T) {
	for _, c := range []struct {
		d    worker.Device
		want []string
	}{
		{worker.Device{}, nil},
		{newDevice("x"), nil},
		{worker.Device{Prohibited: ptr(true)}, []string{"lets no process"}},
		{worker.Device{Partitioned: ptr(true)}, []string{"cut into parts"}},
		{worker.Device{Exclusive: ptr(true)}, nil}, // for us
		{worker.Device{Exclusive: ptr(true), Processes: ptr(1)}, []string{"1 other process computes", "one process alone"}},
		{worker.Device{Processes: ptr(3)}, []string{"3 other processes compute"}},
		{worker.Device{Utilization: ptr(0.93)}, []string{"93% of the last second"}},
		{worker.Device{Utilization: ptr(0.93), Processes: ptr(0)}, []string{"93%"}},
		{worker.Device{Utilization: ptr(0.93), Processes: ptr(1)}, []string{"1 other process computes"}},
		{worker.Device{Utilization: ptr(0.05)}, nil},
	} {
		got := Doubts(c.d)
		ok := len(got) == len(c.want)
		for i := range min(len(got), len(c.want)) {
			ok = ok && strings.Contains(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%+v: %q, want %q", c.d, got, c.want)
		}
	}
}

func TestOpenTellsWhatTheDeviceOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCard("GPU-1")
		r := runner(c)
		defer r.Close()
		opened, err := r.Open(t.Context())
		if err != nil || len(opened.Offers) != 1 || opened.Offers[0].Kernel != kernels.ReLU {
			t.Errorf("%+v, %v", opened, err)
		}
		o, err := r.Overheads(t.Context())
		if want := []bench.Overhead{{Name: "dispatch", Device: "GPU-1", Seconds: 2e-6, Lo: 2e-6, Hi: 2e-6}}; err != nil || !slices.Equal(o, want) {
			t.Errorf("%+v, %v", o, err)
		}
		if len(c.lives) != 1 || r.Device().CacheBytes != 40<<20 {
			t.Errorf("%d workers", len(c.lives))
		}
		c.lives[0].die("killed between two cases")
		if res := measure(t, r, relu()); res.Status != bench.OK || len(c.lives) != 2 || !strings.Contains(text(res, bench.Lost), "the worker ended during prepare: killed between two cases") {
			t.Errorf("%+v", res)
		}
	})
}
