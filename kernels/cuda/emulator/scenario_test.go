package emulator

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"testing"
)

// products runs count small products on ordinal's device, waiting after each, and is the codes of the
// waits, with the last result.
func (l *library) products(ordinal uint64, count int) (codes []int, result []byte) {
	l.t.Helper()
	ctx := ordinal + 1
	if code := l.code(opRetain, ordinal); code != 0 {
		return []int{code}, nil
	}
	const size = 64
	m := l.ptx(ctx, 50)
	f := l.word(opFunction, []byte("gemm_fp32_fp32"), ctx, m)
	var p [3]uint64
	for i := range p {
		p[i] = l.word(opAlloc, nil, ctx, 4*size*size)
		l.send(opMemset, nil, ctx, p[i], uint64(0x3f800000), size*size, 4)
	}
	for range count {
		l.send(opLaunch, nil, ctx, f, 1, 1, 1, 256, 1, 1, 0, p[0], p[1], p[2], size, size, size)
		code := l.code(opSynchronize, ctx)
		codes = append(codes, code)
		if code == 0 {
			result = l.must(opDownload, nil, ctx, p[0], 4*size*size)
		}
	}
	return codes, result
}

// allSixtyFour is the product of two matrices of ones.
var allSixtyFour = bytes.Repeat([]byte{0, 0, 0x80, 0x42}, 64*64)

func (l *library) ptx(ctx uint64, arch int) uint64 {
	l.t.Helper()
	return l.word(opLoad, ptx(l.t, arch), ctx)
}

func TestScenariosOfLaunches(t *testing.T) {
	for _, c := range []struct {
		scenario string
		codes    []int
	}{
		{"healthy", []int{0, 0, 0, 0}},
		{"error-700", []int{0, 0, 700, 700}},
		{"error-719", []int{0, 0, 719, 719}},
		{"error-214", []int{0, 0, 214, 214}},
		{"error-999", []int{0, 0, 999, 999}},
		{"slow-one", []int{0, 0, 0, 0}},
		{"busy", []int{0, 0, 0, 0}},
		{"mig", []int{0, 0, 0, 0}},
		{"clock-unknown", []int{0, 0, 0, 0}},
		{"old-arch", []int{0, 0, 0, 0}},
		{"new-arch", []int{0, 0, 0, 0}},
		{"exclusive", []int{46}},
		{"prohibited", []int{46}},
		{"vanished", []int{46}},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			l := start(t, "a100:"+c.scenario).connect(t, kindDriver)
			l.must(opInit, nil, 0)
			codes, result := l.products(0, len(c.codes))
			if !slices.Equal(codes, c.codes) {
				t.Errorf("codes %v, want %v", codes, c.codes)
			}
			if codes[0] == 0 && !bytes.Equal(result, allSixtyFour) {
				t.Error("the product is wrong")
			}
		})
	}
}

// A device that hangs answers nothing more to its process, and neither NVML nor the end of the node waits for it.
func TestHangHoldsItsProcessAlone(t *testing.T) {
	n := start(t, "a100:hang")
	l := n.connect(t, kindDriver)
	l.must(opInit, nil, 0)
	if codes, _ := l.products(0, 2); !slices.Equal(codes, []int{0, 0}) {
		t.Fatalf("codes %v before the hang", codes)
	}
	l.products(0, 0)
	m := l.ptx(ctx0, 50)
	f := l.word(opFunction, []byte("gemm_fp32_fp32"), ctx0, m)
	a := l.alloc(4)
	l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 256, 1, 1, 0, a, a, a, 1, 1, 1)
	l.send(opSynchronize, nil, ctx0)
	if err := l.w.Flush(); err != nil {
		t.Fatal(err)
	}
	waits := make(chan error, 1)
	go func() { _, err := l.r.ReadByte(); waits <- err }()
	// Another process, and NVML, are served meanwhile: only then is it seen whether the wait answered.
	v := n.connect(t, kindNvml)
	v.must(opNvmlInit, nil, 0)
	v.must(opNvmlQuery, nil, 0, queryPower, 0)
	other := n.connect(t, kindDriver)
	other.must(opInit, nil, 0)
	other.must(opRetain, nil, 0)
	other.must(opSynchronize, nil, ctx0)
	select {
	case err := <-waits:
		t.Fatalf("the wait answered: %v", err)
	default:
	}
	_ = l.conn.(*net.UnixConn).CloseWrite() // the process ends: so does the hang
	if err := <-waits; err == nil {
		t.Error("the wait answered in the end")
	}
}

func TestDeviceOffTheBus(t *testing.T) {
	n := start(t, "a100:off-bus")
	l := n.connect(t, kindDriver)
	l.must(opInit, nil, 0)
	v := n.connect(t, kindNvml)
	v.must(opNvmlInit, nil, 0)
	v.must(opNvmlQuery, nil, 0, queryClock, 1)
	codes, _ := l.products(0, 11)
	if want := append(make([]int, 9), 999, 999); !slices.Equal(codes, want) {
		t.Errorf("codes %v, want %v", codes, want)
	}
	if _, gone := l.call(opCount, nil, 0); !gone {
		t.Error("the connection is still there")
	}
	if code := v.code(opNvmlQuery, 0, queryClock, 1); code != nvmlLost {
		t.Errorf("NVML answers %d, want %d", code, nvmlLost)
	}
	next := n.connect(t, kindDriver)
	next.must(opInit, nil, 0)
	if code := next.code(opRetain, 0); code != errUnknown {
		t.Errorf("a new process opens it with code %d, want 999", code)
	}
}

func TestDeviceThatDoesNothing(t *testing.T) {
	l := start(t, "a100:does-nothing").connect(t, kindDriver)
	l.must(opInit, nil, 0)
	codes, result := l.products(0, 1)
	if codes[0] != 0 || !bytes.Equal(result, bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 64*64)) {
		t.Errorf("codes %v; want success, and the result as it was", codes)
	}
	f := l.word(opFunction, []byte("fma_fp32"), ctx0, l.ptx(ctx0, 50))
	p := l.alloc(8 * 256)
	s := l.seconds(func() { l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 256, 1, 1, 0, p, 1e9, 1) })
	if want := find1(t, "a100").LaunchS; !near(s, want, 1e-3) {
		t.Errorf("a launch takes %g s, want its overhead of %g", s, want)
	}
}

func TestOneFlippedBit(t *testing.T) {
	l := start(t, "a100:flipped-bit").connect(t, kindDriver)
	l.must(opInit, nil, 0)
	if _, result := l.products(0, 2); !bytes.Equal(result, allSixtyFour) {
		t.Error("the second product is wrong already")
	}
	for range 2 { // from the third on each
		_, result := l.products(0, 1)
		flipped := 0
		for i := range result {
			for d := result[i] ^ allSixtyFour[i]; d != 0; d &= d - 1 {
				flipped++
			}
		}
		if flipped != 1 {
			t.Errorf("%d bits are wrong, want 1", flipped)
		}
	}
}

func TestThreeOfEight(t *testing.T) {
	n := start(t, "a100:three-of-eight")
	if got := n.connect(t, kindDriver); got.code(opInit, 0) != 0 || got.word(opCount, nil, 0) != 8 {
		t.Fatal("not eight devices")
	}
	for i := range uint64(8) {
		l := n.connect(t, kindDriver)
		l.must(opInit, nil, 0)
		if i == 1 {
			if codes, _ := l.products(i, 2); !slices.Equal(codes, []int{0, 0}) {
				t.Errorf("device 1: codes %v before it hangs", codes)
			}
			continue // TestHangHoldsItsProcessAlone shows the rest
		}
		codes, result := l.products(i, 3)
		want := map[uint64][]int{4: {0, 0, 719}}[i]
		if want == nil {
			want = []int{0, 0, 0}
		}
		if !slices.Equal(codes, want) {
			t.Errorf("device %d: codes %v, want %v", i, codes, want)
		}
		if right := bytes.Equal(result, allSixtyFour); right != (i != 6) {
			t.Errorf("device %d: right result %v", i, right)
		}
	}
}

func TestSlowOneAndThrottles(t *testing.T) {
	fma := func(l *library, ctx uint64) func() float64 {
		l.must(opRetain, nil, ctx-1)
		f := l.word(opFunction, []byte("fma_fp32"), ctx, l.ptx(ctx, 50))
		out := l.word(opAlloc, nil, ctx, 1<<20)
		e1, e2 := l.word(opEventCreate, nil, ctx, 0), l.word(opEventCreate, nil, ctx, 0)
		return func() float64 {
			l.send(opEventRecord, nil, ctx, e1)
			l.send(opLaunch, nil, ctx, f, 108, 1, 1, 256, 1, 1, 0, out, 100000, 1)
			l.send(opEventRecord, nil, ctx, e2)
			l.must(opSynchronize, nil, ctx)
			return float64(binary.LittleEndian.Uint32(l.must(opEventElapsed, nil, ctx, e1, e2))) // order-preserving for positive floats
		}
	}
	n := start(t, "a100:slow-one")
	l := n.connect(t, kindDriver)
	l.must(opInit, nil, 0)
	if one, two := fma(l, 1)(), fma(l, 2)(); two <= one {
		t.Errorf("the slow device is not slower: %v, %v", one, two)
	}
	for _, c := range []struct {
		scenario string
		mask     uint64
		clock    float64
		celsius  uint64
	}{
		{"throttle-power", 0x4, 0.8, 0}, {"throttle-thermal", 0x20 | 0x8, 0.7, 91}, {"throttle-both", 0x4 | 0x20, 0.6, 88},
	} {
		n := start(t, "a100:"+c.scenario)
		l := n.connect(t, kindDriver)
		l.must(opInit, nil, 0)
		v := n.connect(t, kindNvml)
		run := fma(l, 1)
		burst := run() // 0.11 s of virtual time each
		clock := v.word(opNvmlQuery, nil, 0, queryClock, 1)
		if mask := v.word(opNvmlQuery, nil, 0, queryThrottle, 0); mask != 0 || clock != 1410 {
			t.Errorf("%s: at first reasons %#x at %d MHz", c.scenario, mask, clock)
		}
		for range 40 {
			run()
		}
		if sustained := run(); sustained <= burst {
			t.Errorf("%s: the sustained launch is not slower", c.scenario)
		}
		if mask := v.word(opNvmlQuery, nil, 0, queryThrottle, 0); mask != c.mask {
			t.Errorf("%s: reasons %#x, want %#x", c.scenario, mask, c.mask)
		}
		if got := v.word(opNvmlQuery, nil, 0, queryClock, 1); !near(float64(got), 1410*c.clock, 0.001) {
			t.Errorf("%s: %d MHz, want %g", c.scenario, got, 1410*c.clock)
		}
		if got := v.word(opNvmlQuery, nil, 0, queryTemperature, 0); c.celsius != 0 && got != c.celsius {
			t.Errorf("%s: %d °C, want %d", c.scenario, got, c.celsius)
		}
	}
}
