package cpu

import "github.com/realflops/realflops/kernels"

// The routines of _asm/dot, by address.
func dotAVX512VNNITiles(table *[24]uintptr)
func dotAVX512VNNIPackers(table *[10]uintptr)
func dotAVX2VNNITiles(table *[12]uintptr)
func dotAVX2VNNIPackers(table *[5]uintptr)
func dotAVX512INT16Tiles(table *[24]uintptr)
func dotAVX512INT16Packers(table *[9]uintptr)
func dotAVX2INT16Tiles(table *[12]uintptr)
func dotAVX2INT16Packers(table *[5]uintptr)

func init() {
	// VPDPBUSD multiplies unsigned bytes by signed ones: A is packed with 128 added to each element, and
	// behind a panel of B lies 128·Σb of each column, which the tile subtracts. All of it is exact modulo 2^32.
	// VPMADDUBSW, the way without it, saturates at 16 bits: there, bytes are widened as they are packed.
	for _, e := range []struct {
		family      tiles
		tile, packs []uintptr
		impl        Impl
	}{
		{
			tiles{MR: 8, NR: 48, Lanes: 16, KStep: 4, TailB: 4},
			addresses(dotAVX512VNNITiles), addresses(dotAVX512VNNIPackers),
			Impl{Engine: GoAVX512VNNI, Needs: needsAVX512VNNI},
		},
		{
			tiles{MR: 6, NR: 16, Lanes: 8, KStep: 4, TailB: 4},
			addresses(dotAVX2VNNITiles), addresses(dotAVX2VNNIPackers),
			Impl{Engine: GoAVXVNNI, Needs: needsAVXVNNI},
		},
		{
			tiles{MR: 8, NR: 48, Lanes: 16, KStep: 2},
			addresses(dotAVX512INT16Tiles), addresses(dotAVX512INT16Packers),
			Impl{Engine: GoAVX512, Needs: needsAVX512},
		},
		{
			tiles{MR: 6, NR: 16, Lanes: 8, KStep: 2},
			addresses(dotAVX2INT16Tiles), addresses(dotAVX2INT16Packers),
			Impl{Engine: GoAVX2, Needs: needsAVX2},
		},
	} {
		e.family.StoredBytes = 1
		e.impl.Precision, e.impl.Limit = kernels.INT8INT32, kernels.INT8INT32
		registerGEMM(newGEMM[int8, int32](&newDotFamily(e.family, e.tile, e.packs).tiles), e.impl)
	}
}
