// Command gemm generates the microkernels and the packing loops of GEMM whose sums are fp32 and fp64.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

// family is the routines of one engine with sums of one type: tiles of up to rows x vecs vectors of C, which take rows·vecs
// accumulators, vecs registers for a row of B, and rotate through the rest for elements of A.
type family struct {
	gen.Vectors
	sum        number
	rows, vecs int
	stored     []element // what may be widened to sum
}

var families = []family{
	{gen.AVX512, fp32, 8, 3, []element{asFP32, asFP16, asBF16}},
	{gen.AVX512, fp64, 8, 3, []element{asFP64}},
	{gen.AVX2, fp32, 6, 2, []element{asFP32, asFP16, asBF16}},
	{gen.AVX2, fp64, 6, 2, []element{asFP64}},
}

// lanes is the count of elements in a vector.
func (f family) lanes() int { return f.Bytes / f.sum.bytes }

func (f family) name(format string, args ...any) string {
	return fmt.Sprintf("gemm%s%s", f.Name, fmt.Sprintf(format, args...))
}

func main() {
	for _, f := range families {
		for _, e := range f.stored {
			// A panel is packed as sums are: its tiles serve elements of that type as they are stored, too.
			var tiles []string
			for vecs := 1; vecs <= f.vecs; vecs++ {
				for rows := 1; rows <= f.rows; rows++ {
					tiles = append(tiles, f.tile(e, rows, vecs))
				}
			}
			for vecs := 1; vecs <= f.vecs; vecs++ {
				tiles = append(tiles, f.fused(e, vecs))
			}
			gen.Table(f.name("%sTiles", e.name), tiles)
			gen.Table(f.name("%sPackers", e.name), f.packers(e))
		}
	}
	Generate()
}
