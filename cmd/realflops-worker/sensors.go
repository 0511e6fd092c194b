package main

import (
	"time"

	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels/cuda/driver"
)

// sensorsWait is how long a reading is waited for: a healthy driver takes milliseconds.
const sensorsWait = 100 * time.Millisecond

// sensors reads a device's telemetry in a goroutine of its own, because a driver that hangs
// takes every call with it. While a reading is not back, no other is begun.
type sensors struct {
	read    func() (driver.Telemetry, error) // may hang
	pending chan reading                     // of the reading in progress; nil: none
	wait    func() <-chan time.Time
}

type reading struct {
	driver.Telemetry
	err error
}

func newSensors(read func() (driver.Telemetry, error)) *sensors {
	return &sensors{read: read, wait: func() <-chan time.Time { return time.After(sensorsWait) }}
}

// begin starts a reading; collect waits for it.
func (s *sensors) begin() (collect func() worker.Telemetry) {
	if s.pending == nil {
		answer := make(chan reading, 1)
		go func() {
			t, err := s.read()
			answer <- reading{t, err}
		}()
		s.pending = answer
	}
	return s.collect
}

func (s *sensors) collect() worker.Telemetry {
	select {
	case r := <-s.pending:
		s.pending = nil
		return r.reply()
	case <-s.wait():
		return worker.Telemetry{Problem: "the driver's management library does not answer"}
	}
}

func (r reading) reply() worker.Telemetry {
	t := worker.Telemetry{ClockHz: r.SMClockHz, PowerW: r.PowerW, TemperatureC: r.TemperatureC}
	if r.ThrottleReasons != nil {
		t.Throttle = append([]string{}, driver.ReasonNames(*r.ThrottleReasons)...)
	}
	if r.err != nil {
		t.Problem = r.err.Error()
	}
	return t
}
