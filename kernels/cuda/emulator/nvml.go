package emulator

import (
	"slices"
)

// NVML's codes.
const (
	nvmlInvalidArgument = 2
	nvmlNotSupported    = 3
	nvmlNotFound        = 6
	nvmlNoDriver        = 9
	nvmlLost            = 15
)

// What opNvmlQuery asks for; shim/nvml.c has the same numbers.
const (
	queryClock = iota + 1
	queryMaxClock
	queryPower
	queryPowerLimit
	queryTemperature
	queryThrottle
	queryUtilization
	queryMemory
	queryProcesses
	queryMIG
	queryPersistence
	queryComputeMode
	queryEnergy
)

// memoryClock is the type of clock that is the memory's; the others are the SMs'.
const memoryClock = 2

// nvml answers a call of libnvidia-ml.
func (c *session) nvml(q request) answer {
	if c.Scenario.NVML == "absent" {
		return code(nvmlNoDriver)
	}
	if c.Scenario.NVML == "hang" && q.op != opNvmlInit {
		c.hang()
		return answer{}
	}
	switch q.op {
	case opNvmlInit:
		return answer{}
	case opNvmlCount:
		return value(uint32(len(c.devices)))
	case opNvmlDriverVersion:
		return value("570.0 (emulated)")
	case opNvmlFind:
		name, err := q.body()
		i := slices.IndexFunc(c.devices, func(d *device) bool { return uuidText(d.uuid) == string(name) })
		if err != nil || i < 0 {
			return code(nvmlNotFound)
		}
		return value(uint64(i))
	}
	if q.word(0) >= uint64(len(c.devices)) {
		return code(nvmlInvalidArgument)
	}
	d := c.devices[q.word(0)]
	switch q.op {
	case opNvmlUUID:
		return value(uuidText(d.uuid))
	case opNvmlName:
		return value(d.name())
	case opNvmlQuery:
		return d.query(q.word(1), q.word(2))
	}
	return code(nvmlNotSupported)
}

// query is what one of NVML's functions says of the device.
func (d *device) query(what, argument uint64) answer {
	s := d.sense()
	if s.lost {
		return code(nvmlLost)
	}
	milli := func(v float64) answer { return value(uint32(v*1000 + 0.5)) }
	mega := func(hz float64) answer { return value(uint32(hz/1e6 + 0.5)) }
	switch what {
	case queryClock, queryMaxClock:
		switch {
		case d.rule.ClockUnknown || argument > memoryClock+1:
			return code(nvmlNotSupported)
		case argument == memoryClock:
			return mega(d.memoryClockHz())
		case what == queryMaxClock:
			return mega(d.MaxClockHz)
		}
		return mega(s.clockHz)
	case queryPower:
		return milli(s.powerW)
	case queryPowerLimit:
		return milli(d.PowerLimitW)
	case queryTemperature:
		return value(uint32(s.temperatureC + 0.5))
	case queryThrottle:
		return value(s.reasons)
	case queryUtilization:
		percent := uint32(s.utilization*100 + 0.5)
		return value(percent, percent)
	case queryMemory:
		return value(uint64(d.MemoryBytes), uint64(max(d.MemoryBytes-s.usedBytes, 0)), uint64(s.usedBytes))
	case queryProcesses:
		var list []any
		for i := range s.processes {
			list = append(list, uint64(1000000+i), uint64(1<<30))
		}
		return value(list...)
	case queryMIG:
		if d.Arch < 80 {
			return code(nvmlNotSupported)
		}
		on := uint32(0)
		if d.rule.MIG {
			on = 1
		}
		return value(on, on)
	case queryPersistence:
		return value(uint32(1))
	case queryComputeMode:
		return value(uint32(computeModes[d.rule.ComputeMode]))
	case queryEnergy:
		return value(uint64(s.energyJ * 1000))
	}
	return code(nvmlNotSupported)
}

// memoryClockHz is a clock that gives the memory's bandwidth over a bus of 512 bits at double data rate.
func (d *device) memoryClockHz() float64 { return d.MemoryBytesPerS * 8 / 512 / 2 }
