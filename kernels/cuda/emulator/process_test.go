package emulator

import (
	"encoding/binary"
	"net"
	"testing"
)

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

func TestPinnedCopiesStayWithinTheirMemory(t *testing.T) {
	l := start(t, "a100").driver(t)
	id := l.word(opPin, nil, ctx0, 4096)
	p := l.alloc(8192)
	for _, c := range []struct {
		id, offset, n uint64
		want          int
	}{
		{id, 0, 4096, 0},
		{id, 4000, 96, 0},
		{id, 4000, 97, 1},
		{id, 0, 4097, 1},
		{id, 1 << 63, 1, 1},
		{id, ^uint64(0), 2, 1},
		{id + 1, 0, 1, 1},
	} {
		for _, o := range []op{opUploadPinned, opDownloadPinned} {
			l.send(o, nil, ctx0, p, c.id, c.offset, c.n)
			if code := l.code(opSynchronize, ctx0); code != c.want {
				t.Errorf("request %d of %d bytes at %d: code %d, want %d", o, c.n, c.offset, code, c.want)
			}
		}
	}
	l.must(opUnpin, nil, ctx0, id)
	if code := l.code(opUnpin, ctx0, id); code != errInvalidValue {
		t.Errorf("a second time given back: code %d, want 1", code)
	}
	if code := l.code(opPin, ctx0, 3<<30); code != errOutOfMemory {
		t.Errorf("3 GiB: code %d, want 2", code)
	}
}
