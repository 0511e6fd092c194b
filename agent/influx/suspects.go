package influx

import (
	"context"
	"fmt"
	"slices"

	"github.com/realflops/realflops/agent/store"
)

// suspect is a line that was refused by itself while nothing had been delivered yet: it may be
// at fault, or the whole request is (an organisation that is missing, a gateway in between).
type suspect struct {
	entry   store.Entry
	refused error
}

const (
	// maxAlike is how many suspects, refused in the same words, are taken for a fault of
	// the request rather than of the lines.
	maxAlike = 8
	// maxRefusals bounds the search for lines at fault in one batch. It makes at most
	// twice as many requests, and finds about half as many lines.
	maxRefusals = 200
)

// suspect adds a suspect and settles what can be: as soon as something was delivered, or the
// server has different words for different lines, it is the lines. It returns what is left of todo.
func (d *drain) suspect(ctx context.Context, s suspect, todo [][]store.Entry) ([][]store.Entry, error) {
	d.suspects = append(d.suspects, s)
	switch {
	case d.report.Delivered > 0:
		return todo, d.rejectSuspects(ctx)
	case len(d.suspects) < maxAlike:
		return todo, nil
	case d.alike():
		return d.probe(ctx, todo)
	}
	return todo, d.rejectSuspects(ctx)
}

// judgeSuspects settles the suspects at the end of a batch. One by itself tells nothing of the request.
func (d *drain) judgeSuspects(ctx context.Context) error {
	if len(d.suspects) > 1 && d.alike() {
		_, err := d.probe(ctx, nil)
		return err
	}
	return d.rejectSuspects(ctx)
}

// alike reports whether all suspects were refused in the same words.
func (d *drain) alike() bool {
	return !slices.ContainsFunc(d.suspects, func(s suspect) bool { return s.refused.Error() != d.suspects[0].refused.Error() })
}

// probe tells lines at fault from a request at fault by the newest line of the outbox: if the
// server takes that, the suspects are rejected and the search goes on with the rest of todo; if not,
// everything stays. So points that are refused alike for their age do not block the outbox.
func (d *drain) probe(ctx context.Context, todo [][]store.Entry) ([][]store.Entry, error) {
	newest, err := d.outbox.Newest(ctx)
	if err != nil {
		return nil, err
	}
	atFault := fmt.Errorf("every point is refused alike, so the request is at fault: %w", d.suspects[0].refused)
	if slices.ContainsFunc(d.suspects, func(s suspect) bool { return s.entry.ID == newest.ID }) {
		return nil, d.leave(ctx, atFault)
	}
	refused, err := d.send(ctx, []store.Entry{newest})
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, d.leave(ctx, atFault)
	}
	for i, batch := range todo { // it may have been in this batch
		todo[i] = slices.DeleteFunc(slices.Clone(batch), func(e store.Entry) bool { return e.ID == newest.ID })
	}
	todo = slices.DeleteFunc(todo, func(batch []store.Entry) bool { return len(batch) == 0 })
	return todo, d.delivered(ctx, []store.Entry{newest})
}

// leave lets everything stay in its place: the outbox is read again after a while, or the
// drain ends. Tries that the server answered reset d.failures, so the wait grows with d.left.
func (d *drain) leave(ctx context.Context, trouble error) error {
	d.suspects = nil
	d.failures = d.left
	d.left++
	return d.pause(ctx, trouble, hold)
}

// rejectSuspects moves the suspects to the rejected ones, with the server's message.
func (d *drain) rejectSuspects(ctx context.Context) error {
	for ; len(d.suspects) > 0; d.suspects = d.suspects[1:] {
		s := d.suspects[0]
		d.Log.Warn("InfluxDB refuses a point; it is kept among the rejected ones", "error", s.refused, "line", s.entry.Line)
		if err := d.outbox.Reject(context.WithoutCancel(ctx), s.entry.ID, s.refused.Error()); err != nil {
			return err
		}
		d.report.Rejected++
		d.left = 0
	}
	return nil
}
