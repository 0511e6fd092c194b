// Package calibrate turns the results of a run into a profile: per device and
// precision the register-only limit, the GEMM curve over shapes, activation and
// bandwidth curves over sizes, and the fixed overheads, each with its interval. A
// profile answers "how fast would this shape run here" by interpolation. It measures
// nothing and never extrapolates silently: a question outside the measured range
// is answered with the nearest edge and says so.
package calibrate

import (
	"time"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Schema names the version of the profile's JSON form (docs/profile.md).
const Schema = "realflops-profile/1"

// Profile is what calibration makes of a run.
type Profile struct {
	Schema  string    `json:"schema"`
	Run     string    `json:"run"`  // id of the run it was made from
	Host    string    `json:"host"` // id of the host
	Created time.Time `json:"created"`
	Devices []Device  `json:"devices"`
}

// Figure is a measured value with its interval, in SI units.
type Figure struct {
	Value float64 `json:"value"`
	Lo    float64 `json:"lo"`
	Hi    float64 `json:"hi"`
}

// Device is one device's calibration. Curves are sorted by their size.
type Device struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"` // cpu or gpu
	Model string `json:"model"`

	Limits      []Limit     `json:"limits"`
	GEMM        []GEMMCurve `json:"gemm"`
	Products    []GEMMCurve `json:"products,omitempty"` // transposed, batched, and with weights packed ahead
	Elementwise []Curve     `json:"elementwise"`        // activations and rowwise kernels: elements/s over elements
	Bandwidth   []Curve     `json:"bandwidth"`          // copy, triad and the like: bytes/s over elements
	Latency     []Curve     `json:"latency,omitempty"`  // pointer chase: loads/s over cache lines
	Overheads   []Overhead  `json:"overheads"`

	// Warnings are those of the results that the curves were made from, one for each code.
	Warnings []bench.Warning `json:"warnings"`
}

// Limit is the register-only multiply-add rate, FLOP/s.
type Limit struct {
	Precision kernels.Precision `json:"precision"`
	Threads   int               `json:"threads,omitempty"` // of a CPU
	Engine    string            `json:"engine"`
	FlopPerS  Figure            `json:"flop_per_s"`
}

// GEMMCurve is the measured GEMM rate over shapes at one precision and thread count.
type GEMMCurve struct {
	Kernel    kernels.Kernel    `json:"kernel,omitempty"` // "" is gemm
	Precision kernels.Precision `json:"precision"`
	Threads   int               `json:"threads,omitempty"` // of a CPU
	Points    []GEMMPoint       `json:"points"`
}

// GEMMPoint is one measured shape; where several engines ran it, the fastest.
type GEMMPoint struct {
	Shape    kernels.Shape `json:"shape"`
	Engine   string        `json:"engine"`
	FlopPerS Figure        `json:"flop_per_s"`
}

// Curve is a rate over sizes for one kernel, precision and thread count.
type Curve struct {
	Kernel    kernels.Kernel    `json:"kernel"`
	Precision kernels.Precision `json:"precision"`
	Threads   int               `json:"threads,omitempty"` // of a CPU
	Points    []Point           `json:"points"`
}

// Point is one size of a Curve. N counts elements, Bytes the working set; Rate is
// elements/s for activations and bytes/s for bandwidth.
type Point struct {
	N      int     `json:"n"`
	Bytes  float64 `json:"bytes"`
	Level  string  `json:"level"`
	Engine string  `json:"engine"`
	Rate   Figure  `json:"rate"`
}

// Overhead is a fixed cost in seconds: dispatch (an empty call of the thread pool), timer.
type Overhead struct {
	Name    string `json:"name"`
	Threads int    `json:"threads,omitempty"` // of a CPU
	Seconds Figure `json:"seconds"`
}
