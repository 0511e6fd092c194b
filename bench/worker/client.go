package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Client asks one worker, one request at a time. It knows no time: whoever uses it closes
// the pipes of a worker that does not answer, which ends Do.
type Client struct {
	in  io.Writer
	out *lines
	seq int
}

// NewClient speaks to the worker whose standard input and output these are.
func NewClient(in io.Writer, out io.Reader) *Client { return &Client{in: in, out: newLines(out)} }

// Do sends the request, with the next Seq, and returns its reply; beat is called for every
// heartbeat until then. A request that the worker refused or failed at is a [*Error]. Every
// other error is one sentence about what the worker did in place of answering, io.EOF where it
// wrote nothing more: it is not to be asked again.
func (c *Client) Do(req Request, beat func()) (Reply, error) {
	c.seq++
	req.Seq = c.seq
	unasked := writeLine(c.in, req)
	for {
		reply, err := c.read() // what a worker that takes no more said at last is worth more than that
		switch {
		case unasked != nil && (err == nil || errors.Is(err, io.EOF)):
			return Reply{}, fmt.Errorf("the worker takes no request: %w", unasked)
		case err != nil:
			return Reply{}, err
		case reply.Seq != req.Seq:
			return Reply{}, fmt.Errorf("the worker answered request %d where %d was asked", reply.Seq, req.Seq)
		case reply.Type == Heartbeat:
			beat()
		case reply.Type == Failed && reply.Error != nil:
			return Reply{}, reply.Error
		case reply.Type == Done:
			return reply, reply.answers(req)
		default:
			return Reply{}, fmt.Errorf("the worker sent a reply of type %q without what belongs to it", reply.Type)
		}
	}
}

func (c *Client) read() (Reply, error) {
	line, err := c.out.next()
	var odd *errLine
	switch {
	case errors.As(err, &odd):
		return Reply{}, fmt.Errorf("the worker wrote %w", odd)
	case err != nil:
		return Reply{}, err
	}
	var reply Reply
	if err := json.Unmarshal(line, &reply); err != nil {
		return Reply{}, fmt.Errorf("the worker wrote what is no reply: %s: %w", excerpt(line), err)
	}
	return reply, nil
}

// answers says what a reply lacks to be one to req.
func (r Reply) answers(req Request) error {
	switch req.Do {
	case Hello:
		if r.Hello == nil {
			break
		}
		if r.Hello.Protocol != Version {
			return fmt.Errorf("the worker speaks version %d of the protocol and this program version %d: build both together", r.Hello.Protocol, Version)
		}
		return nil
	case Open:
		if r.Open != nil {
			return nil
		}
	case Prepare:
		if r.Prepare != nil {
			return r.Prepare.check()
		}
	case Sample:
		if r.Sample != nil {
			return r.Sample.check(*req.Sample)
		}
	case Check:
		if r.Checksum != "" {
			return nil
		}
	default:
		return nil
	}
	return fmt.Errorf("the worker answered %s without what belongs to it", req.Do)
}

// check refuses what no device can have done: a pass without time, or no checksum.
func (p Prepared) check() error {
	if !positive(p.PassS) || p.Checksum == "" || p.Engine == "" || p.Threads < 0 || !(p.Traffic >= 0) || math.IsInf(p.Traffic, 0) {
		return fmt.Errorf("the worker prepared an impossible case: a pass of %g s by engine %q, %d threads, %g bytes, checksum %q", p.PassS, p.Engine, p.Threads, p.Traffic, p.Checksum)
	}
	return nil
}

// check refuses samples that are not those that were asked for, or took no time.
func (s Sampled) check(req SampleRequest) error {
	if len(s.Samples) != req.Samples {
		return fmt.Errorf("the worker sent %d samples where %d were asked", len(s.Samples), req.Samples)
	}
	last := math.Inf(-1)
	for i, t := range s.Samples {
		if !positive(t.Seconds) || t.Passes != req.Passes || !(t.StartS >= last) || math.IsInf(t.StartS, 0) {
			return fmt.Errorf("the worker sent an impossible sample %d: %d passes in %g s from %g s on, where %d passes were asked", i, t.Passes, t.Seconds, t.StartS, req.Passes)
		}
		last = t.StartS
	}
	return nil
}

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 0) }
