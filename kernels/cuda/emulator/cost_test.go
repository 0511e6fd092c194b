package emulator

import (
	"fmt"
	"math"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// imageOf is the compute capability of the PTX that a card runs.
func imageOf(t *testing.T, arch int) int {
	t.Helper()
	i, err := cuda.PTX(arch)
	if err != nil {
		t.Fatal(err)
	}
	return i.Arch
}

// near reports whether got is within the share of want.
func near(got, want, share float64) bool { return math.Abs(got-want) <= share*math.Abs(want) }

// What a card must give follows from its datasheet by hand: FLOP are twice the multiply-adds a
// clock, of all SMs, by the efficiency; bytes are those of memory. No count of the interpreter enters.
func TestThroughputIsWhatTheCardMustGive(t *testing.T) {
	for _, name := range []string{"a100", "h100", "rtx4090", "t4", "v100"} {
		if testing.Short() && name != "a100" {
			continue // the sums are the same
		}
		t.Run(name, func(t *testing.T) {
			n := start(t, name)
			c := find1(t, name)
			l := n.driver(t)
			arch := imageOf(t, c.Arch)
			m := l.load(c.Arch)
			perSecond := func(rate float64) float64 { return 2 * rate * float64(c.SMs) * c.ClockHz * c.Efficiency.Compute }

			for _, p := range []kernels.Precision{kernels.FP32FP32, kernels.FP64FP64, kernels.FP16FP32, kernels.INT8INT32} {
				rate := map[kernels.Precision]float64{kernels.FP32FP32: c.PerClock.FP32, kernels.FP64FP64: c.PerClock.FP64}[p]
				if rate == 0 {
					rate = c.PerClock.Tensor[p]
				}
				if rate == 0 {
					continue
				}
				shape := kernels.Shape{N: 768 * 4000}
				e, err := cuda.Pick(kernels.FMA, p, "", shape, arch)
				if err != nil {
					t.Fatal(err)
				}
				launch, err := e.Launch(shape, c.SMs, []cuda.Ptr{cuda.Ptr(l.alloc(1 << 22))})
				if err != nil {
					t.Fatal(err)
				}
				got := 2 * float64(shape.N) * float64(launch.Grid) * float64(launch.Block) / l.seconds(func() { l.launch(m, launch) })
				if want := perSecond(rate); !near(got, want, 0.06) {
					t.Errorf("fma %s: %.4g FLOP/s, want %.4g", p, got, want)
				}
			}

			// 2 MiB a block at least, and four times L2, so that memory alone counts.
			elements := int(c.L2Bytes) / 2
			e, err := cuda.Pick(kernels.Copy, kernels.FP64, "", kernels.Shape{N: elements}, arch)
			if err != nil {
				t.Fatal(err)
			}
			launch, err := e.Launch(kernels.Shape{N: elements}, c.SMs, []cuda.Ptr{cuda.Ptr(l.alloc(8 * elements)), cuda.Ptr(l.alloc(8 * elements))})
			if err != nil {
				t.Fatal(err)
			}
			got := 16 * float64(elements) / l.seconds(func() { l.launch(m, launch) })
			if want := c.MemoryBytesPerS * c.Efficiency.Memory; !near(got, want, 0.06) {
				t.Errorf("copy: %.4g B/s, want %.4g", got, want)
			}
		})
	}
}

func find1(t *testing.T, name string) Card {
	t.Helper()
	n, err := ParseNode(name)
	if err != nil {
		t.Fatal(err)
	}
	return n.Cards[0]
}

// A product is limited by its unit, its tiles being spread over the SMs as they come.
func TestGEMMIsWhatTheCardMustGive(t *testing.T) {
	for _, c := range []struct {
		card      string
		precision kernels.Precision
		size      int
		low, high float64 // of the unit's rate by the share of SMs at work
	}{
		{"a100", kernels.FP32FP32, 1024, 0.90, 1.00},
		{"a100", kernels.FP16FP32, 1024, 0.80, 1.00},
		{"v100", kernels.FP32FP32, 1024, 0.90, 1.00},
		{"t4", kernels.FP16FP32, 1024, 0.60, 1.00},
		{"rtx4090", kernels.FP16FP32, 1024, 0.85, 1.00},
		{"h100", kernels.FP16FP32, 1024, 0.60, 1.00},
	} {
		if testing.Short() && c.card != "t4" {
			continue // the sums are the same
		}
		t.Run(fmt.Sprintf("%s %s", c.card, c.precision), func(t *testing.T) {
			card := find1(t, c.card)
			n := start(t, c.card)
			l := n.driver(t)
			m := l.load(card.Arch)
			launch := l.gemm(card, c.precision, c.size)
			s := l.seconds(func() { l.launch(m, launch) })
			rate := card.PerClock.FP32
			if c.precision != kernels.FP32FP32 {
				rate = card.PerClock.Tensor[c.precision]
			}
			busiest := math.Ceil(float64(launch.Grid) / float64(card.SMs))
			atBest := float64(c.size) * float64(c.size) * float64(c.size) / float64(launch.Grid) * busiest / (rate * card.ClockHz * card.Efficiency.Compute)
			if share := atBest / (s - card.LaunchS); share < c.low || share > c.high+1e-6 {
				t.Errorf("%.3g s, of which the unit accounts for %.0f%%; want %.0f%% to %.0f%%", s, 100*share, 100*c.low, 100*c.high)
			}
		})
	}
}

// gemm is the launch of a square product on operands of its own.
func (l *library) gemm(c Card, p kernels.Precision, size int) cuda.Launch {
	l.t.Helper()
	shape := kernels.Shape{M: size, N: size, K: size}
	e, err := cuda.Pick(kernels.GEMM, p, "", shape, imageOf(l.t, c.Arch))
	if err != nil {
		l.t.Fatal(err)
	}
	var ptrs []cuda.Ptr
	for range 3 {
		ptrs = append(ptrs, cuda.Ptr(l.alloc(4*size*size)))
	}
	for i, p := range ptrs[1:] { // small numbers whatever the type: 0x3c is 1.06 in fp16's upper byte
		l.send(opMemset, nil, ctx0, uint64(p), uint64(0x3c3c3c3c+i*0x01000100), uint64(size*size), 4)
	}
	launch, err := e.Launch(shape, c.SMs, ptrs)
	if err != nil {
		l.t.Fatal(err)
	}
	return launch
}

func TestTimeTakesTheLongestPart(t *testing.T) {
	c := find1(t, "a100")
	flat := Work{Blocks: 108, FP32: 108 * 64 * 1000}
	for _, x := range []struct {
		name string
		w    Work
		want float64
	}{
		{"nothing", Work{}, c.LaunchS},
		{"fp32", flat, c.LaunchS + 1000/(1.41e9*0.93)},
		{"one block more than SMs takes two turns", Work{Blocks: 109, FP32: 109 * 64 * 1000}, c.LaunchS + 2000/(1.41e9*0.93)},
		{"memory", Work{Blocks: 108, FP32: 1, MemoryBytes: 2.039e9}, c.LaunchS + 1e-3/0.91},
		{"l2", Work{Blocks: 108, L2Bytes: 5120e6}, c.LaunchS + 1e6/(1.41e9*0.91)},
		{"tensor precisions add up", Work{Blocks: 108, MACs: map[kernels.Precision]float64{kernels.FP16FP32: 108 * 1024e3, kernels.TF32FP32: 108 * 512e3}}, c.LaunchS + 2e3/(1.41e9*0.93)},
		{"no unit: ordinary multiply-adds", Work{Blocks: 108, MACs: map[kernels.Precision]float64{kernels.FP64FP64: 108 * 64e3}}, c.LaunchS + 1e3/(1.41e9*0.93)},
		{"library", Work{Blocks: 108, Library: true, MACs: map[kernels.Precision]float64{kernels.FP16FP32: 108 * 1024e3}}, c.LaunchS + 1e3/(1.41e9*0.87)},
	} {
		if got := c.Time(x.w, c.ClockHz).Seconds(); !near(got, x.want, 1e-9) {
			t.Errorf("%s: %.6g s, want %.6g", x.name, got, x.want)
		}
	}
	if slow, fast := c.Time(flat, c.ClockHz/2).SM, c.Time(flat, c.ClockHz).SM; !near(slow, 2*fast, 1e-9) {
		t.Errorf("at half the clock %.6g s, at the whole %.6g", slow, fast)
	}
}

func TestL2KeepsWhatWasUsedLast(t *testing.T) {
	r := residency{capacity: 100}
	for i, x := range []struct {
		e    extent
		want int64
	}{
		{extent{0, 60}, 60},     // new
		{extent{0, 60}, 0},      // there
		{extent{30, 90}, 30},    // half of it there; takes the older one's place
		{extent{0, 30}, 30},     // was given up with it
		{extent{200, 260}, 60},  // 30..90 must go
		{extent{30, 90}, 60},    // it did
		{extent{300, 500}, 200}, // larger than the cache
		{extent{300, 500}, 200}, // and leaves nothing
		{extent{30, 90}, 60},
	} {
		if got := r.touch(x.e); got != x.want {
			t.Errorf("access %d to %v misses %d bytes, want %d", i, x.e, got, x.want)
		}
	}
}

// A product whose operands do not fit into L2 reads them again by the wave; by hand for 8192x8192x8192 of
// fp16 on A100: 64 x 64 tiles, 216 blocks at once are 8 x 27 tiles, 4096/216 waves.
func TestTrafficOfAProduct(t *testing.T) {
	c := find1(t, "a100")
	tile := cuda.Entry{TileM: 128, TileN: 128, Block: 256, Shared: 48 << 10}
	product := func(n uint64) traits {
		tr, ok := traitsOf(cuda.Launch{Entry: "gemm_fp16_fp32", Params: []uint64{0, 1 << 32, 2 << 32, n, n, n}})
		if !ok {
			t.Fatal("no traits")
		}
		return tr
	}
	l2 := &residency{capacity: c.L2Bytes}
	const once = 2 * 8192 * 8192
	want := once + math.Ceil(64*64/216.0)*(8*128+27*128)*8192*2
	for range 2 {
		if got := c.traffic(l2, product(8192), tile); got != want {
			t.Errorf("8192: %.4g bytes, want %.4g", got, want)
		}
	}
	l2 = &residency{capacity: c.L2Bytes}
	for i, want := range []float64{3 * 2 * 1024 * 1024, 0} { // fits: read once, and then not at all
		if got := c.traffic(l2, product(1024), tile); got != want {
			t.Errorf("1024, pass %d: %.4g bytes, want %.4g", i, got, want)
		}
	}
}
