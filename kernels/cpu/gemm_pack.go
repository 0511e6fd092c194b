package cpu

import "unsafe"

// packing is the packers of a family in plain Go, for the layout that all but a few families have: the elements of
// KStep positions along k lie side by side, for one row of A or column of B after the other, and then come the next
// KStep. Element (i, p) of a panel of width w is at ((p/KStep)·w + i)·KStep + p mod KStep.
type packing[T, P any] struct {
	width, lanes, kstep int // of a panel: width is fixed (A), or 0 and a multiple of lanes (B)
	widen               func(dst []P, src []T)
}

// along packs n rows of k elements, ld apart: A, or B stored transposed.
func (pk packing[T, P]) along(dst, src unsafe.Pointer, ld, n, k int) {
	w, s := pk.panel(n), pk.kstep
	out := unsafe.Slice((*P)(dst), w*roundUp(k, s))
	pk.pad(out, w, k)
	in := unsafe.Slice((*T)(src), (n-1)*ld+k)
	var line [64]P
	for i := range n {
		for p := 0; p < k; p += len(line) {
			part := line[:min(len(line), k-p)]
			pk.widen(part, in[i*ld+p:][:len(part)])
			if s == 1 {
				for q, x := range part {
					out[(p+q)*w+i] = x
				}
				continue
			}
			for q, x := range part {
				out[((p+q)/s*w+i)*s+(p+q)%s] = x
			}
		}
	}
}

// across packs k rows of n elements, ld apart: B, or A stored transposed.
func (pk packing[T, P]) across(dst, src unsafe.Pointer, ld, n, k int) {
	w, s := pk.panel(n), pk.kstep
	out := unsafe.Slice((*P)(dst), w*roundUp(k, s))
	pk.pad(out, w, k)
	in := unsafe.Slice((*T)(src), (k-1)*ld+n)
	for p := range k {
		row := in[p*ld:][:n]
		if s == 1 {
			pk.widen(out[p*w:][:n], row)
			continue
		}
		var line [64]P
		for i := 0; i < n; i += len(line) {
			part := line[:min(len(line), n-i)]
			pk.widen(part, row[i:][:len(part)])
			for q, x := range part {
				out[(p/s*w+i+q)*s+p%s] = x
			}
		}
	}
}

func (pk packing[T, P]) panel(n int) int {
	if pk.width > 0 {
		return pk.width
	}
	return roundUp(n, pk.lanes)
}

// pad clears the last step of out if k does not fill it.
func (pk packing[T, P]) pad(out []P, w, k int) {
	if s := pk.kstep; k%s != 0 {
		clear(out[k/s*s*w:])
	}
}

// packInGo gives f, whose sizes are set, the packers that it lacks.
func packInGo[T, P any](f *tiles, widen func(dst []P, src []T)) *tiles {
	a := packing[T, P]{f.MR, f.Lanes, f.KStep, widen}
	b := packing[T, P]{0, f.Lanes, f.KStep, widen}
	for _, p := range []struct {
		packer *func(dst, src unsafe.Pointer, ld, n, k int)
		twin   func(dst, src unsafe.Pointer, ld, n, k int)
	}{{&f.PackA, a.along}, {&f.PackAT, a.across}, {&f.PackB, b.across}, {&f.PackBT, b.along}} {
		if *p.packer == nil {
			*p.packer = p.twin
		}
	}
	return f
}

// widener converts elements one by one.
func widener[T, P any](f func(T) P) func(dst []P, src []T) {
	return func(dst []P, src []T) {
		for i, x := range src {
			dst[i] = f(x)
		}
	}
}

// unchanged is the widening of what is packed as it is stored.
func unchanged[T any](dst, src []T) { copy(dst, src) }
