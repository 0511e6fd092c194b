package emulator

import (
	"fmt"
	"slices"
)

// driverHandlers answer the calls that need no context.
var driverHandlers = map[op]func(*session, request) answer{
	opInit: (*session).init,
	opVersion: func(c *session, _ request) answer {
		return value(int32(c.driverVersion()))
	},
	opCount: func(c *session, _ request) answer {
		if !c.up {
			return code(errNotInitialized)
		}
		return value(int32(len(c.visible)))
	},
	opName:        of(0, func(d *device, _ request) answer { return value(d.name()) }),
	opAttribute:   of(1, (*device).attribute),
	opTotalMemory: of(0, func(d *device, _ request) answer { return value(uint64(d.MemoryBytes)) }),
	opUUID:        of(0, func(d *device, _ request) answer { return value(d.uuid[:]) }),
	opPCI:         of(0, func(d *device, _ request) answer { return value(d.bus()) }),
	opRetain:      (*session).retain,
	opRelease:     (*session).releaseDevice,
	opLtCreate:    func(*session, request) answer { return answer{} },
	opLtHeuristic: (*session).ltHeuristic,
}

// of makes a handler of one that answers for the device whose ordinal is word i.
func of(i int, h func(*device, request) answer) func(*session, request) answer {
	return func(c *session, q request) answer {
		d, refused := c.device(q.word(i))
		if d == nil {
			return code(refused)
		}
		return h(d, q)
	}
}

func (c *session) device(ordinal uint64) (*device, int) {
	switch {
	case !c.up:
		return nil, errNotInitialized
	case ordinal >= uint64(len(c.visible)):
		return nil, errInvalidDevice
	}
	return c.visible[ordinal], 0
}

func (s *server) driverVersion() int {
	if v := s.Scenario.DriverVersion; v != 0 {
		return v
	}
	return 12080
}

func (c *session) init(request) answer {
	if e := c.Scenario.InitError; e != 0 {
		return code(e)
	}
	if !c.up {
		c.mu.Lock()
		c.greeted++
		first := c.greeted == 1
		c.mu.Unlock()
		c.visible = slices.DeleteFunc(slices.Clone(c.visible), func(d *device) bool { return d.rule.Vanishes && !first })
	}
	if len(c.visible) == 0 {
		return code(errNoDevice)
	}
	c.up = true
	return answer{}
}

// bus is the device's PCI address.
func (d *device) bus() string { return fmt.Sprintf("0000:%02x:00.0", 0x10+d.index) }

// attribute answers cuDeviceGetAttribute by the numbers of CUdevice_attribute.
func (d *device) attribute(q request) answer {
	perBlock := d.SharedBytesPerBlock
	v, ok := map[uint64]int{
		1: 1024, 2: 1024, 3: 1024, 4: 64, // threads a block, and each of its dimensions
		5: 1<<31 - 1, 6: 65535, 7: 65535, // blocks a grid
		8:  min(perBlock, 48<<10), // shared memory a block without opting in
		9:  65536,                 // constant memory
		10: 32,                    // threads a warp
		12: 65536,                 // registers a block
		13: int(d.MaxClockHz / 1000),
		15: 1, // copies beside kernels
		16: d.SMs,
		17: 0, // no time limit for kernels
		18: 0, // not integrated
		19: 1, // maps host memory
		20: computeModes[d.rule.ComputeMode],
		31: 1,                            // kernels beside each other
		32: 0,                            // ECC: not emulated
		33: 0x10 + d.index, 34: 0, 50: 0, // PCI bus, device, domain
		36: int(d.MemoryBytesPerS / 2 / 512 * 8 / 1000), 37: 512, // memory clock in kHz and bus width that give the bandwidth
		38: int(d.L2Bytes),
		39: d.ThreadsPerSM,
		40: 2, // copy engines
		41: 1, // unified addresses
		75: d.Arch / 10, 76: d.Arch % 10,
		81: d.SharedBytesPerSM, 82: 65536,
		97:  perBlock,
		106: d.BlocksPerSM,
	}[q.word(0)]
	if !ok {
		return value(int32(0)) // a capability that is not there
	}
	return value(int32(v))
}

func (c *session) retain(q request) answer {
	d, refused := c.device(q.word(0))
	if d == nil {
		return code(refused)
	}
	ctx := q.word(0) + 1
	if p := c.work[ctx]; p != nil {
		p.retained++
		return value(ctx)
	}
	if e := d.open(); e != 0 {
		return code(e)
	}
	c.work[ctx] = newProcess(c, d)
	return value(ctx)
}

func (c *session) releaseDevice(q request) answer {
	ctx := q.word(0) + 1
	p := c.work[ctx]
	if p == nil {
		return code(errInvalidContext)
	}
	if p.retained--; p.retained == 0 {
		p.end()
		delete(c.work, ctx)
	}
	return answer{}
}
