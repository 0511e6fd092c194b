package cpu

import (
	"slices"
	"testing"
)

// TestChunksAreClaimedExactlyOnce: under -race it also shows that whoever gets a chunk has it alone.
func TestChunksAreClaimedExactlyOnce(t *testing.T) {
	for threads := 1; threads <= 4; threads++ {
		p := NewPool(threads)
		for _, n := range []int{0, 1, 3, 64, 5000} {
			var c Chunks
			c.Reset(n, threads)
			claims := make([]int, n)
			p.Run(func(tid int) {
				for chunk, ok := c.Next(tid); ok; chunk, ok = c.Next(tid) {
					claims[chunk]++
				}
			})
			for chunk, times := range claims {
				if times != 1 {
					t.Errorf("%d threads, %d chunks: chunk %d was claimed %d times", threads, n, chunk, times)
				}
			}
		}
		p.Close()
	}
}

// TestChunksGoToTheirOwnThreadFirst: what a thread does not come for, the others take from its end.
func TestChunksGoToTheirOwnThreadFirst(t *testing.T) {
	var c Chunks
	c.Reset(10, 3) // shares 0-2, 3-5 and 6-9
	got := map[int][]int{}
	for _, tid := range []int{1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0} {
		if chunk, ok := c.Next(tid); ok {
			got[tid] = append(got[tid], chunk)
		}
	}
	want := map[int][]int{0: {0, 1, 6}, 1: {3, 4, 5, 9, 8, 7, 2}}
	for tid := range want {
		if !slices.Equal(got[tid], want[tid]) {
			t.Errorf("thread %d got %v, want %v", tid, got[tid], want[tid])
		}
	}
	if chunk, ok := c.Next(2); ok {
		t.Errorf("chunk %d is left", chunk)
	}
}
