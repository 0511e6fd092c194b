package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// HeartbeatEvery is how often a worker says that it lives while a request is in work.
const HeartbeatEvery = time.Second

// Backend works one device. Its methods are called one at a time, all from one goroutine
// that is locked to its thread, as vendors' interfaces bind a device to a thread. After a
// [Broken] error no method is called again.
type Backend interface {
	Hello() (Welcome, *Error) // Serve sets Welcome.Protocol
	Open(OpenRequest) (Opened, *Error)
	Prepare(PrepareRequest) (Prepared, *Error)
	Sample(SampleRequest) (Sampled, *Error)
	Check() (checksum string, err *Error)
	Release() *Error
	// Close leaves the device. It is called once after Open was, at the latest when the
	// requests end, unless the device broke.
	Close() *Error
}

// Serve carries out the requests of in, in their order, and writes their replies to out,
// until it has answered close, in ends, or ctx does. While a request is in work a heartbeat is
// written every so often, even if the backend never returns. What is no request is answered as a
// [BadRequest], a panic of the backend as [Broken] (its stack goes to stderr).
//
// The error says why in could not be read or out not be written, or is that of ctx. A read
// of in, or a backend's method, that is in progress when ctx ends is left behind or waited
// for, in this order.
func Serve(ctx context.Context, in io.Reader, out io.Writer, b Backend, heartbeat time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := server{backend: b, out: out, heartbeat: heartbeat}
	defer func() { _ = s.leave() }() // nobody is left to tell

	incoming := make(chan received)
	left := make(chan struct{})
	defer close(left)
	go read(in, incoming, left)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-incoming:
			var odd *errLine
			switch {
			case errors.Is(r.err, io.EOF):
				return nil
			case errors.As(r.err, &odd):
				if err := s.write(Reply{Type: Failed, Error: badRequest("%s", odd.text)}); err != nil {
					return err
				}
			case r.err != nil:
				return fmt.Errorf("requests cannot be read: %w", r.err)
			default:
				if done, err := s.serve(r.line); done || err != nil {
					return err
				}
			}
		}
	}
}

type received struct {
	line []byte
	err  error
}

// read hands on the lines of in until there are no more or nobody takes them.
func read(in io.Reader, to chan<- received, left <-chan struct{}) {
	l := newLines(in)
	for {
		line, err := l.next()
		select {
		case to <- received{line, err}:
		case <-left:
			return
		}
		var odd *errLine
		if err != nil && !errors.As(err, &odd) {
			return
		}
	}
}

type server struct {
	backend   Backend
	heartbeat time.Duration

	mu  sync.Mutex
	out io.Writer

	opened bool
	broken *Error
}

// serve answers one line, and reports whether it was the last to be answered.
func (s *server) serve(line []byte) (last bool, err error) {
	req, bad := parseRequest(line)
	if bad != nil {
		return false, s.write(Reply{Seq: req.Seq, Type: Failed, Error: bad})
	}
	stop := s.beat(req.Seq)
	reply := s.carryOut(req)
	stop()
	return req.Do == Close && reply.Type == Done, s.write(reply)
}

// write writes a reply as a whole line. One that cannot be a line is replaced by the reason.
func (s *server) write(reply Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &firstError{w: s.out}
	if err := writeLine(w, reply); err != nil && w.err == nil {
		err = writeLine(w, Reply{Seq: reply.Seq, Type: Failed, Error: &Error{Kind: Wrong, Text: err.Error()}})
		if err != nil {
			return err
		}
	}
	if w.err != nil {
		return fmt.Errorf("reply cannot be written: %w", w.err)
	}
	return nil
}

// firstError tells an error of the writer from one of what was to be written.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	f.err = err
	return n, err
}

// beat writes heartbeats of a request until the returned function is called, which waits for the last of them.
func (s *server) beat(seq int) (stop func()) {
	if s.heartbeat <= 0 {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(s.heartbeat)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				if s.write(Reply{Seq: seq, Type: Heartbeat}) != nil {
					return // the reply itself will tell
				}
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// carryOut calls the backend's method of the request and makes its reply.
func (s *server) carryOut(req Request) (reply Reply) {
	reply = Reply{Seq: req.Seq, Type: Done}
	if s.broken != nil && req.Do != Close {
		reply.Type, reply.Error = Failed, s.broken
		return reply
	}
	defer func() {
		if v := recover(); v != nil {
			debug.PrintStack()
			reply = Reply{Seq: req.Seq, Error: &Error{Kind: Broken, Text: fmt.Sprintf("the worker panicked in %s: %v", req.Do, v)}}
		}
		if reply.Error == nil {
			return
		}
		// A figure beside an error is none.
		reply = Reply{Seq: req.Seq, Type: Failed, Error: reply.Error}
		if reply.Error.Kind == Broken {
			s.broken = reply.Error
		}
	}()
	verbs[req.Do](s, req, &reply)
	return reply
}

// verbs say how each is carried out.
var verbs = map[Verb]func(*server, Request, *Reply){
	Hello: func(s *server, _ Request, r *Reply) {
		welcome, err := s.backend.Hello()
		welcome.Protocol = Version
		r.Hello, r.Error = &welcome, err
	},
	Open: func(s *server, req Request, r *Reply) {
		s.opened = true
		opened, err := s.backend.Open(*req.Open)
		r.Open, r.Error = &opened, err
	},
	Prepare: func(s *server, req Request, r *Reply) {
		prepared, err := s.backend.Prepare(*req.Prepare)
		r.Prepare, r.Error = &prepared, err
	},
	Sample: func(s *server, req Request, r *Reply) {
		sampled, err := s.backend.Sample(*req.Sample)
		r.Sample, r.Error = &sampled, err
	},
	Check:   func(s *server, _ Request, r *Reply) { r.Checksum, r.Error = s.backend.Check() },
	Release: func(s *server, _ Request, r *Reply) { r.Error = s.backend.Release() },
	Close:   func(s *server, _ Request, r *Reply) { r.Error = s.leave() },
}

// leave closes the device if it was opened and did not break.
func (s *server) leave() *Error {
	if !s.opened || s.broken != nil {
		return nil
	}
	s.opened = false
	return s.backend.Close()
}
