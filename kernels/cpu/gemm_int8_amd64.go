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
		family *dotFamily
		impl   Impl
	}{
		{
			newDotFamily(tiles{MR: 8, NR: 48, Lanes: 16, KStep: 4, TailB: 4, StoredBytes: 1}, addresses(dotAVX512VNNITiles), addresses(dotAVX512VNNIPackers)),
			Impl{Engine: GoAVX512VNNI, Needs: needsAVX512VNNI},
		},
		{int8AVXVNNI(), Impl{Engine: GoAVXVNNI, Needs: needsAVXVNNI}},
		{
			newDotFamily(tiles{MR: 8, NR: 48, Lanes: 16, KStep: 2, StoredBytes: 1}, addresses(dotAVX512INT16Tiles), addresses(dotAVX512INT16Packers)),
			Impl{Engine: GoAVX512, Needs: needsAVX512},
		},
		{
			newDotFamily(tiles{MR: 6, NR: 16, Lanes: 8, KStep: 2, StoredBytes: 1}, addresses(dotAVX2INT16Tiles), addresses(dotAVX2INT16Packers)),
			Impl{Engine: GoAVX2, Needs: needsAVX2},
		},
	} {
		e.impl.Precision, e.impl.Limit = kernels.INT8INT32, kernels.INT8INT32
		registerGEMM(newGEMM[int8, int32](&e.family.tiles), e.impl)
	}
}

func int8AVXVNNI() *dotFamily {
	return newDotFamily(tiles{MR: 6, NR: 16, Lanes: 8, KStep: 4, TailB: 4, StoredBytes: 1}, addresses(dotAVX2VNNITiles), addresses(dotAVX2VNNIPackers))
}
