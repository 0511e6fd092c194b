package main

import (
	"errors"
	"fmt"

	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/driver"
	"github.com/realflops/realflops/kernels/cuda/work"
)

// node is the machine as the vendor's libraries show it.
type node interface {
	welcome() worker.Welcome
	// open takes a device; the library is nil where the node has none, which the sentence says.
	open(id string) (device cuda.Device, library work.Library, noLibrary string, err error)
	// telemetry begins to read the device's sensors; the function waits a moment for what they
	// say, and no longer.
	telemetry() (collect func() worker.Telemetry)
	close() error
}

// backend speaks the protocol for one device of a node.
type backend struct {
	node
	site   *work.Site
	work   *work.Work
	startS float64 // of the next sample, since the first of the prepared case
}

func (b *backend) Hello() (worker.Welcome, *worker.Error) { return b.welcome(), nil }

func (b *backend) Open(r worker.OpenRequest) (worker.Opened, *worker.Error) {
	device, library, noLibrary, err := b.node.open(r.Device)
	if err != nil {
		return worker.Opened{}, failure(err)
	}
	site, jit, err := work.Open(device, library)
	if err != nil {
		return worker.Opened{}, failure(err)
	}
	b.site = site
	opened := worker.Opened{JIT: jit, NoLibrary: noLibrary}
	for _, o := range site.Offers() {
		opened.Offers = append(opened.Offers, worker.Offer(o))
	}
	if opened.LaunchS, err = site.LaunchSeconds(); err == nil {
		opened.FreeBytes, err = device.FreeBytes()
	}
	return opened, failure(err)
}

func (b *backend) Prepare(r worker.PrepareRequest) (worker.Prepared, *worker.Error) {
	if b.site == nil {
		return worker.Prepared{}, request("prepare comes after open")
	}
	if err := b.free(); err != nil {
		return worker.Prepared{}, failure(err)
	}
	c := work.Case{Engine: r.Engine, Data: string(r.Data), Seed: r.Seed, Cold: r.Cold}
	c.Kernel, c.Precision, c.Shape = r.Kernel, r.Precision, r.Shape
	w, err := b.site.Prepare(c)
	if err != nil {
		return worker.Prepared{}, failure(err)
	}
	b.work, b.startS = w, 0
	p := worker.Prepared{Engine: w.Engine, Note: w.Note, Threads: w.Threads, Sets: w.Sets(), Traffic: w.Traffic}
	if p.Checksum, err = w.Check(); err == nil { // a second pass must repeat the first
		p.PassS, err = w.Pass()
	}
	return p, failure(err)
}

func (b *backend) Sample(r worker.SampleRequest) (worker.Sampled, *worker.Error) {
	switch {
	case b.work == nil:
		return worker.Sampled{}, request("sample comes after prepare")
	case r.Passes < 1 || r.Samples < 1:
		return worker.Sampled{}, request("sample: %d passes and %d samples; want at least 1 of each", r.Passes, r.Samples)
	}
	s := worker.Sampled{}
	collect := func() worker.Telemetry { return worker.Telemetry{} }
	for i := range r.Samples {
		seconds, err := b.work.Time(r.Passes)
		if err != nil {
			return s, failure(err)
		}
		s.Samples = append(s.Samples, worker.Timed{StartS: b.startS, Seconds: seconds, Passes: r.Passes})
		b.startS += seconds
		if i == 0 { // from now on the device is at work
			collect = b.telemetry()
		}
	}
	s.Telemetry = collect()
	return s, nil
}

func (b *backend) Check() (string, *worker.Error) {
	if b.work == nil {
		return "", request("check comes after prepare")
	}
	checksum, err := b.work.Check()
	return checksum, failure(err)
}

func (b *backend) Release() *worker.Error { return failure(b.free()) }

func (b *backend) free() error {
	if b.work == nil {
		return nil
	}
	w := b.work
	b.work = nil
	return w.Free()
}

func (b *backend) Close() *worker.Error { return failure(errors.Join(b.free(), b.node.close())) }

func request(format string, args ...any) *worker.Error {
	return &worker.Error{Kind: worker.BadRequest, Text: fmt.Sprintf(format, args...)}
}

// failure says what an error means for whoever asked. What is neither known nor harmless is
// taken for a broken device: a new process is cheap.
func failure(err error) *worker.Error {
	if err == nil {
		return nil
	}
	e := &worker.Error{Kind: worker.Broken, Text: err.Error()}
	var wrong *work.WrongError
	var told *driver.DriverError
	if errors.As(err, &told) {
		e.Code = fmt.Sprintf("%s (%d)", told.Name, told.Code)
	}
	switch {
	case errors.As(err, &wrong):
		e.Kind = worker.Wrong
	case errors.As(err, &told) && told.Sticky():
	case errors.Is(err, cuda.ErrMemory):
		e.Kind = worker.NoMemory
	case errors.Is(err, work.ErrUnsupported):
		e.Kind = worker.Unsupported
	}
	return e
}
