package ptxvm

import (
	"runtime"
	"testing"
)

// TestCounts runs a few instructions of each class and counts them by hand.
func TestCounts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // its blocks all write to one address: one at a time
	statements := "setp.lt.u32 %p1, %t, 40;\n" +    // integer
		"mov.f32 %f1, 0f3F800000; cvt.f64.f32 %d1, %f1; mov.b32 %r1, 0;\n" +
		"fma.rn.f32 %f1, %f1, %f1, %f1; @%p1 fma.rn.f32 %f1, %f1, %f1, %f1; add.f32 %f2, %f1, %f1;\n" +
		"fma.rn.f64 %d1, %d1, %d1, %d1;\n" +
		"fma.rn.f16x2 %r1, %r1, %r1, %r1; @%p1 fma.rn.bf16x2 %r1, %r1, %r1, %r1;\n" +
		"ex2.approx.f32 %f2, %f2; membar.gl; fence.acq_rel.gpu; prefetch.global.L2 [%in];\n" +
		"@%p1 ld.global.nc.v2.u32 {%r2, %r3}, [%in]; st.global.u16 [%out], %r1;\n" +
		"activemask.b32 %r4; bar.sync 0; red.global.add.u32 [%out], 1;\n"
	_, got, err := runBlocks(t, statements, 1, 3, 64)
	if err != nil {
		t.Fatal(err)
	}
	_, empty, err := runBlocks(t, "", 1, 3, 64)
	if err != nil {
		t.Fatal(err)
	}
	const warps, threads = 3 * 2, 3 * 64
	under := int64(40) // threads below 40 in the grid
	want := map[string][2]int64{
		"blocks":         {int64(got.Blocks), 3},
		"integer":        {got.WarpInstructions[ClassInteger] - empty.WarpInstructions[ClassInteger], warps},
		"move":           {got.WarpInstructions[ClassMove] - empty.WarpInstructions[ClassMove], 2 * warps},
		"fp32":           {got.WarpInstructions[ClassFP32], 3 * warps},
		"fp64":           {got.WarpInstructions[ClassFP64], warps},
		"fp16":           {got.WarpInstructions[ClassFP16], 2 * warps},
		"convert":        {got.WarpInstructions[ClassConvert], warps},
		"special":        {got.WarpInstructions[ClassSpecial], warps},
		"global":         {got.WarpInstructions[ClassGlobal], 3 * warps},
		"warp":           {got.WarpInstructions[ClassWarp], warps},
		"barrier":        {got.WarpInstructions[ClassBarrier], 3 * warps},
		"atomic":         {got.WarpInstructions[ClassAtomic], warps},
		"FMA32":          {got.FMA32, threads + under},
		"FMA64":          {got.FMA64, threads},
		"HFMA2":          {got.HFMA2, threads + under},
		"bytes loaded":   {got.GlobalLoadBytes, 8*under + 4*threads},
		"bytes stored":   {got.GlobalStoreBytes, 2*threads + 4*threads},
		"sectors loaded": {got.GlobalLoadSectors, 2},
		"sectors stored": {got.GlobalStoreSectors, warps},
		"all by warps":   {got.Warp() - empty.Warp(), 19 * warps},
		"all by threads": {got.ThreadInstructions - empty.ThreadInstructions, 16*threads + 3*under},
	}
	for name, v := range want {
		if v[0] != v[1] {
			t.Errorf("%s: counted %d, want %d", name, v[0], v[1])
		}
	}
	var twice Counts
	twice.Add(got)
	twice.Add(got)
	if twice.FMA32 != 2*got.FMA32 || twice.Warp() != 2*got.Warp() || twice.Blocks != 6 || twice.GlobalStoreSectors != 2*got.GlobalStoreSectors {
		t.Errorf("a sum of two: %+v", twice)
	}
	if ClassLdmatrix.String() != "ldmatrix" || Class(99).String() != "unknown" {
		t.Error("names of classes")
	}
}
