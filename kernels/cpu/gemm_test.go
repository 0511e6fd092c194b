package cpu

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// conform runs the suite with the engine's own blocks, and with B always packed in the smallest
// blocks there can be, of which every product has many.
func conform[T Stored, C Summed](t *testing.T, k kernels.Kernel, g *GEMM[T, C], arithmetic kerneltest.Arithmetic) {
	tiny := *g
	tiles := *g.tiles
	tiny.tiles, tiles.Direct = &tiles, nil
	tiny.blocking = blocking{2 * g.MR, g.alignK(), g.NR}
	form := ProductOf(kernels.Spec{Kernel: k})
	pools := []*Pool{NewPool(1), NewPool(2), NewPool(3)}
	calls := 0
	run := func(c []C, a, b []T, s kerneltest.Product) {
		// Mostly one thread, since others spin; blocks change with each product.
		p, g := pools[map[int]int{3: 1, 8: 2}[calls/2%10]], []*GEMM[T, C]{g, &tiny}[calls%2]
		multiply(t, g, p, c, a, b, Product{M: s.M, N: s.N, K: s.K, TransA: s.TransA, TransB: s.TransB, Batch: s.Batch})
		calls++
	}
	shape := kerneltest.Product{TransA: form.TransA, TransB: form.TransB}
	if k == kernels.Batched {
		shape.Batch = 3
	}
	kerneltest.GEMM(t, arithmetic, shape, run)
	for _, p := range pools {
		p.Close()
	}
}

func multiply[T Stored, C Summed](t *testing.T, g *GEMM[T, C], p *Pool, c []C, a, b []T, s Product) {
	t.Helper()
	plan, err := g.Plan(p, s)
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	plan.Run(c, a, b)
}

func goGEMM(t *testing.T) *GEMM[float32, float32] {
	t.Helper()
	i, err := Pick(kernels.GEMM, kernels.FP32FP32, Go)
	if err != nil {
		t.Fatal(err)
	}
	return i.Func.(*GEMM[float32, float32])
}

func TestPlanRunsAgainAndAgain(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	const m, n, k = 20, 30, 40
	plan, err := goGEMM(t).Plan(p, Product{M: m, N: n, K: k})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
	for round := range 5 {
		for i := range a {
			a[i] = float32(round + 1)
		}
		for i := range b {
			b[i] = 2
		}
		plan.Run(c, a, b)
		for i, x := range c {
			if want := float32(2 * k * (round + 1)); x != want {
				t.Fatalf("run %d: C[%d] is %v, not %v", round, i, x, want)
			}
		}
	}
}

func TestPlanRefusesWhatIsNoShape(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	for _, s := range []struct {
		shape Product
		want  string
	}{
		{Product{M: -1, N: 1, K: 1}, "m is -1"},
		{Product{M: 1, N: -3, K: 1}, "n is -3"},
		{Product{M: 1, N: 1, K: -1}, "k is -1"},
		{Product{M: 1, N: 1, K: 1, Batch: -1}, "the batch is -1"},
		{Product{M: 1, N: 1, K: 1, Batch: 2, Ahead: true}, "a batch of 2 with B packed ahead"},
	} {
		_, err := goGEMM(t).Plan(p, s.shape)
		if err == nil || !strings.Contains(err.Error(), s.want) {
			t.Errorf("%v: error is %v, it should say %q", s.shape, err, s.want)
		}
	}
}

func TestRunPanicsOnShortSlices(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	plan, err := goGEMM(t).Plan(p, Product{M: 2, N: 3, K: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	for name, lengths := range map[string][3]int{"C": {5, 8, 12}, "A": {6, 7, 12}, "B": {6, 8, 11}} {
		func() {
			defer func() {
				if r, ok := recover().(string); !ok || !strings.Contains(r, "gemm: "+name+" holds") {
					t.Errorf("a short %s: panic is %q", name, r)
				}
			}()
			plan.Run(make([]float32, lengths[0]), make([]float32, lengths[1]), make([]float32, lengths[2]))
		}()
	}
}

// TestProductsAreStoredAsTheirKernelSays: C = A·B with m = 2, n = 1, k = 3, by hand. Whoever takes the orientation of operands from
// ProductOf would not notice that it is another one.
func TestProductsAreStoredAsTheirKernelSays(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	rows, columns := []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6} // A by rows, and by columns: as Aᵀ
	for _, c := range []struct {
		kernel kernels.Kernel
		a, b   []float32
		m, n   int
		want   []float32
	}{
		{kernels.GEMM, rows, []float32{1, 10, 100}, 2, 1, []float32{321, 654}},
		{kernels.GEMMTN, columns, []float32{1, 10, 100}, 2, 1, []float32{321, 654}},
		{kernels.GEMMNT, []float32{1, 10, 100}, rows, 1, 2, []float32{321, 654}}, // B is k x n, stored by columns
		{kernels.GEMM, []float32{1, 10, 100}, columns, 1, 2, []float32{321, 654}},
		{kernels.GEMMTT, columns, []float32{1, 10, 100}, 2, 1, []float32{321, 654}},
		{kernels.GEMMTT, []float32{1, 10, 100}, rows, 1, 2, []float32{321, 654}},
	} {
		got := make([]float32, len(c.want))
		multiply(t, goGEMM(t), p, got, c.a, c.b, ProductOf(kernels.Spec{Kernel: c.kernel, Shape: kernels.Shape{M: c.m, N: c.n, K: 3}}))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v x %v is %v, want %v", c.kernel, c.a, c.b, got, c.want)
		}
	}
}

// TestRunPanicsWhereCOverlapsAnOperand, by a single element at either end.
func TestRunPanicsWhereCOverlapsAnOperand(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	plan, err := goGEMM(t).Plan(p, Product{M: 2, N: 3, K: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer plan.Close()
	memory := make([]float32, 40)
	c := memory[12:18]
	for name, x := range map[string]struct{ a, b []float32 }{
		"":  {memory[4:12], memory[18:30]},
		"A": {memory[5:13], memory[18:30]},
		"B": {memory[4:12], memory[17:29]},
	} {
		func() {
			defer func() {
				r, _ := recover().(string)
				want := ""
				if name != "" {
					want = "gemm: C overlaps " + name + ", they must not share memory"
				}
				if r != want {
					t.Errorf("panic is %q, not %q", r, want)
				}
			}()
			plan.Run(c, x.a, x.b)
		}()
	}
}

// TestPackedAheadIsTheSame for shapes with several blocks and ragged panels, with any number of threads, and for the forms that
// keep sums behind a panel or pack several panels at once.
func TestPackedAheadIsTheSame(t *testing.T) {
	t.Run("fp32", func(t *testing.T) { packedAhead(t, goGEMM(t)) })
	t.Run("bf16", func(t *testing.T) { packedAhead(t, bestGEMM[kernels.BFloat16, float32](t, kernels.BF16FP32)) })
	t.Run("int8", func(t *testing.T) { packedAhead(t, bestGEMM[int8, int32](t, kernels.INT8INT32)) })
}

func bestGEMM[T Stored, C Summed](t *testing.T, p kernels.Precision) *GEMM[T, C] {
	t.Helper()
	i, err := Pick(kernels.GEMM, p, "")
	if err != nil {
		t.Fatal(err)
	}
	return i.Func.(*GEMM[T, C])
}

func packedAhead[T Stored, C Summed](t *testing.T, engine *GEMM[T, C]) {
	g := *engine
	g.blocking = blocking{2 * g.MR, g.alignK(), 3 * g.NR}
	for _, trans := range []bool{false, true} {
		for threads := 1; threads <= 3; threads++ {
			p := NewPool(threads)
			s := Product{M: 21, N: 4*g.NR + g.Lanes + 1, K: 4*g.alignK() + 3, TransB: trans}
			a, b := matrixOf[T](s.M*s.K, 7), matrixOf[T](s.K*s.N, 11)
			want, got := make([]C, s.M*s.N), make([]C, s.M*s.N)
			multiply(t, &g, p, want, a, b, s)
			packed, err := g.PackB(p, b, s.N, s.K, trans)
			if err != nil {
				t.Fatal(err)
			}
			s.Ahead = true
			plan, err := g.Plan(p, s)
			if err != nil {
				t.Fatal(err)
			}
			plan.RunPacked(got, a, packed)
			if !slices.Equal(got, want) {
				t.Errorf("trans %v, %d threads: another product", trans, threads)
			}
			plan.Close()
			packed.Close()
			p.Close()
		}
	}
}

// TestRunPackedRefusesAnotherMatrix: another in one thing alone, and operands that do not hold theirs.
func TestRunPackedRefusesAnotherMatrix(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	g := goGEMM(t)
	b, err := g.PackB(p, make([]float32, 20*30), 30, 20, false)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	blocked, twin := *g, *g
	blocked.blocking = blocking{2 * g.MR, g.alignK(), g.NR}
	other := *g.tiles
	twin.tiles = &other
	memory := make([]float32, 200)
	const another = "gemm: B is packed ahead as 20x30, the plan "
	for name, c := range map[string]struct {
		g     *GEMM[float32, float32]
		shape Product
		c, a  []float32
		want  string
	}{
		"the one":              {g, Product{M: 2, N: 30, K: 20, Ahead: true}, memory[40:100], memory[:40], ""},
		"fewer columns":        {g, Product{M: 2, N: 29, K: 20, Ahead: true}, memory[40:98], memory[:40], another + "(ahead: true) takes 20x29 of the same engine"},
		"fewer rows":           {g, Product{M: 2, N: 30, K: 19, Ahead: true}, memory[40:100], memory[:38], another + "(ahead: true) takes 19x30 of the same engine"},
		"not ahead":            {g, Product{M: 2, N: 30, K: 20}, memory[40:100], memory[:40], another + "(ahead: false) takes 20x30 of the same engine"},
		"other blocks along k": {&blocked, Product{M: 2, N: 30, K: 20, Ahead: true}, memory[40:100], memory[:40], another + "(ahead: true) takes 20x30 of the same engine"},
		"another engine":       {&twin, Product{M: 2, N: 30, K: 20, Ahead: true}, memory[40:100], memory[:40], another + "(ahead: true) takes 20x30 of the same engine"},
		"a short C":            {g, Product{M: 2, N: 30, K: 20, Ahead: true}, memory[40:99], memory[:40], "gemm: C holds 59 elements, 2x30 takes 60"},
		"a short A":            {g, Product{M: 2, N: 30, K: 20, Ahead: true}, memory[40:100], memory[:39], "gemm: A holds 39 elements, 2x20 takes 40"},
		"A in C":               {g, Product{M: 2, N: 30, K: 20, Ahead: true}, memory[40:100], memory[1:41], "gemm: C overlaps A, they must not share memory"},
	} {
		plan, err := c.g.Plan(p, c.shape)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer plan.Close()
			defer func() {
				if r := recover(); r != any(c.want) && (r != nil || c.want != "") {
					t.Errorf("%s: panic is %v, not %q", name, r, c.want)
				}
			}()
			plan.RunPacked(c.c[:len(c.c):len(c.c)], c.a[:len(c.a):len(c.a)], b)
		}()
	}
}

// matrixOf holds whole numbers around 0 that repeat after a period.
func matrixOf[T Stored](n, period int) []T {
	x := make([]T, n)
	for i := range x {
		v := i%period - period/2
		switch x := any(x).(type) {
		case []float32:
			x[i] = float32(v)
		case []kernels.BFloat16:
			x[i] = kernels.ToBFloat16(float32(v))
		case []int8:
			x[i] = int8(v)
		}
	}
	return x
}

// TestStopEndsAMultiply stops the pool from within the 50th tile: no thread may do more than
// the rest of the row of tiles that it is in, of a product that has thousands.
func TestStopEndsAMultiply(t *testing.T) {
	for _, s := range []struct {
		name  string
		shape Product
	}{
		{"blocked", Product{M: 600, N: 200, K: 600}},
		{"by rows", Product{M: 4000, N: 4, K: 100}},
		{"few rows", Product{M: 3, N: 2000, K: 2000}},
		{"batch", Product{M: 40, N: 20, K: 30, Batch: 100}},
	} {
		for threads := 1; threads <= 3; threads++ {
			p := NewPool(threads)
			var calls, after atomic.Int64
			g, tiles := *goGEMM(t), *goGEMM(t).tiles
			g.tiles = &tiles
			counted := func(tile func(t *tileArgs, rows, columns int)) func(t *tileArgs, rows, columns int) {
				return func(t *tileArgs, rows, columns int) {
					if p.Stopped() {
						after.Add(1)
					}
					tile(t, rows, columns)
					if calls.Add(1) == 50 {
						p.Stop()
					}
				}
			}
			tiles.Tile, tiles.Direct = counted(tiles.Tile), counted(tiles.Direct)
			m, n, k, count := s.shape.M, s.shape.N, s.shape.K, max(s.shape.Batch, 1)
			multiply(t, &g, p, make([]float32, count*m*n), make([]float32, count*m*k), make([]float32, count*k*n), s.shape)
			p.Close()
			if calls.Load() < 50 {
				t.Errorf("%s, %d threads: only %d tiles were computed, the pool was never stopped", s.name, threads, calls.Load())
			}
			if row := (n + g.NR - 1) / g.NR; after.Load() > int64(row+threads) {
				t.Errorf("%s, %d threads: %d tiles were computed after Stop, a row has %d", s.name, threads, after.Load(), row)
			}
		}
	}
}

func TestBlocksFollowTheCaches(t *testing.T) {
	for _, c := range []struct {
		l1, l2, kstep, packed int
		kc, nc                int
	}{
		{32 << 10, 1 << 20, 1, 4, 512, 192},
		{48 << 10, 2 << 20, 1, 4, 512, 384},
		{0, -1, 1, 4, 512, 96}, // unknown: 32 KiB and 512 KiB
		{8 << 10, 256 << 10, 1, 4, 256, 96},
		{2 << 10, 1 << 10, 1, 4, 128, 96}, // never less than two tiles
		{1 << 20, 64 << 20, 1, 4, 512, 12288},
		{32 << 10, 1 << 20, 1, 8, 512, 96},
		{32 << 10, 1 << 20, 2, 2, 1024, 192},
		{32 << 10, 1 << 20, 4, 1, 2048, 192},
		{48 << 10, 2 << 20, 32, 2, 3072, 96}, // a tile's whole rows a step
	} {
		f := &tiles{MR: 8, NR: 48, Lanes: 16, KStep: c.kstep, PackedBytes: c.packed}
		b := f.blocksFor(c.l1, c.l2)
		if b.KC != c.kc || b.NC != c.nc {
			t.Errorf("caches of %d and %d bytes, %d bytes an element: KC %d, NC %d; want %d, %d", c.l1, c.l2, c.packed, b.KC, b.NC, c.kc, c.nc)
		}
		if b.MC%f.MR != 0 || b.KC%f.KStep != 0 || b.NC%f.NR != 0 {
			t.Errorf("MC %d, KC %d, NC %d are not whole tiles", b.MC, b.KC, b.NC)
		}
	}
}

// TestBeginAndEndAreAroundEveryTile, once for each thread of a Run, in every form that threads share a product in.
func TestBeginAndEndAreAroundEveryTile(t *testing.T) {
	for _, s := range []Product{
		{M: 30, N: 600, K: 20}, {M: 600, N: 4, K: 20}, {M: 3, N: 600, K: 20}, {M: 8, N: 12, K: 10, Batch: 9}, {M: 1100, N: 4, K: 4},
	} {
		for _, contended := range []bool{false, true} {
			g, tiles := *goGEMM(t), *goGEMM(t).tiles
			g.tiles = &tiles
			const threads = 2
			p := NewPool(threads)
			p.watch.contended = contended
			var begun, ended, outside atomic.Int64
			tiles.Begin, tiles.End = func() { begun.Add(1) }, func() { ended.Add(1) }
			inside := func(tile func(t *tileArgs, rows, columns int)) func(t *tileArgs, rows, columns int) {
				return func(t *tileArgs, rows, columns int) {
					if begun.Load()%threads == 0 && begun.Load() == ended.Load() {
						outside.Add(1)
					}
					tile(t, rows, columns)
				}
			}
			tiles.Tile, tiles.Direct = inside(tiles.Tile), inside(tiles.Direct)
			multiply(t, &g, p, make([]float32, max(1, s.Batch)*s.M*s.N), make([]float32, max(1, s.Batch)*s.M*s.K), make([]float32, max(1, s.Batch)*s.K*s.N), s)
			p.Close()
			if b, e := begun.Load(), ended.Load(); b != threads || e != threads || outside.Load() != 0 {
				t.Errorf("%v, contended %v: begun %d times and ended %d, by %d threads; %d tiles outside", s, contended, b, e, threads, outside.Load())
			}
		}
	}
}
