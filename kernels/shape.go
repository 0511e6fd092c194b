package kernels

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Shape is the size of a kernel's work: M, N and K of a product (A is M×K, B is K×N, C is
// M×N) and the count of products Batch of gemm-batched; M rows of N elements of a rowwise kernel;
// N alone for every other.
type Shape struct{ M, N, K, Batch int }

// FMAQuantum is what the N of fma must be a multiple of: every engine's loop
// divides it.
const FMAQuantum = 3 << 16

// String is "MxNxK" for a product, "BxMxNxK" for many, "MxN" for a rowwise kernel and "N" for the
// others.
func (s Shape) String() string {
	switch {
	case s.Batch != 0:
		return fmt.Sprintf("%dx%dx%dx%d", s.Batch, s.M, s.N, s.K)
	case s.K != 0:
		return fmt.Sprintf("%dx%dx%d", s.M, s.N, s.K)
	case s.M != 0:
		return fmt.Sprintf("%dx%d", s.M, s.N)
	}
	return strconv.Itoa(s.N)
}

// batch is how many products there are.
func (s Shape) batch() float64 { return float64(max(s.Batch, 1)) }

// MarshalText and UnmarshalText carry a shape through JSON as its String.
func (s Shape) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Shape) UnmarshalText(b []byte) error {
	dims, err := parseDims(string(b))
	if err != nil {
		return err
	}
	*s = shapeOf(dims)
	return nil
}

func shapeOf(dims []int) Shape {
	switch len(dims) {
	case 1:
		return Shape{N: dims[0]}
	case 2:
		return Shape{M: dims[0], N: dims[1]}
	case 3:
		return Shape{M: dims[0], N: dims[1], K: dims[2]}
	}
	return Shape{Batch: dims[0], M: dims[1], N: dims[2], K: dims[3]}
}

// forms say, by the count of numbers that a shape has, what it looks like.
var forms = map[int]string{
	1: "one number, such as 1048576",
	2: "MxN, such as 256x4096",
	3: "MxNxK, such as 1024x1024x1024",
	4: "BxMxNxK, such as 32x128x128x64",
}

// dims is the count of numbers in a shape of d.
func (d Definition) dims() int {
	switch {
	case d.Kernel == Batched:
		return 4
	case d.Class == Matrix:
		return 3
	case d.Class == Rowwise:
		return 2
	}
	return 1
}

// Example is a shape of d, as text.
func (d Definition) Example() string {
	if d.Class == Register {
		return strconv.Itoa(FMAQuantum)
	}
	form := forms[d.dims()]
	return form[strings.LastIndex(form, " ")+1:]
}

// ParseShape reads a shape for kernel d: "1024x1024x1024" for gemm, "1048576" for relu. The error
// says what form is wanted.
func ParseShape(d Definition, text string) (Shape, error) {
	dims, err := parseDims(text)
	if err != nil {
		return Shape{}, err
	}
	if len(dims) != d.dims() {
		return Shape{}, fmt.Errorf("shape %q: %s takes %s", text, d.Kernel, forms[d.dims()])
	}
	s := shapeOf(dims)
	return s, s.check(d)
}

func parseDims(text string) ([]int, error) {
	parts := strings.Split(strings.ToLower(text), "x")
	if len(parts) > len(forms) {
		return nil, fmt.Errorf("shape %q: want N, MxN, MxNxK or BxMxNxK", text)
	}
	dims := make([]int, len(parts))
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil {
			return nil, fmt.Errorf("shape %q: %q is not a whole number that fits in 63 bits", text, p)
		}
		dims[i] = v
	}
	return dims, nil
}

func (s Shape) check(d Definition) error {
	dims := map[int][]int{1: {s.N}, 2: {s.M, s.N}, 3: {s.M, s.N, s.K}, 4: {s.Batch, s.M, s.N, s.K}}[d.dims()]
	extra := [4]int{s.N, s.M, s.K, s.Batch}
	if slices.ContainsFunc(extra[d.dims():], func(v int) bool { return v != 0 }) {
		return fmt.Errorf("shape %s: %s takes %s", s, d.Kernel, forms[d.dims()])
	}
	for _, v := range dims {
		if v <= 0 {
			return fmt.Errorf("shape %s: every dimension must be at least 1", s)
		}
	}
	spec := Spec{d.Kernel, d.Precisions[0], s}
	if spec.Bytes() > math.MaxInt64/4 || spec.FLOP() > math.MaxInt64 {
		return fmt.Errorf("shape %s: the count of its bytes or operations overflows 63 bits", s)
	}
	if d.Class == Register && s.N%FMAQuantum != 0 {
		near := max(FMAQuantum, (s.N+FMAQuantum/2)/FMAQuantum*FMAQuantum)
		return fmt.Errorf("shape %s: fma takes a multiple of %d; the nearest is %d", s, FMAQuantum, near)
	}
	return nil
}
