package ptxvm

func init() {
	opcode(decodeBra, "bra")
	opcode(decodeExit, "exit", "ret")
	opcode(decodeBarrier, "bar", "barrier")
	opcode(decodeFence, "membar", "fence", "nanosleep")
	opcode(decodeTrap, "trap", "brkpt")
}

func decodeBra(d *decoder) execute {
	d.in.flow, d.in.class = flowBranch, ClassControl
	d.has(".uni")
	d.args(1)
	d.in.target = d.label(d.arg(0))
	return nil
}

func decodeExit(d *decoder) execute {
	d.in.flow, d.in.class = flowExit, ClassControl
	d.has(".uni")
	d.args(0)
	return nil
}

// decodeBarrier decodes bar.sync a{, b}, barrier.sync{.aligned}, and bar.warp.sync, at which a warp
// that runs in lockstep has nothing to wait for, but after which lanes may read what others wrote.
func decodeBarrier(d *decoder) execute {
	d.in.class = ClassBarrier
	if d.has(".warp") {
		d.has(".sync")
		d.args(1)
		named := d.source(d.arg(0), bits32)
		return func(w *warp, m uint32) {
			w.members(m, w.src32(named), "bar.warp.sync")
			w.phase++ // of all its lanes: those of another mask are not told apart
		}
	}
	d.has(".cta")
	if !d.has(".sync") {
		return nil
	}
	d.has(".aligned")
	d.in.flow = flowBarrier
	d.in.barrier = d.source(d.arg(0), bits32)
	if len(d.s.args) > 1 {
		d.args(2)
		d.in.counted, d.in.count = true, d.source(d.arg(1), bits32)
	}
	return nil
}

// decodeFence passes over fences: memory here is always in order.
func decodeFence(d *decoder) execute {
	d.in.class = ClassBarrier
	d.mods = nil
	for _, o := range d.s.args {
		if o.kind == operandRegister {
			d.reading(o.reg)
		}
	}
	return func(*warp, uint32) {}
}

func decodeTrap(d *decoder) execute {
	d.in.class = ClassControl
	return func(w *warp, m uint32) { w.fail(FaultTrap, firstLane(m), "the kernel ended itself") }
}
