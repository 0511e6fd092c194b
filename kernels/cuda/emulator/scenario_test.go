package emulator

import (
	"bytes"
	"encoding/binary"
	"fmt"
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

func TestErrorIsOfTheProcessNotOfTheDevice(t *testing.T) {
	n := start(t, "a100:error-719")
	l := n.connect(t, kindDriver)
	l.must(opInit, nil, 0)
	l.products(0, 3)
	for _, o := range []op{opSynchronize, opAlloc, opMemoryInfo, opEventCreate} {
		if code := l.code(o, ctx0, 64); code != 719 {
			t.Errorf("request %d after the error answers %d, want 719", o, code)
		}
	}
	next := n.connect(t, kindDriver)
	next.must(opInit, nil, 0)
	next.must(opRetain, nil, 0)
	next.alloc(64)
}

func TestInitScenarios(t *testing.T) {
	for scenario, want := range map[string]int{"init-803": 803, "init-100": 100, "healthy": 0} {
		l := start(t, "t4:"+scenario).connect(t, kindDriver)
		if code := l.code(opCount); code != errNotInitialized {
			t.Errorf("%s: count before cuInit answers %d", scenario, code)
		}
		if code := l.code(opInit, 0); code != want {
			t.Errorf("%s: cuInit answers %d, want %d", scenario, code, want)
		}
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

func TestMemoryScenarios(t *testing.T) {
	info := func(l *library) (free, total uint64) {
		b := l.must(opMemoryInfo, nil, ctx0)
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	}
	l := start(t, "a100:oom").driver(t)
	if free, _ := info(l); free < 1<<30 {
		t.Errorf("oom: %d bytes are said to be free", free)
	}
	l.alloc(48 << 20)
	if code := l.code(opAlloc, ctx0, 32<<20); code != errOutOfMemory {
		t.Errorf("oom: the 80th MiB answers %d, want 2", code)
	}
	l.alloc(8 << 20) // it goes on

	l = start(t, "a100:small-memory").driver(t)
	free, total := info(l)
	if total != 256<<20 || free >= total {
		t.Errorf("small-memory: %d of %d bytes free", free, total)
	}
	p := l.alloc(int(free))
	if code := l.code(opAlloc, ctx0, 1); code != errOutOfMemory {
		t.Errorf("small-memory: a byte too many answers %d, want 2", code)
	}
	l.must(opFree, nil, ctx0, p)
	l.alloc(int(free))

	n := start(t, "a100")
	l = n.driver(t)
	if code := l.code(opAlloc, ctx0, 3<<30); code != errOutOfMemory || !n.logged("of this host's memory") {
		t.Errorf("3 GiB answer %d, log %q; want 2 and a sentence", code, n.log)
	}
	if code := l.code(opAlloc, ctx0, 1<<63); code != errOutOfMemory {
		t.Errorf("2^63 bytes answer %d, want 2", code)
	}
}

// What a process held is free again when it ends.
func TestMemoryOfAnEndedProcessIsFree(t *testing.T) {
	n := start(t, "a100:small-memory")
	l := n.driver(t)
	b := l.must(opMemoryInfo, nil, ctx0)
	free := int(binary.LittleEndian.Uint64(b))
	l.alloc(free)
	_ = l.conn.(*net.UnixConn).CloseWrite()
	if _, err := l.r.ReadByte(); err == nil { // the server's end of it: the process is released then
		t.Fatal("an answer without a request")
	}
	n.driver(t).alloc(free)
}

func TestDeviceThatDoesNothing(t *testing.T) {
	l := start(t, "a100:does-nothing").connect(t, kindDriver)
	l.must(opInit, nil, 0)
	codes, result := l.products(0, 1)
	if codes[0] != 0 || !bytes.Equal(result, bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 64*64)) {
		t.Errorf("codes %v; want success, and the result as it was", codes)
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

func TestImages(t *testing.T) {
	cubin := append([]byte("\x7fELF"), make([]byte, 60)...)
	for _, c := range []struct {
		node  string
		image []byte
		want  int
	}{
		{"a100", cubin, errNoBinary},
		{"a100", nil, errInvalidImage},
		{"a100", []byte(".target sm_80\n"), errInvalidPTX},
		{"a100", []byte(".version 7.0\n.target sm_80\nnonsense"), errInvalidPTX},
		{"a100", []byte(".version 8.8\n.target sm_80\n.address_size 64\n"), errPTXVersion},
		{"a100", ptx(t, 80), 0},
		{"v100", ptx(t, 80), errInvalidPTX},
		{"a100:new-arch", ptx(t, 80), 0},
		{"a100:old-arch", ptx(t, 70), errInvalidPTX},
		{"a100:ancient-arch", ptx(t, 50), errInvalidPTX},
		{"a100:old-driver", ptx(t, 50), errPTXVersion},
	} {
		l := start(t, c.node).driver(t)
		a, gone := l.call(opLoad, c.image, ctx0)
		if gone || a.code != c.want {
			t.Errorf("%s, %.20q: code %d, want %d (%s)", c.node, c.image, a.code, c.want, a.data)
		}
		if c.want == errInvalidPTX || c.want == errPTXVersion {
			if len(a.data) == 0 {
				t.Errorf("%s, %.20q: no log", c.node, c.image)
			}
		}
	}
}

func TestPTXVersionsOfDrivers(t *testing.T) {
	for driver, want := range map[int]int{8000: 50, 9000: 60, 10000: 63, 10020: 65, 11000: 70, 11080: 78, 12000: 80, 12040: 84, 12050: 85, 12060: 85, 12080: 87, 12090: 88, 13000: 90} {
		if got := knownPTX(driver); got != want {
			t.Errorf("driver %d knows PTX %d, want %d", driver, got, want)
		}
	}
}

func TestMisuseIsToldAsCUDATellsIt(t *testing.T) {
	n := start(t, "a100")
	for _, c := range []struct {
		name string
		do   func(l *library, f, p uint64)
		want int
	}{
		{"operand that is not allocated", func(l *library, f, p uint64) {
			l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 256, 1, 1, 0, p, 4096, 8)
		}, 700},
		{"operand too short", func(l *library, f, p uint64) {
			l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 256, 1, 1, 0, p, p, 1<<20)
		}, 700},
		{"grid in y", func(l *library, f, p uint64) {
			l.send(opLaunch, nil, ctx0, f, 1, 2, 1, 256, 1, 1, 0, p, p, 8)
		}, 1},
		{"block too large", func(l *library, f, p uint64) {
			l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 2048, 1, 1, 0, p, p, 8)
		}, 701},
		{"too much shared memory", func(l *library, f, p uint64) {
			l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 256, 1, 1, 50<<10, p, p, 8)
		}, 1},
		{"a parameter too few", func(l *library, f, p uint64) {
			l.send(opLaunch, nil, ctx0, f, 1, 1, 1, 256, 1, 1, 0, p, p)
		}, 1},
		{"no function", func(l *library, _, p uint64) {
			l.send(opLaunch, nil, ctx0, 99, 1, 1, 1, 256, 1, 1, 0, p, p, 8)
		}, 400},
		{"memset beyond the end", func(l *library, _, p uint64) {
			l.send(opMemset, nil, ctx0, p, 0, 65, 1)
		}, 1},
		{"event that is none", func(l *library, _, _ uint64) { l.send(opEventRecord, nil, ctx0, 77) }, 400},
	} {
		l := n.driver(t)
		f := l.word(opFunction, []byte("relu_fp32"), ctx0, l.ptx(ctx0, 50))
		p := l.alloc(64)
		c.do(l, f, p)
		if code := l.code(opSynchronize, ctx0); code != c.want {
			t.Errorf("%s: code %d, want %d", c.name, code, c.want)
		}
		after := 0
		if c.want == 700 {
			after = 700
		}
		if code := l.code(opSynchronize, ctx0); code != after {
			t.Errorf("%s: the next call answers %d, want %d", c.name, code, after)
		}
	}
	if !n.logged("operand 1 of relu_fp32") {
		t.Errorf("the log does not name the operand: %q", n.log)
	}
}

func TestVisibleDevices(t *testing.T) {
	n := start(t, "a100x3")
	second := uuidText(uuid(find1(t, "a100"), 1))
	for _, c := range []struct {
		list string
		want []int
	}{{"0,2", []int{0, 2}}, {"2,0", []int{2, 0}}, {second, []int{1}}, {second[:12] + ", 0", []int{1, 0}}, {"1,7,0", []int{1}}, {"-1", nil}, {"", nil}} {
		l := n.connect(t, kindDriver, c.list)
		code := l.code(opInit, 0)
		if c.want == nil {
			if code != errNoDevice {
				t.Errorf("%q: cuInit answers %d, want 100", c.list, code)
			}
			continue
		}
		if got := int(l.word(opCount, nil, 0)); got != len(c.want) {
			t.Errorf("%q: %d devices, want %v", c.list, got, c.want)
			continue
		}
		for ordinal, index := range c.want {
			if got := string(l.must(opPCI, nil, uint64(ordinal))); got != fmt.Sprintf("0000:%02x:00.0", 0x10+index) {
				t.Errorf("%q: ordinal %d is at %s, want device %d", c.list, ordinal, got, index)
			}
		}
	}
}

func TestVanishedDeviceIsListedOnce(t *testing.T) {
	n := start(t, "a100:vanished")
	first := n.connect(t, kindDriver)
	first.must(opInit, nil, 0)
	if got := first.word(opCount, nil, 0); got != 1 {
		t.Errorf("the first process sees %d devices", got)
	}
	if code := n.connect(t, kindDriver).code(opInit, 0); code != errNoDevice {
		t.Errorf("cuInit of the second process answers %d, want 100", code)
	}
}

// Whatever comes over the socket, the next connection is served.
func TestGarbageEndsItsConnectionAlone(t *testing.T) {
	n := start(t, "a100")
	for _, garbage := range [][]byte{
		[]byte("GET / HTTP/1.1\r\n\r\n0123456789"),
		bytes.Repeat([]byte{0xff}, 64),
		{1, 0, 0, 0},
		append([]byte{99, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 8)...),
	} {
		conn, err := net.Dial("unix", n.socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(garbage)
		_ = conn.(*net.UnixConn).CloseWrite()
		if got, _ := conn.Read(make([]byte, 1)); got != 0 {
			t.Errorf("%q was answered", garbage)
		}
		_ = conn.Close()
	}
	l := n.connect(t, kindDriver)
	for o := range op(100) { // every request, without its words, before cuInit and after
		if !unanswered[o] && o != opHello {
			l.call(o, nil)
		}
	}
	l.must(opInit, nil, 0)
	for o := range op(100) {
		if !unanswered[o] && o != opHello {
			l.call(o, nil)
		}
		l.call(o, []byte{1}, ctx0, 1<<63, 1<<63, 1<<63, 1<<63, 1<<63)
	}
	n.driver(t).alloc(64)
}

func TestOtherVersionOfTheProtocolIsRefused(t *testing.T) {
	n := start(t, "a100")
	conn, err := net.Dial("unix", n.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	l := newLibrary(t, conn)
	if code := l.code(opHello, kindDriver, protocol+1, 1, 0); code != errUnknown || !n.logged("protocol") {
		t.Errorf("code %d, log %q", code, n.log)
	}
}
