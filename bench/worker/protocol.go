// Package worker is the protocol between realflops and the process that works one device:
// JSON lines, a [Request] a line on the worker's standard input, a [Reply] a line on its standard output
// (docs/worker.md). It knows no vendor: a worker for other hardware speaks the same words.
//
// One worker works one device, answers one request at a time and holds no state beyond its
// process: whoever asks decides what to measure and for how long, and ends a worker that
// does not answer.
package worker

import (
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Version is the version of the protocol. A worker of another version is not used.
const Version = 1

// MaxLine is the longest line that either side reads, in bytes; a longer one is garbage.
const MaxLine = 1 << 20

// Verb is what a request asks for.
type Verb string

// The verbs, in the order in which they make sense.
const (
	Hello   Verb = "hello"   // who are you, and which devices are there
	Open    Verb = "open"    // take a device, load what runs on it
	Prepare Verb = "prepare" // allocate, fill and verify a case
	Sample  Verb = "sample"  // time passes of the prepared case
	Check   Verb = "check"   // run a pass on a spoilt output and compare it with the first
	Release Verb = "release" // free the prepared case
	Close   Verb = "close"   // leave the device and end
)

// Request is one line to a worker. Of the pointers the one of the verb is set, if it has one.
type Request struct {
	Seq     int             `json:"seq"`
	Do      Verb            `json:"do"`
	Open    *OpenRequest    `json:"open,omitempty"`
	Prepare *PrepareRequest `json:"prepare,omitempty"`
	Sample  *SampleRequest  `json:"sample,omitempty"`
}

// OpenRequest names the device to take.
type OpenRequest struct {
	Device string `json:"device"`
}

// PrepareRequest is the case to prepare.
type PrepareRequest struct {
	Kernel    kernels.Kernel    `json:"kernel"`
	Precision kernels.Precision `json:"precision"`
	Shape     kernels.Shape     `json:"shape"`
	Engine    string            `json:"engine"` // "" for the worker's first choice
	Data      bench.Data        `json:"data"`
	Seed      uint64            `json:"seed"`
	// Cold asks for operands that no pass finds in a cache: as many sets of them as it takes,
	// one after the other.
	Cold bool `json:"cold"`
}

// SampleRequest asks for samples of so many passes each, one after the other.
type SampleRequest struct {
	Passes  int `json:"passes"`
	Samples int `json:"samples"`
}

// ReplyType says what a reply is.
type ReplyType string

// The types of replies.
const (
	Done      ReplyType = "done"      // the request was carried out
	Failed    ReplyType = "failed"    // it was not: Error says why
	Heartbeat ReplyType = "heartbeat" // the worker lives, and the request is still in work
)

// Reply is one line from a worker. Of the pointers the one of the request's verb is set when
// it was carried out.
type Reply struct {
	Seq      int       `json:"seq"` // of the request it belongs to
	Type     ReplyType `json:"type"`
	Error    *Error    `json:"error,omitempty"`
	Hello    *Welcome  `json:"hello,omitempty"`
	Open     *Opened   `json:"open,omitempty"`
	Prepare  *Prepared `json:"prepare,omitempty"`
	Sample   *Sampled  `json:"sample,omitempty"`
	Checksum string    `json:"checksum,omitempty"` // of check
}

// ErrorKind says what an error means for whoever asked.
type ErrorKind string

// The kinds of errors.
const (
	BadRequest  ErrorKind = "request"     // the request makes no sense; nothing was done
	Unsupported ErrorKind = "unsupported" // this device or engine cannot do it; others can be asked
	NoMemory    ErrorKind = "memory"      // the device's memory does not suffice
	Wrong       ErrorKind = "wrong"       // the device computed something wrong
	Broken      ErrorKind = "broken"      // the device or its driver failed: this process is of no more use
)

// Error is why a request was not carried out.
type Error struct {
	Kind ErrorKind `json:"kind"`
	Code string    `json:"code,omitempty"` // the vendor's name and number: "CUDA_ERROR_LAUNCH_FAILED (719)"
	Text string    `json:"text"`           // one sentence
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Welcome answers hello.
type Welcome struct {
	Protocol int      `json:"protocol"`
	Version  string   `json:"version"`  // of the worker program
	Backend  string   `json:"backend"`  // the vendor's interface: cuda
	Runtime  string   `json:"runtime"`  // version of the driver: "12.4"; "" if there is none
	Emulated bool     `json:"emulated"` // the devices are not real: nothing of theirs was measured
	Problem  string   `json:"problem"`  // one sentence why there is no device; "" where there are
	Absent   []string `json:"absent"`   // what the driver lacks, by name
	Devices  []Device `json:"devices"`
}

// Device is one device as its driver describes it. Unknown figures are nil.
type Device struct {
	ID           string   `json:"id"`    // UUID
	Model        string   `json:"model"` // as the driver names it
	Architecture string   `json:"architecture"`
	Bus          string   `json:"bus"`   // PCI address: 0000:3b:00.0
	Units        int      `json:"units"` // multiprocessors
	MemoryBytes  int64    `json:"memory_bytes"`
	CacheBytes   int64    `json:"cache_bytes"` // last level; 0 if unknown
	MaxClockHz   *float64 `json:"max_clock_hz"`
	PowerLimitW  *float64 `json:"power_limit_w"`
	Partitioned  *bool    `json:"partitioned"` // a part of a device, or one that is cut into parts
	Exclusive    *bool    `json:"exclusive"`   // one process at a time
	Prohibited   *bool    `json:"prohibited"`  // no process at all may compute on it
	Processes    *int     `json:"processes"`   // that compute on it, apart from the worker
	Utilization  *float64 `json:"utilization"` // share of the last second in which it was at work
}

// Opened answers open.
type Opened struct {
	FreeBytes int64   `json:"free_bytes"`
	Offers    []Offer `json:"offers"`
	JIT       string  `json:"jit"`        // a sentence where the driver compiled the kernels, as no form of them was made for the device
	NoLibrary string  `json:"no_library"` // a sentence where the vendor's library, which frameworks use, was not found
	LaunchS   float64 `json:"launch_s"`   // seconds from one empty launch to the next, back to back; 0 if unknown
}

// Offer is a kernel that the device can run at a precision by an engine. Several offers of
// one kernel and precision are in order of preference.
type Offer struct {
	Kernel      kernels.Kernel    `json:"kernel"`
	Precision   kernels.Precision `json:"precision"`
	Engine      string            `json:"engine"`
	Instruction string            `json:"instruction"` // that the measured loop is made of, or the library's version
}

// Prepared answers prepare: the output of one pass was right.
type Prepared struct {
	Engine   string  `json:"engine"`
	Note     string  `json:"note"`     // convention: layouts, output type, algorithm, instruction
	PassS    float64 `json:"pass_s"`   // what one pass took, by the device's clock
	Threads  int     `json:"threads"`  // fma: device threads that each do the shape's multiply-adds
	Sets     int     `json:"sets"`     // of operands that the passes go through
	Checksum string  `json:"checksum"` // of the first pass's output
	Traffic  float64 `json:"traffic"`  // bytes that one pass must move, once each
}

// Sampled answers sample.
type Sampled struct {
	Samples   []Timed   `json:"samples"`
	Telemetry Telemetry `json:"telemetry"`
}

// Timed is one sample. StartS counts from the first sample of the prepared case.
type Timed struct {
	StartS  float64 `json:"start_s"`
	Seconds float64 `json:"seconds"`
	Passes  int     `json:"passes"`
}

// Telemetry is what the device's sensors said during the samples; nil is unknown.
type Telemetry struct {
	ClockHz      *float64 `json:"clock_hz"`
	PowerW       *float64 `json:"power_w"`
	TemperatureC *float64 `json:"temperature_c"`
	// Throttle names what held the clock down, nil if unknown: power_cap, hw_slowdown,
	// sw_thermal, hw_thermal, power_brake, sync_boost, applications_clocks.
	Throttle []string `json:"throttle"`
	Problem  string   `json:"problem"` // one sentence why figures are missing
}
