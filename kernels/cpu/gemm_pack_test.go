package cpu

import (
	"slices"
	"testing"
	"unsafe"
)

// TestPanelsInGoLieAsTheirCommentSays: for steps of 1 and 4, with a rest of rows and of k, from both orientations.
func TestPanelsInGoLieAsTheirCommentSays(t *testing.T) {
	const n, k, ld = 3, 6, 7
	f := packInGo(&tiles{MR: 4, NR: 8, Lanes: 4, KStep: 4}, unchanged[int8])
	step1 := packInGo(&tiles{MR: 4, NR: 8, Lanes: 4, KStep: 1}, unchanged[int8])
	along, across := make([]int8, n*ld), make([]int8, k*ld)
	for i := range n {
		for p := range k {
			along[i*ld+p], across[p*ld+i] = int8(10*i+p+1), int8(10*i+p+1)
		}
	}
	for _, c := range []struct {
		name string
		pack func(dst, src unsafe.Pointer, ld, n, k int)
		src  []int8
		step int
	}{
		{"A by 4", f.PackA, along, 4},
		{"A transposed by 4", f.PackAT, across, 4},
		{"B by 4", f.PackB, across, 4},
		{"B transposed by 4", f.PackBT, along, 4},
		{"A", step1.PackA, along, 1},
		{"A transposed", step1.PackAT, across, 1},
		{"B", step1.PackB, across, 1},
		{"B transposed", step1.PackBT, along, 1},
	} {
		const width = 4
		panel := slices.Repeat([]int8{-1}, width*roundUp(k, c.step))
		c.pack(unsafe.Pointer(&panel[0]), unsafe.Pointer(&c.src[0]), ld, n, k)
		for i := range n {
			for p := range roundUp(k, c.step) {
				want := int8(0)
				if p < k {
					want = int8(10*i + p + 1)
				}
				if got := panel[(p/c.step*width+i)*c.step+p%c.step]; got != want {
					t.Errorf("%s: element (%d, %d) is %d, not %d", c.name, i, p, got, want)
				}
			}
		}
	}
}

// TestThroughEdgeMovesWhatCHas and nothing beside it, with what C held before if that is added to.
func TestThroughEdgeMovesWhatCHas(t *testing.T) {
	f := &tiles{MR: 2, NR: 4, Lanes: 4, OutBytes: 4}
	whole := func(t *tileArgs, rows, columns int) {
		for i := range rows {
			row := unsafe.Slice((*float32)(unsafe.Add(t.c, i*t.ldc)), columns)
			for j := range row {
				row[j] = row[j]*float32(t.add) + float32(10*i+j)
			}
		}
	}
	for add := range 2 {
		c, edge := []float32{1, 2, 3, -1, 5, 6, 7, -1}, make([]float32, 8)
		args := tileArgs{c: unsafe.Pointer(&c[0]), ldc: 16, add: add, edge: unsafe.Pointer(&edge[0])}
		f.throughEdge(&args, 2, 3, whole)
		want := [][]float32{{0, 1, 2, -1, 10, 11, 12, -1}, {1, 3, 5, -1, 15, 17, 19, -1}}[add]
		if !slices.Equal(c, want) || args.ldc != 16 || args.c != unsafe.Pointer(&c[0]) {
			t.Errorf("add %d: C is %v, not %v; rows of it are %d bytes apart", add, c, want, args.ldc)
		}
	}
}
