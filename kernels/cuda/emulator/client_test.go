package emulator

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

// node is a node that is up for a test, and what it logged.
type node struct {
	socket string
	mu     sync.Mutex
	log    []string
}

func start(t *testing.T, text string) *node {
	t.Helper()
	n, err := ParseNode(text)
	if err != nil {
		t.Fatal(err)
	}
	return serveNode(t, n)
}

func serveNode(t *testing.T, n Node) *node {
	t.Helper()
	up := &node{socket: filepath.Join(t.TempDir(), "s")}
	n.Log = func(s string) {
		up.mu.Lock()
		defer up.mu.Unlock()
		up.log = append(up.log, s)
	}
	l, err := net.Listen("unix", up.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, n) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return up
}

func (n *node) logged(part string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(n.log, "\n"), part)
}

// library is a connection as shim/transport.c makes it.
type library struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

func (n *node) connect(t *testing.T, kind uint64, visible ...string) *library {
	t.Helper()
	conn, err := net.Dial("unix", n.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	l := newLibrary(t, conn)
	given := uint64(len(visible))
	l.must(opHello, []byte(strings.Join(visible, "")), kind, protocol, 1, given)
	return l
}

func newLibrary(t *testing.T, conn net.Conn) *library {
	return &library{t, conn, bufio.NewReader(conn), bufio.NewWriter(conn)}
}

// driver is a connection on which cuInit succeeded and device 0 is retained.
func (n *node) driver(t *testing.T) *library {
	t.Helper()
	l := n.connect(t, kindDriver)
	l.must(opInit, nil, 0)
	l.must(opRetain, nil, 0)
	return l
}

// send writes a request.
func (l *library) send(o op, data []byte, words ...uint64) {
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, uint32(o))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(words)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	_, _ = l.w.Write(b) // the flush tells
	_, _ = l.w.Write(data)
}

// call makes a request and is its answer; gone says that the connection ended instead.
func (l *library) call(o op, data []byte, words ...uint64) (a answer, gone bool) {
	l.t.Helper()
	l.send(o, data, words...)
	if unanswered[o] {
		return answer{}, false
	}
	if l.w.Flush() != nil {
		return answer{}, true
	}
	var header [16]byte
	if _, err := io.ReadFull(l.r, header[:]); err != nil {
		return answer{}, true
	}
	a.code = int(int32(binary.LittleEndian.Uint32(header[:])))
	a.data = make([]byte, binary.LittleEndian.Uint64(header[8:]))
	if _, err := io.ReadFull(l.r, a.data); err != nil {
		return answer{}, true
	}
	return a, false
}

func (l *library) code(o op, words ...uint64) int {
	l.t.Helper()
	a, gone := l.call(o, nil, words...)
	if gone {
		return errUnknown // as the shim says it
	}
	return a.code
}

func (l *library) must(o op, data []byte, words ...uint64) []byte {
	l.t.Helper()
	a, gone := l.call(o, data, words...)
	if gone || a.code != 0 {
		l.t.Fatalf("request %d %v: code %d, gone %v: %s", o, words, a.code, gone, a.data)
	}
	return a.data
}

func (l *library) word(o op, data []byte, words ...uint64) uint64 {
	l.t.Helper()
	b := l.must(o, data, words...)
	if len(b) < 8 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

const ctx0 = 1 // the context of device 0

func (l *library) alloc(bytes int) uint64 {
	l.t.Helper()
	return l.word(opAlloc, nil, ctx0, uint64(bytes))
}

// launch launches an entry of a module.
func (l *library) launch(module uint64, launch cuda.Launch) {
	l.t.Helper()
	f := l.word(opFunction, []byte(launch.Entry), ctx0, module)
	if launch.Shared > 48<<10 {
		l.must(opSetFunctionAttribute, nil, ctx0, f, functionDynamic, uint64(launch.Shared))
	}
	l.enqueue(f, launch)
}

func (l *library) enqueue(f uint64, launch cuda.Launch) {
	l.send(opLaunch, nil, append([]uint64{ctx0, f, uint64(launch.Grid), 1, 1, uint64(launch.Block), 1, 1, uint64(launch.Shared)}, launch.Params...)...)
}

// seconds is what the device's clock says that enqueue took.
func (l *library) seconds(enqueue func()) float64 {
	l.t.Helper()
	from, to := l.word(opEventCreate, nil, ctx0, 0), l.word(opEventCreate, nil, ctx0, 0)
	l.send(opEventRecord, nil, ctx0, from)
	enqueue()
	l.send(opEventRecord, nil, ctx0, to)
	l.must(opSynchronize, nil, ctx0)
	ms := math.Float32frombits(uint32(l.word(opEventElapsed, nil, ctx0, from, to)))
	return float64(ms) / 1000
}

// load loads the PTX of the kernels for a compute capability.
func (l *library) load(arch int) uint64 {
	l.t.Helper()
	return l.word(opLoad, ptx(l.t, arch), ctx0)
}

// ptx is the text of the kernels for a compute capability.
func ptx(t *testing.T, arch int) []byte {
	t.Helper()
	image, err := cuda.PTX(arch)
	if err != nil {
		t.Fatal(err)
	}
	return image.Data
}
