// Package bench says how a measurement is made and what it yields: the suites, the
// stopping rule, the statistics and the result with its doubts. It knows no device:
// bench/cpu runs kernels on a CPU, and later packages beside it on other devices.
package bench

import (
	"time"

	"github.com/realflops/realflops/kernels"
)

// Result is one measurement: a kernel at a precision and shape on a device, by an
// engine. It is what `--json` prints and what is stored and pushed; unknown figures
// are nil (null in JSON), never 0. Units: FLOP/s, elements/s, bytes/s, Hz, W, °C, s.
type Result struct {
	Time        time.Time         `json:"time"`         // when measuring began
	Device      string            `json:"device"`       // stable id of the device
	DeviceModel string            `json:"device_model"` // "AMD EPYC 9354"
	Kernel      kernels.Kernel    `json:"kernel"`
	Precision   kernels.Precision `json:"precision"`
	Engine      string            `json:"engine"`
	Shape       kernels.Shape     `json:"shape"`
	Threads     int               `json:"threads,omitempty"` // of the CPU; 0 for other devices
	Data        Data              `json:"data"`
	Level       string            `json:"level"` // where the working set lies: register, l1, l2, l3, memory, bus (between host and device)

	// Placement names the part of a CPU that was measured on its own: "node0-node1" is threads on memory node 0 and their
	// operands on node 1, "core:atom" is threads on cores of that kind alone. It is "" where threads and memory are best
	// put, which is where each thread's memory is on its own node.
	Placement string `json:"placement,omitempty"`

	FlopPerS      *float64 `json:"flop_per_s"` // median of the sustained samples
	FlopPerSLo    *float64 `json:"flop_per_s_lo"`
	FlopPerSHi    *float64 `json:"flop_per_s_hi"` // 95% order-statistic interval of the median
	FlopPerSBurst *float64 `json:"flop_per_s_burst"`

	ElementsPerS      *float64 `json:"elements_per_s"`
	ElementsPerSLo    *float64 `json:"elements_per_s_lo"`
	ElementsPerSHi    *float64 `json:"elements_per_s_hi"`
	ElementsPerSBurst *float64 `json:"elements_per_s_burst"`

	BytesPerS      *float64 `json:"bytes_per_s"`
	BytesPerSLo    *float64 `json:"bytes_per_s_lo"`
	BytesPerSHi    *float64 `json:"bytes_per_s_hi"`
	BytesPerSBurst *float64 `json:"bytes_per_s_burst"`

	// TrafficBytesPerS is, of a bandwidth kernel in memory on a CPU, what crosses the memory bus: an ordinary store
	// fetches the line that it overwrites.
	TrafficBytesPerS *float64 `json:"traffic_bytes_per_s,omitempty"`

	OfLimit     *float64 `json:"of_limit"`     // of the register-only limit measured in this run
	OfDatasheet *float64 `json:"of_datasheet"` // of the datasheet's peak

	ClockHz       *float64 `json:"clock_hz"` // core clock measured beside the samples
	PowerW        *float64 `json:"power_w"`
	TemperatureC  *float64 `json:"temperature_c"`
	ThrottleShare *float64 `json:"throttle_share"`

	// Where several devices ran the case at the same time.
	Together int      `json:"together,omitempty"` // how many
	OfAlone  *float64 `json:"of_alone,omitempty"` // the rate over that of this device alone in this run

	N        int      `json:"n"`         // samples in the interval
	Seconds  float64  `json:"seconds"`   // time measured, without set-up and warm-up
	PlateauS *float64 `json:"plateau_s"` // time until the rate was steady
	Checksum string   `json:"checksum"`  // of the output, compared with the first pass of this data

	Note     string    `json:"note,omitempty"` // convention of the engine: layouts, output, algorithm, instruction
	Bound    Bound     `json:"bound"`
	Status   Status    `json:"status"`
	Error    string    `json:"error,omitempty"` // why Status is failed
	Warnings []Warning `json:"warnings"`        // never nil
}

// Spec is what was measured.
func (r Result) Spec() kernels.Spec {
	return kernels.Spec{Kernel: r.Kernel, Precision: r.Precision, Shape: r.Shape}
}

// Bound is what limits a kernel, by the roofline of the run it stands in.
type Bound string

// The bounds.
const (
	ComputeBound   Bound = "compute"
	BandwidthBound Bound = "bandwidth"
	LatencyBound   Bound = "latency"
	UnknownBound   Bound = "unknown"
)

// Status says whether the figures of a result stand.
type Status string

// The statuses. A failed result keeps its identity and says why in Error.
const (
	OK     Status = "ok"
	Failed Status = "failed"
)

// Data is what fills the operands. All of it is deterministic from a seed.
type Data string

// The kinds of data. Constant is 1, uniform is [-1, 1), randn has mean 0 and variance 1.
const (
	Randn    Data = "randn"
	Uniform  Data = "uniform"
	Zeros    Data = "zeros"
	Constant Data = "constant"
)

// Warning is a code from the table in docs/warnings.md, with what was seen.
type Warning struct {
	Code string `json:"code"` // noisy, preempted, ...
	Text string `json:"text"` // one sentence with the figures
}

// Overhead is a fixed cost beside the work itself, in seconds.
type Overhead struct {
	Name    string  `json:"name"` // dispatch (an empty call of the thread pool, an empty launch), timer
	Device  string  `json:"device"`
	Threads int     `json:"threads,omitempty"` // of the CPU; 0 for other devices
	Seconds float64 `json:"seconds"`           // median
	Lo      float64 `json:"seconds_lo"`
	Hi      float64 `json:"seconds_hi"`
}
