package emulator

import (
	"strings"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// Work is what a launch asks of a card: the counts of all its blocks together.
type Work struct {
	Blocks int

	Issue                float64 // warp instructions
	FP32, FP64, FP16x2   float64 // of threads
	Integer, Special     float64
	SharedBytes          float64 // with bank conflicts as the bytes they cost
	MACs                 map[kernels.Precision]float64
	L2Bytes, MemoryBytes float64
	Library              bool // MACs are of the vendor's library
}

// Breakdown is the time of a launch and what it is made of, in seconds. The parts overlap: the
// longest is the launch's, save for Launch, which comes on top.
type Breakdown struct {
	Launch     float64
	SM         float64 // the busiest SM's busiest unit
	L2, Memory float64
}

// Seconds is the time from the launch to its end.
func (b Breakdown) Seconds() float64 { return b.Launch + max(b.SM, b.L2, b.Memory) }

// Time is how long the card takes at the clock (in Hz). The formula is in the package's
// documentation.
func (c Card) Time(w Work, clockHz float64) Breakdown {
	b := Breakdown{Launch: c.LaunchS}
	if w.Blocks < 1 {
		return b
	}
	r, units := c.PerClock, 0.0
	for _, u := range []struct{ count, rate float64 }{
		{w.Issue, r.Issue},
		{w.FP32, r.FP32},
		{w.FP64, r.FP64},
		{w.FP16x2, r.FP16x2},
		{w.Integer, r.Integer},
		{w.Special, r.Special},
		{w.SharedBytes, r.SharedBytes},
	} {
		units = max(units, u.count/u.rate)
	}
	rates, efficiency := r.Tensor, c.Efficiency.Compute
	if w.Library {
		rates, efficiency = r.Library, c.Efficiency.Library
	}
	tensor := 0.0
	for p, macs := range w.MACs { // one unit serves all precisions, one after the other
		rate := rates[p]
		if rate == 0 {
			rate = r.FP32 // what a card has no unit for, it does on its ordinary ones
		}
		tensor += macs / rate
	}
	// Blocks are spread evenly; the SM with the most sets the pace.
	share := float64((w.Blocks+c.SMs-1)/c.SMs) / float64(w.Blocks)
	b.SM = max(units, tensor) * share / (clockHz * efficiency)
	b.L2 = w.L2Bytes / (c.L2BytesPerClock * clockHz * c.Efficiency.Memory)
	b.Memory = w.MemoryBytes / (c.MemoryBytesPerS * c.Efficiency.Memory)
	return b
}

// CopySeconds is how long a copy of so many bytes between page-locked memory and the device takes.
func (c Card) CopySeconds(bytes int64) float64 { return c.BusS + float64(bytes)/c.BusBytesPerS }

// Power is what the card draws while a launch runs that keeps its busiest unit busy for the
// share u of the time: a quarter of what there is above idle goes to being awake.
func (c Card) Power(u float64) float64 {
	return c.IdlePowerW + (0.95*c.PowerLimitW-c.IdlePowerW)*(0.25+0.75*min(max(u, 0), 1))
}

// work makes a launch's work of what its blocks did. Moves are free: a compiler renames
// registers. Memory is left at 0: it depends on what the L2 cache holds.
func work(n ptxvm.Counts) Work {
	warps := func(classes ...ptxvm.Class) float64 {
		sum := int64(0)
		for _, c := range classes {
			sum += n.WarpInstructions[c]
		}
		return float64(sum)
	}
	w := Work{
		Blocks:  n.Blocks,
		Issue:   float64(n.Warp()) - warps(ptxvm.ClassMove),
		FP32:    32 * warps(ptxvm.ClassFP32),
		FP64:    32 * warps(ptxvm.ClassFP64),
		FP16x2:  32 * warps(ptxvm.ClassFP16),
		Integer: 32 * warps(ptxvm.ClassInteger, ptxvm.ClassConvert),
		Special: 32 * warps(ptxvm.ClassSpecial),
		L2Bytes: 32 * float64(n.GlobalLoadSectors+n.GlobalStoreSectors),
		MACs:    map[kernels.Precision]float64{},

		SharedBytes: float64(n.SharedBytes) + 128*float64(n.SharedConflictCycles),
	}
	for name, m := range n.MMA {
		w.MACs[mmaPrecision(name)] += float64(m.MACs)
	}
	return w
}

// mmaPrecision is the precision of a tensor-core instruction by its name, which ends in the
// types of D, A, B and C.
func mmaPrecision(name string) kernels.Precision {
	parts := strings.Split(name, ".")
	if len(parts) < 4 {
		return ""
	}
	d, a := parts[len(parts)-4], parts[len(parts)-3]
	return map[string]kernels.Precision{
		"f16.f32": kernels.FP16FP32, "f16.f16": kernels.FP16FP16, "bf16.f32": kernels.BF16FP32,
		"tf32.f32": kernels.TF32FP32, "s8.s32": kernels.INT8INT32,
	}[a+"."+d]
}

// scaled is total blocks' counts, of which n are a part that stands for all.
func scaled(n ptxvm.Counts, factor float64) ptxvm.Counts {
	by := func(v int64) int64 { return int64(float64(v)*factor + 0.5) }
	out := ptxvm.Counts{
		Blocks: int(by(int64(n.Blocks))), ThreadInstructions: by(n.ThreadInstructions),
		FMA32: by(n.FMA32), FMA64: by(n.FMA64), HFMA2: by(n.HFMA2),
		GlobalLoadBytes: by(n.GlobalLoadBytes), GlobalStoreBytes: by(n.GlobalStoreBytes),
		GlobalLoadSectors: by(n.GlobalLoadSectors), GlobalStoreSectors: by(n.GlobalStoreSectors),
		SharedAccesses: by(n.SharedAccesses), SharedBytes: by(n.SharedBytes), SharedConflictCycles: by(n.SharedConflictCycles),
		MMA: map[string]ptxvm.MMACount{},
	}
	for i, v := range n.WarpInstructions {
		out.WarpInstructions[i] = by(v)
	}
	for name, m := range n.MMA {
		out.MMA[name] = ptxvm.MMACount{Count: by(m.Count), MACs: by(m.MACs)}
	}
	return out
}

// line continues a straight line through two counts: those at x0 and x1 of a launch whose
// work grows evenly with x.
func line(at0, at1 ptxvm.Counts, x0, x1, x float64) ptxvm.Counts {
	slope := (x - x1) / (x1 - x0)
	out := scaled(at1, 1+slope)
	out.Add(scaled(at0, -slope))
	out.Blocks = at1.Blocks
	return out
}
