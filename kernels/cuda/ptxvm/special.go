package ptxvm

// special is a register that the hardware fills: the interpreter does so when a warp starts.
type special struct {
	register int32
	fill     func(w *warp)
}

// specialValues gives each special register its value in a lane. Blocks and grids have one dimension.
var specialValues = map[string]func(w *warp, lane int) uint32{
	"%tid.x":             func(w *warp, lane int) uint32 { return uint32(w.id*32 + lane) },
	"%tid.y":             func(*warp, int) uint32 { return 0 },
	"%tid.z":             func(*warp, int) uint32 { return 0 },
	"%ntid.x":            func(w *warp, _ int) uint32 { return uint32(w.block.launch.Block) },
	"%ntid.y":            func(*warp, int) uint32 { return 1 },
	"%ntid.z":            func(*warp, int) uint32 { return 1 },
	"%ctaid.x":           func(w *warp, _ int) uint32 { return uint32(w.block.index) },
	"%ctaid.y":           func(*warp, int) uint32 { return 0 },
	"%ctaid.z":           func(*warp, int) uint32 { return 0 },
	"%nctaid.x":          func(w *warp, _ int) uint32 { return uint32(w.block.launch.Grid) },
	"%nctaid.y":          func(*warp, int) uint32 { return 1 },
	"%nctaid.z":          func(*warp, int) uint32 { return 1 },
	"%laneid":            func(_ *warp, lane int) uint32 { return uint32(lane) },
	"%warpid":            func(w *warp, _ int) uint32 { return uint32(w.id) },
	"%nwarpid":           func(*warp, int) uint32 { return 32 },
	"%smid":              func(w *warp, _ int) uint32 { return uint32(w.block.index % max(w.block.launch.SMs, 1)) },
	"%nsmid":             func(w *warp, _ int) uint32 { return uint32(max(w.block.launch.SMs, 1)) },
	"%gridid":            func(*warp, int) uint32 { return 0 },
	"%lanemask_eq":       func(_ *warp, lane int) uint32 { return 1 << lane },
	"%lanemask_lt":       func(_ *warp, lane int) uint32 { return 1<<lane - 1 },
	"%lanemask_le":       func(_ *warp, lane int) uint32 { return 1<<lane | (1<<lane - 1) },
	"%lanemask_gt":       func(_ *warp, lane int) uint32 { return ^(1<<lane | (1<<lane - 1)) },
	"%lanemask_ge":       func(_ *warp, lane int) uint32 { return ^(1<<lane - 1) },
	"%dynamic_smem_size": func(w *warp, _ int) uint32 { return uint32(w.block.launch.Shared) },
	"%total_smem_size":   func(w *warp, _ int) uint32 { return uint32(len(w.block.shared.data)) },
}

// findSpecial makes a special register one of the function's. Clocks are not among them:
// nothing here takes time.
func (b *body) findSpecial(name string) (register, bool, error) {
	if r, ok := b.specials[name]; ok {
		return r, true, nil
	}
	value := specialValues[name]
	if value == nil {
		return register{}, false, nil
	}
	r, err := b.newRegister(32)
	if err != nil {
		return r, true, err
	}
	b.specials[name] = r
	b.f.specials = append(b.f.specials, special{register: r.index, fill: func(w *warp) {
		to := &w.r32[r.index]
		for lane := range to {
			to[lane] = value(w, lane)
		}
		w.written[class32][r.index] = everyLane
	}})
	return r, true, nil
}
