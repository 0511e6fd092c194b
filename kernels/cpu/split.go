package cpu

// Split is the share [lo, hi) of thread tid when n elements are divided over threads at
// multiples of align: shares differ by at most align, and together are [0, n). A share may be empty.
func Split(n, align, threads, tid int) (lo, hi int) {
	units := (n + align - 1) / align
	cut := func(t int) int {
		return min(n, (units/threads*t+units%threads*t/threads)*align)
	}
	return cut(tid), cut(tid + 1)
}
