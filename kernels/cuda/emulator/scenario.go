package emulator

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
)

// Scenario says what is wrong with a node. Its files are scenarios/*.json; docs/emulator.md
// describes them.
type Scenario struct {
	Name    string `json:"name"`
	Purpose string `json:"purpose"` // one line
	Cards   int    `json:"cards"`   // how many the node has at least; 0 is 1

	InitError     int    `json:"init_error"`     // of cuInit
	DriverVersion int    `json:"driver_version"` // 12080 is CUDA 12.8, the default
	NVML          string `json:"nvml"`           // "" works, absent, hang

	Rules []Rule `json:"rules"`
}

// Rule is what is wrong with some of a node's devices.
type Rule struct {
	Devices []int `json:"devices"` // by index; none is all

	Arch        int     `json:"arch"`         // another compute capability than the card's
	ClockFactor float64 `json:"clock_factor"` // of the card's clock; 0 is 1
	MemoryBytes int64   `json:"memory_bytes"` // in all; 0 is the card's
	AllocBytes  int64   `json:"alloc_bytes"`  // beyond so many, allocations fail though more is said to be free

	Throttle *Throttle `json:"throttle"`
	Fault    *Fault    `json:"fault"`

	ClockUnknown bool    `json:"clock_unknown"` // to NVML
	MIG          bool    `json:"mig"`
	ComputeMode  string  `json:"compute_mode"` // "" default, exclusive, prohibited
	Processes    int     `json:"processes"`    // of others that compute on it
	Utilization  float64 `json:"utilization"`  // by them
	Vanishes     bool    `json:"vanishes"`     // listed to the first process alone, and never opened
}

// Throttle holds the clock down once the device was under load for AfterS of its own seconds.
type Throttle struct {
	AfterS       float64  `json:"after_s"`
	ClockFactor  float64  `json:"clock_factor"`
	Reasons      []string `json:"reasons"`
	TemperatureC float64  `json:"temperature_c"` // 0 leaves it to the load
	AtLimit      bool     `json:"at_limit"`      // draws what its limit allows
}

// Fault strikes launches of the kernels whose names match.
type Fault struct {
	Kind   string `json:"kind"`   // error, hang, bus, nothing, flip
	Code   int    `json:"code"`   // of error
	Kernel string `json:"kernel"` // a pattern (path.Match); "" is *. A product by the library is lt_gemm_fp16_fp32
	After  int    `json:"after"`  // the first of the matching launches that is struck, from 1
	Times  int    `json:"times"`  // how many are; 0 is all from there on
}

// The kinds of faults.
const (
	faultError   = "error"   // the launch fails with a code, which every later call of the process repeats
	faultHang    = "hang"    // whatever waits for the launch waits for ever
	faultBus     = "bus"     // the device falls off the bus: the connection ends, NVML says that it is lost
	faultNothing = "nothing" // the launch succeeds and does nothing
	faultFlip    = "flip"    // one bit of the result is wrong
)

var faultKinds = []string{faultError, faultHang, faultBus, faultNothing, faultFlip}

// throttleReasons are NVML's bits by name.
var throttleReasons = map[string]uint64{
	"applications_clocks": 0x2, "power_cap": 0x4, "hw_slowdown": 0x8, "sync_boost": 0x10,
	"sw_thermal": 0x20, "hw_thermal": 0x40, "power_brake": 0x80,
}

const reasonIdle = 0x1

// computeModes are the driver's numbers.
var computeModes = map[string]int{"": 0, "prohibited": 2, "exclusive": 3}

// Scenarios lists the scenarios, by name.
func Scenarios() []Scenario {
	s, err := load[Scenario]("scenarios")
	if err != nil {
		panic(err) // a test loads every file
	}
	return s
}

func (s Scenario) check(file string) error {
	switch {
	case s.Name != file || s.Purpose == "":
		return fmt.Errorf("scenario %q: want the name %q and a purpose", s.Name, file)
	case s.NVML != "" && s.NVML != "absent" && s.NVML != "hang":
		return fmt.Errorf("nvml %q: want absent or hang", s.NVML)
	case s.DriverVersion != 0 && s.DriverVersion < 6000:
		return fmt.Errorf("driver_version %d: want 12080 for 12.8", s.DriverVersion)
	}
	for i, r := range s.Rules {
		if err := r.check(max(s.Cards, 1)); err != nil {
			return fmt.Errorf("rule %d: %w", i, err)
		}
	}
	return nil
}

func (r Rule) check(cards int) error {
	for _, d := range r.Devices {
		if d < 0 || d >= cards {
			return fmt.Errorf("device %d of a node of %d cards", d, cards)
		}
	}
	if _, ok := computeModes[r.ComputeMode]; !ok {
		return fmt.Errorf("compute_mode %q: want exclusive or prohibited", r.ComputeMode)
	}
	if r.ClockFactor < 0 || r.ClockFactor > 1 || r.Utilization < 0 || r.Utilization > 1 {
		return errors.New("clock_factor and utilization are shares of 1")
	}
	if t := r.Throttle; t != nil {
		if t.AfterS < 0 || t.ClockFactor <= 0 || t.ClockFactor > 1 || len(t.Reasons) == 0 {
			return errors.New("throttle: want after_s, a clock_factor of at most 1, and reasons")
		}
		for _, reason := range t.Reasons {
			if throttleReasons[reason] == 0 {
				return fmt.Errorf("throttle reason %q: want one of %v", reason, slices.Sorted(maps.Keys(throttleReasons)))
			}
		}
	}
	if f := r.Fault; f != nil {
		if !slices.Contains(faultKinds, f.Kind) {
			return fmt.Errorf("fault %q: want one of %v", f.Kind, faultKinds)
		}
		if (f.Code != 0) != (f.Kind == faultError) || f.After < 1 || f.Times < 0 {
			return errors.New("fault: want a code for an error and for nothing else, and after from 1 on")
		}
		if _, err := path.Match(f.Kernel, ""); err != nil {
			return fmt.Errorf("fault: kernel %q: %w", f.Kernel, err)
		}
	}
	return nil
}

// rule is what holds for device i: all rules that name it, the later ones on top.
func (s Scenario) rule(i int) Rule {
	out := Rule{ClockFactor: 1}
	for _, r := range s.Rules {
		if len(r.Devices) > 0 && !slices.Contains(r.Devices, i) {
			continue
		}
		set(&out.Arch, r.Arch)
		set(&out.ClockFactor, r.ClockFactor)
		set(&out.MemoryBytes, r.MemoryBytes)
		set(&out.AllocBytes, r.AllocBytes)
		set(&out.Throttle, r.Throttle)
		set(&out.Fault, r.Fault)
		set(&out.ClockUnknown, r.ClockUnknown)
		set(&out.MIG, r.MIG)
		set(&out.ComputeMode, r.ComputeMode)
		set(&out.Processes, r.Processes)
		set(&out.Utilization, r.Utilization)
		set(&out.Vanishes, r.Vanishes)
	}
	return out
}

// set takes v where it is not zero.
func set[T comparable](to *T, v T) {
	var zero T
	if v != zero {
		*to = v
	}
}

// strikes reports whether the count-th matching launch is struck.
func (f *Fault) strikes(count int) bool {
	return count >= f.After && (f.Times == 0 || count < f.After+f.Times)
}

// matches reports whether the fault looks at launches of the kernel.
func (f *Fault) matches(kernel string) bool {
	ok, _ := path.Match(f.Kernel, kernel) // checked
	return ok || f.Kernel == ""
}
