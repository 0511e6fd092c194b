package emulator

import (
	"bytes"
	"fmt"
	"net"
	"testing"
)

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
