package emulator

import (
	"math"
	"sync"
)

// device is one GPU of a node: its virtual clock, its sensors, and what is wrong with it.
// Several processes may use it, one after the other or at once.
type device struct {
	Card
	index int
	uuid  [16]byte
	rule  Rule

	mu       sync.Mutex
	nowS     float64 // virtual seconds of work since the node came up
	loadS    float64 // of them, under launches
	energyJ  float64
	powerW   float64 // of the last launch
	used     int64   // bytes allocated, by all processes
	contexts int
	loaded   bool // launched something since the last context was made
	matching int  // launches that the fault looks at
	lost     bool // off the bus
}

func newDevice(c Card, index int, r Rule) *device {
	if r.Arch != 0 {
		c.Arch = r.Arch
	}
	if r.MemoryBytes != 0 {
		c.MemoryBytes = r.MemoryBytes
	}
	c.ClockHz *= r.ClockFactor
	return &device{Card: c, index: index, uuid: uuid(c, index), rule: r, powerW: c.IdlePowerW}
}

// throttled reports whether the clock is held down. The lock is held.
func (d *device) throttled() bool { return d.rule.Throttle != nil && d.loadS >= d.rule.Throttle.AfterS }

// clock is the clock under load, in Hz. The lock is held.
func (d *device) clock() float64 {
	if d.throttled() {
		return d.ClockHz * d.rule.Throttle.ClockFactor
	}
	return d.ClockHz
}

// launch advances the device by a launch of that work.
func (d *device) launch(w Work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.Time(w, d.clock())
	seconds := b.Seconds()
	busy := max(b.SM, b.L2, b.Memory) / seconds
	d.powerW = d.Power(busy)
	if d.throttled() && d.rule.Throttle.AtLimit {
		d.powerW = d.PowerLimitW
	}
	d.nowS += seconds
	d.loadS += seconds
	d.energyJ += seconds * d.powerW
	d.loaded = true
}

// copies advances the device by a copy over the bus.
func (d *device) copies(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nowS += d.CopySeconds(bytes)
}

// now is the virtual time at which everything so far is done.
func (d *device) now() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nowS
}

// strike is the fault that hits the next launch of the kernel, or nil.
func (d *device) strike(kernel string) *Fault {
	f := d.rule.Fault
	if f == nil || !f.matches(kernel) {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.matching++; !f.strikes(d.matching) {
		return nil
	}
	if f.Kind == faultBus {
		d.lost = true
	}
	return f
}

// open is for a process that makes a context, or a code why it cannot.
func (d *device) open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.lost:
		return errUnknown
	case d.rule.Vanishes, d.rule.ComputeMode == "prohibited", d.rule.ComputeMode == "exclusive" && d.rule.Processes+d.contexts > 0:
		return errUnavailable
	}
	d.contexts++
	return 0
}

func (d *device) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.contexts--; d.contexts == 0 {
		d.loaded, d.powerW = false, d.IdlePowerW
	}
}

// take reserves memory, or gives it back where bytes is negative; false if there is not so much.
func (d *device) take(bytes int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if limit := d.rule.AllocBytes; bytes > d.freeBytes() || bytes > 0 && limit > 0 && d.used+bytes > limit {
		return false
	}
	d.used += bytes
	return true
}

// reservedBytes is what a device keeps for its driver.
const reservedBytes = 1 << 26

func (d *device) freeBytes() int64 { return max(d.MemoryBytes-reservedBytes-d.used, 0) }

// sensors is what NVML says of the device.
type sensors struct {
	clockHz, powerW, temperatureC, utilization float64
	reasons                                    uint64
	energyJ                                    float64
	usedBytes                                  int64
	processes                                  int
	lost                                       bool
}

// The model of the temperature: it starts at coolC, and load that draws the power limit warms the device by
// warmC with this time constant.
const (
	coolC      = 34.0
	warmC      = 36.0
	warmAfterS = 30.0
)

func (d *device) sense() sensors {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := sensors{
		clockHz: d.IdleClockHz, powerW: d.powerW, energyJ: d.energyJ, lost: d.lost, utilization: d.rule.Utilization,
		reasons: reasonIdle, usedBytes: d.used + reservedBytes, processes: d.rule.Processes,
		temperatureC: coolC + warmC*d.powerW/d.PowerLimitW*(1-math.Exp(-d.loadS/warmAfterS)),
	}
	if d.loaded || d.rule.Utilization > 0 {
		s.clockHz, s.reasons = d.clock(), 0
	}
	if d.loaded {
		s.utilization = 1
	}
	if t := d.rule.Throttle; t != nil && d.loaded && d.throttled() {
		for _, name := range t.Reasons {
			s.reasons |= throttleReasons[name]
		}
		if t.TemperatureC > 0 {
			s.temperatureC = t.TemperatureC
		}
	}
	return s
}

// name is how libraries name the device: no one is to take it for a real one.
func (d *device) name() string { return d.Model + " (EMULATED)" }
