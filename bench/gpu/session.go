package gpu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
)

// fault is why a worker is of no more use: the code of the warning, and one sentence.
type fault struct{ code, text string }

func (f *fault) Error() string { return f.text }

// session is a running worker and what it said of itself.
type session struct {
	process   *process
	client    *worker.Client
	deadlines Deadlines
	welcome   worker.Welcome
	opened    worker.Opened
	greeted   bool // its heartbeats can be expected: it has answered hello
	unusable  bool // a request is unanswered, or was answered by a fault
}

// greet starts a worker and asks who it is. Where it fails after the start, the session is returned
// beside the error, for its process to be ended.
func greet(ctx context.Context, c Config) (*session, error) {
	p, err := c.start(c)
	if err != nil {
		return nil, err
	}
	s := &session{process: p, client: worker.NewClient(p.in, p.out), deadlines: c.Deadlines}
	reply, err := s.call(ctx, worker.Request{Do: worker.Hello}, 0)
	if err != nil {
		return s, err
	}
	s.greeted, s.welcome = true, *reply.Hello
	if c.Version != "" && s.welcome.Version != c.Version {
		return s, fmt.Errorf("worker %s is of version %s and this program of version %s: build both together with `make build`", c.Worker, s.welcome.Version, c.Version)
	}
	return s, nil
}

type answer struct {
	reply worker.Reply
	err   error
}

// call asks the worker and waits for its answer as long as the verb's deadline and expected,
// what the work itself should take at most, allow. An error is a [*fault] where the worker
// or its device failed, ctx's where that ended, and otherwise the worker's own.
func (s *session) call(ctx context.Context, req worker.Request, expected time.Duration) (worker.Reply, error) {
	answers, beats := make(chan answer, 1), make(chan struct{}, 1)
	go func() { // ends with the answer, or when the pipes of the process are closed
		reply, err := s.client.Do(req, func() {
			select {
			case beats <- struct{}{}:
			default: // one that was not looked at yet says as much
			}
		})
		answers <- answer{reply, err}
	}()
	limit := s.deadlines.Verbs[req.Do] + expected
	deadline, silence := time.NewTimer(limit), time.NewTimer(s.deadlines.Silence)
	defer deadline.Stop()
	defer silence.Stop()
	if !s.greeted {
		silence.Stop() // its libraries may take longer to load than any heartbeat
	}
	for {
		var why error
		select {
		case a := <-answers:
			return a.reply, s.judge(req.Do, a.err)
		case <-beats:
			silence.Reset(s.deadlines.Silence)
			continue
		case <-silence.C:
			why = s.fail(bench.Lost, "the worker has said nothing for %v during %s: it is stopped or dead", s.deadlines.Silence, req.Do)
		case <-deadline.C:
			why = s.fail(bench.TimedOut, "the worker lives but has not carried out %s within %v: its device or driver hangs", req.Do, limit.Round(time.Millisecond))
		case <-ctx.Done():
			why = ctx.Err()
		}
		s.unusable = true
		return worker.Reply{}, why
	}
}

// judge tells faults from refusals.
func (s *session) judge(verb worker.Verb, err error) error {
	var said *worker.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said) && said.Kind == worker.Broken:
		return s.fail(bench.Lost, "%s", sentence(said))
	case errors.As(err, &said):
		return said
	case !isEnd(err):
		return s.fail(bench.Lost, "during %s %v", verb, err)
	case s.process.ended(2 * time.Second): // its pipes end a moment before it does
		return s.fail(bench.Lost, "the worker ended during %s: %s", verb, s.process.how())
	}
	return s.fail(bench.Lost, "the worker closed its pipes during %s and did not end", verb)
}

// isEnd reports that the other end of a pipe is closed.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// fail makes a fault, with the last words of the worker.
func (s *session) fail(code, format string, args ...any) *fault {
	s.unusable = true
	text := fmt.Sprintf(format, args...)
	if words := s.process.words(); words != "" {
		text += fmt.Sprintf(" (its last words: %s)", words)
	}
	return &fault{code, text}
}

// sentence is a worker's error with the vendor's name for it.
func sentence(e *worker.Error) string {
	name, _, _ := strings.Cut(e.Code, " ")
	if strings.Contains(e.Text, name) { // "" too
		return e.Text
	}
	return fmt.Sprintf("%s: %s", e.Text, e.Code)
}

// leave ends a session: politely where the worker still answers, and else by signals. It
// reports false for a process that could not be ended.
func (s *session) leave(term time.Duration) bool {
	if !s.unusable {
		limit := s.deadlines.Verbs[worker.Close]
		if _, err := s.call(context.Background(), worker.Request{Do: worker.Close}, 0); err == nil {
			_ = s.process.in.Close()
			if s.process.ended(limit) {
				_ = s.process.out.Close()
				return true
			}
		}
	}
	return s.process.end(term, s.deadlines.Kill)
}

// List starts a worker, and asks it which devices there are. A machine without any is no
// error: Welcome.Problem says why. The error says why no worker could tell.
func List(ctx context.Context, c Config) (worker.Welcome, error) {
	c = c.withDefaults()
	s, err := greet(ctx, c)
	if s == nil {
		return worker.Welcome{}, err
	}
	ended := make(chan bool, 1)
	go func() { ended <- s.leave(min(c.Deadlines.Term, 2*time.Second)) }() // it works no device that would need longer
	select {
	case <-ended:
	case <-ctx.Done(): // the signals go on without us
	}
	if err != nil {
		return worker.Welcome{}, fmt.Errorf("devices cannot be listed: %w", err)
	}
	return s.welcome, nil
}
