package cpu

import (
	"fmt"
	"testing"
)

// BenchmarkDispatch times an empty Run: what a pool costs beside the work.
func BenchmarkDispatch(b *testing.B) {
	for threads := 1; threads <= 2; threads++ {
		b.Run(fmt.Sprintf("t%d", threads), func(b *testing.B) {
			p := NewPool(threads)
			defer p.Close()
			p.Run(func(int) {})
			for b.Loop() {
				p.Run(func(int) {})
			}
		})
	}
}
