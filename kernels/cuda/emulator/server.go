package emulator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// hostBudget is how much memory of the host all devices of a node may take together.
const hostBudget = 2 << 30

// server is a node that is up.
type server struct {
	Node
	devices []*device
	runner  *runner

	mu        sync.Mutex
	hostBytes int64
	greeted   int // connections of drivers that called cuInit
}

// session is one connection, which is one library of one process.
type session struct {
	*server
	ctx     context.Context
	conn    net.Conn
	kind    int
	visible []*device // of a driver, by ordinal
	up      bool      // cuInit was called
	work    map[uint64]*process
	ended   bool // the device fell off the bus: the connection ends without an answer
}

// Serve answers the libraries of any number of processes until the context ends, and waits for their
// connections to end. It closes the listener. The error is of the listener.
func Serve(ctx context.Context, l net.Listener, n Node) error {
	s := newServer(n)
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			_ = l.Close()
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("emulator: %w", err)
		}
		all.Go(func() { s.serve(ctx, conn) })
	}
}

func newServer(n Node) *server {
	s := &server{Node: n}
	for i, c := range n.Cards {
		s.devices = append(s.devices, newDevice(c, i, n.Scenario.rule(i)))
	}
	s.runner = &runner{log: s.logf, counts: map[content]ptxvm.Counts{}, values: map[content]*valueTable{}}
	return s
}

func (s *server) logf(format string, args ...any) {
	if s.Log != nil {
		s.Log(fmt.Sprintf(format, args...))
	}
}

// serve answers one connection to its end.
func (s *server) serve(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer func() { _ = conn.Close() }()
	c := &session{server: s, ctx: ctx, conn: conn, work: map[uint64]*process{}}
	defer c.release()
	r, w := bufio.NewReaderSize(conn, 1<<16), bufio.NewWriterSize(conn, 1<<16)
	for !c.ended {
		q, err := readRequest(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && ctx.Err() == nil {
				s.logf("a connection ends: %v", err)
			}
			return
		}
		a := c.answer(q)
		if _, err := io.Copy(io.Discard, q.data); err != nil || c.ended {
			return
		}
		if unanswered[q.op] {
			continue
		}
		if err := writeAnswer(w, a); err != nil {
			return
		}
	}
}

// answer carries a request out.
func (c *session) answer(q request) answer {
	if c.kind == 0 {
		if q.op != opHello {
			c.ended = true
			return answer{}
		}
		return c.hello(q)
	}
	if c.kind == kindNvml {
		return c.nvml(q)
	}
	if h, ok := driverHandlers[q.op]; ok {
		return h(c, q)
	}
	h, ok := processHandlers[q.op]
	if !ok {
		return code(errNotFound)
	}
	p := c.work[q.word(contextWord(q.op))]
	if p == nil {
		return code(errInvalidContext)
	}
	return p.answer(q, h)
}

func (c *session) hello(q request) answer {
	kind, version := q.word(0), q.word(1)
	visible, err := q.body()
	if err != nil || version != protocol || kind != kindDriver && kind != kindNvml {
		c.logf("a library of another version speaks (kind %d, protocol %d); want protocol %d", kind, version, protocol)
		return code(errUnknown)
	}
	c.kind = int(kind)
	c.visible = c.devices
	if q.word(3) != 0 {
		c.visible = visibleDevices(c.devices, string(visible))
	}
	return answer{}
}

// visibleDevices is what CUDA_VISIBLE_DEVICES leaves: indices or (beginnings of) UUIDs up to the
// first that is none.
func visibleDevices(all []*device, list string) []*device {
	var out []*device
	for _, word := range strings.Split(list, ",") {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(all, func(d *device) bool {
			return word == strconv.Itoa(d.index) || len(word) > 4 && strings.HasPrefix(uuidText(d.uuid), word)
		})
		if i < 0 || slices.Contains(out, all[i]) {
			return out
		}
		out = append(out, all[i])
	}
	return out
}

// hang waits until the process or the node ends: nothing that it sends is heard.
func (c *session) hang() {
	c.ended = true
	_, _ = io.Copy(io.Discard, c.conn)
}

// takeHost reserves memory of this host for bytes of a device's, or gives it back.
func (s *server) takeHost(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes > 0 && s.hostBytes+bytes > hostBudget {
		s.logf("out of memory: %d bytes more would be over the %d bytes of this host's memory that an emulated node may take; the emulated device has more", bytes, int64(hostBudget))
		return false
	}
	s.hostBytes += bytes
	return true
}

// release gives back what the process held when it ends.
func (c *session) release() {
	for _, p := range c.work {
		p.end()
	}
}
