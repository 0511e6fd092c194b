package gpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/bench/worker"
)

// refusal is why nothing is measured on a device any more.
type refusal struct{ *fault }

// Code is the warning that an error of [Runner.Open] stands for: lost, timed_out, busy,
// quarantined; "" where the device is well, and only cannot be measured by this version.
func Code(err error) string {
	var stopped *refusal
	var lost *fault
	switch {
	case errors.As(err, &stopped):
		return stopped.code
	case errors.As(err, &lost):
		return lost.code
	}
	return ""
}

// try calls f with a session until f does not lose it, at most so many times, and returns
// the faults before the last call. The error is a [*refusal] where the
// device is given up or was before, the last [*fault], that of ctx, or f's own.
func (r *Runner) try(ctx context.Context, times int, f func(*session) error) (before []*fault, err error) {
	for {
		if r.refused != nil {
			return before, &refusal{r.refused}
		}
		s, err := r.connect(ctx)
		if err == nil {
			err = f(s)
		}
		if s != nil && s.unusable {
			r.end(ctx)
		}
		var lost *fault
		if !errors.As(err, &lost) {
			return before, err
		}
		r.count(lost)
		if times--; times == 0 || r.refused != nil || ctx.Err() != nil {
			return before, lost
		}
		before = append(before, &fault{lost.code, "the attempt before failed, and a new worker was started: " + lost.text})
	}
}

// count counts a lost worker, and gives the device up where that was one too many.
func (r *Runner) count(lost *fault) {
	r.lost++
	r.config.Log(fmt.Sprintf("%s (%s): worker %d of at most %d was lost: %s", r.device.ID, r.device.Model, r.lost, mostLost, lost.text))
	if r.lost >= mostLost && r.refused == nil {
		r.refused = &fault{lost.code, fmt.Sprintf("%d workers on this device were lost, and no other is started; the last: %s", r.lost, lost.text)}
	}
}

// connect returns the session, or starts one. A session is returned beside an error too where
// its process runs.
func (r *Runner) connect(ctx context.Context) (*session, error) {
	if r.session != nil {
		return r.session, nil
	}
	s, err := greet(ctx, r.config)
	if r.session = s; err != nil {
		return s, r.refuse(err)
	}
	r.emulated = s.welcome.Emulated
	at := slices.IndexFunc(s.welcome.Devices, func(d worker.Device) bool { return d.ID == r.device.ID })
	if at < 0 {
		return s, r.giveUp(&fault{bench.Lost, fmt.Sprintf("device %s is not there any more: %s", r.device.ID, others(s.welcome))})
	}
	if !r.seen { // later its processes may be those of workers that were lost
		r.seen, r.device = true, s.welcome.Devices[at]
		if doubt := r.doubtful(); doubt != nil {
			return s, r.giveUp(doubt)
		}
	}
	reply, err := s.call(ctx, worker.Request{Do: worker.Open, Open: &worker.OpenRequest{Device: r.device.ID}}, 0)
	if err != nil {
		return s, r.refuse(err)
	}
	s.opened, r.opened = *reply.Open, reply.Open
	return s, nil
}

// others says in half a sentence which devices there are.
func others(w worker.Welcome) string {
	switch {
	case w.Problem != "":
		return w.Problem
	case len(w.Devices) == 0:
		return "the worker knows of none"
	}
	text := "the worker knows of"
	for _, d := range w.Devices {
		text += " " + d.ID
	}
	return text
}

// refuse gives the device up for an error that another worker would not mend: one that is
// neither a fault nor ctx's.
func (r *Runner) refuse(err error) error {
	var lost *fault
	if errors.As(err, &lost) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var said *worker.Error
	if errors.As(err, &said) {
		err = errors.New(sentence(said))
	}
	return r.giveUp(&fault{"", err.Error()}) // no fault of the device: no warning has a word for it
}

// giveUp ends the worker: nothing more is measured.
func (r *Runner) giveUp(why *fault) error {
	r.refused = why
	r.end(context.Background())
	return &refusal{why}
}

// end ends the worker, if there is one, and waits for that until ctx ends. A worker that cannot
// be ended puts its device into quarantine.
func (r *Runner) end(ctx context.Context) {
	s := r.session
	if s == nil {
		return
	}
	r.session = nil
	ended := make(chan bool, 1)
	r.endings.Go(func() {
		ok := s.leave(r.config.Deadlines.Term)
		if !ok {
			r.confine()
		}
		ended <- ok
	})
	select {
	case ok := <-ended:
		if !ok && r.refused == nil {
			r.refused = &fault{bench.Quarantined, stuck}
		}
	case <-ctx.Done():
		r.abandoned = true
	}
}

const stuck = "a worker on it could not be ended, not even by SIGKILL: its driver holds it"

func (r *Runner) confine() {
	r.config.Log(fmt.Sprintf("%s (%s) is in quarantine until the next boot: %s", r.device.ID, r.device.Model, stuck))
	if err := r.config.quarantine(r.device.ID, stuck, time.Now()); err != nil {
		r.config.Log(err.Error())
	}
}
