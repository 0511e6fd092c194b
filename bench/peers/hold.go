package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/realflops/realflops/kernels/cpu"
)

// row is one contender against another at one job.
type row struct {
	Kernel    string `json:"kernel"`
	Precision string `json:"precision"`
	Shape     string `json:"shape"`
	Threads   int    `json:"threads"`
	Sets      int    `json:"sets"`   // copies of the weights that calls go round
	Who       string `json:"who"`    // realflops, but where a peer is held against itself
	Engine    string `json:"engine"` // of realflops
	Peer      string `json:"peer"`   // whom it is held against
	Unit      string `json:"unit"`   // of ours and peer
	versus
	OfLimit *versus `json:"of_limit,omitempty"` // the same against Limit
	Limit   string  `json:"limit,omitempty"`    // the loop of ours that bounds the work in most rounds
	conditions
}

// conditions are what ours met in the rounds.
type conditions struct {
	ClockHz   *float64 `json:"clock_hz,omitempty"`
	Preempted bool     `json:"preempted"` // others took a good part of our CPU time
}

// skip is a comparison that was not made.
type skip struct {
	Case   string `json:"case"`
	Why    string `json:"why"`
	Failed bool   `json:"failed"` // something is wrong, not merely absent
}

// arena is where contests are held: everything that lives as long as the number of threads is the same.
type arena struct {
	threads int
	pool    *cpu.Pool
	cpus    []int // that our threads are pinned to
	keep    keep
	loops   map[string]*ours // ceilings, with their data
	dir     string           // of servers
	servers map[string]*server
	absent  map[string]error // servers that could not be started
	length  length
	// deadline is how long a server may take for a burst, and for the data of a new spec.
	deadline time.Duration
}

func newArena(threads int, dir string, l length) *arena {
	return &arena{
		threads: threads, pool: cpu.NewPool(threads), cpus: pinned(threads), dir: dir, loops: map[string]*ours{},
		servers: map[string]*server{}, absent: map[string]error{}, length: l, deadline: patience,
	}
}

// pinned are the CPUs for so many threads: none for one thread, which the system moves to where it is best off, and none where
// threads outnumber the CPUs or these cannot be told.
func pinned(threads int) []int {
	host, err := cpu.Host()
	if err != nil {
		return nil
	}
	if order := host.Order(); threads > 1 && threads <= len(order) {
		return order[:threads]
	}
	return nil
}

func (a *arena) close() error {
	a.keep.drop()
	for _, l := range a.loops {
		l.drop()
	}
	a.pool.Close()
	var errs []error
	for _, s := range a.servers {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// server is the running server of a peer, started where there is none or the last one broke.
func (a *arena) server(name string) (*server, error) {
	if err := a.absent[name]; err != nil {
		return nil, err
	}
	if s := a.servers[name]; s != nil {
		if s.broken == nil {
			return s, nil
		}
		delete(a.servers, name)
		if err := s.close(); err != nil {
			return nil, err
		}
	}
	for _, p := range peers {
		if p.name == name {
			s, err := p.start(a.dir, a.threads, a.deadline)
			if err != nil {
				a.absent[name] = err
				return nil, err
			}
			a.servers[name] = s
			return s, nil
		}
	}
	return nil, fmt.Errorf("no peer is called %q", name)
}

// enter makes the entrants of a job: ours first.
func (a *arena) enter(j job) (us *ours, entrants []*entrant, skipped []skip) {
	us = &ours{pool: a.pool, engine: j.Engine, cpus: a.cpus, keep: &a.keep}
	entrants = append(entrants, newEntrant(self, us, j.spec, a.threads))
	for _, r := range j.Rivals {
		name, s := r.name(j.spec), r.spec(j.spec)
		if r.Peer == self {
			entrants = append(entrants, newEntrant(name, &ours{pool: a.pool, engine: r.Engine, cpus: a.cpus, keep: &a.keep}, s, a.threads))
			continue
		}
		server, err := a.server(r.Peer)
		if err != nil {
			skipped = append(skipped, skipOf(j, name, err))
			continue
		}
		e := newEntrant(name, server, s, a.threads)
		e.rounds = r.Rounds
		entrants = append(entrants, e)
	}
	return us, entrants, skipped
}

func skipOf(j job, who string, err error) skip {
	var r *refusal
	why := err.Error()
	if errors.As(err, &r) {
		why = r.why
	}
	return skip{Case: fmt.Sprintf("%s: %s", j, who), Why: why, Failed: r == nil}
}

// hold lets the contenders of a job meet.
func (a *arena) hold(j job) (rows []row, skipped []skip, err error) {
	us, entrants, skipped := a.enter(j)
	field := entrants
	if j.Beside {
		s, err := startSpinner()
		if err != nil {
			return nil, nil, err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		for _, e := range entrants {
			beside := *e
			beside.around = s.meanwhile
			if o, ok := e.who.(*ours); ok {
				// A pool of its own, which the busy process is beside whenever it works: as where that stays.
				own := &ours{pool: cpu.NewPool(a.threads), engine: o.engine, cpus: a.cpus, keep: &keep{}}
				defer own.pool.Close()
				defer own.drop()
				beside.who = own
			}
			field = append(field, &beside)
		}
	}
	limits := a.ceilings(j)
	for _, c := range limits {
		field = append(field, c.entrant)
	}
	defer func() {
		for _, e := range entrants {
			if o, ok := e.who.(*ours); ok {
				o.drop()
			}
		}
	}()
	l := a.length
	if j.Beside {
		l.burst *= 5 // the two share a CPU by time slices
	}
	start := time.Now()
	l.elapsed = func() time.Duration { return time.Since(start) }
	meet(field, l)

	for _, e := range field {
		if e.failed != nil {
			skipped = append(skipped, skipOf(j, e.name, e.failed))
		}
	}
	if us.work == nil || entrants[0].failed != nil {
		return nil, skipped, nil
	}
	base := row{
		Kernel: string(j.Kernel), Precision: string(j.Precision), Shape: j.Shape.String(), Threads: j.Threads, Sets: j.Sets,
		Who: self, Engine: us.work.impl.Engine, Unit: entrants[0].unit, conditions: us.conditions(a.threads),
	}
	if j.Beside {
		return besideRows(base, field, len(entrants), a.threads), skipped, nil
	}
	base.OfLimit, base.Limit = share(entrants[0], limits)
	for _, e := range entrants[1:] {
		if e.failed == nil {
			r := base
			r.Peer, r.versus = e.name, compare(entrants[0].rates, e.rates)
			rows = append(rows, r)
		}
	}
	return rows, skipped, nil
}

// besideRows holds each of n entrants beside the busy process, which follow them in the field, against itself alone, and
// ours beside it against the others there.
func besideRows(base row, field []*entrant, n, threads int) []row {
	var rows []row
	for i, e := range field[:n] {
		beside := field[n+i]
		if e.failed != nil || beside.failed != nil {
			continue
		}
		r := base
		if o, ok := beside.who.(*ours); ok {
			r.conditions = o.conditions(threads)
		}
		r.Who, r.Peer, r.versus = e.name+besideBusy, e.name, compare(beside.rates, e.rates)
		rows = append(rows, r)
		if i > 0 {
			r.Who, r.Peer, r.versus = self+besideBusy, e.name+besideBusy, compare(field[n].rates, beside.rates)
			rows = append(rows, r)
		}
	}
	return rows
}

// besideBusy is what names say of who works beside a busy process.
const besideBusy = " beside a busy process"

// run holds the contests of one number of threads, and adds them to r.
func (a *arena) run(r *report, jobs []job, progress io.Writer) error {
	for i, j := range jobs {
		fmt.Fprintf(progress, "%d/%d %s\n", i+1, len(jobs), j)
		rows, skipped, err := a.hold(j)
		if err != nil {
			return err
		}
		r.Rows, r.Skipped = append(r.Rows, rows...), append(r.Skipped, skipped...)
	}
	for name, s := range a.servers {
		r.Peers[name] = s.about
	}
	return nil
}
