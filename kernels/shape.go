package kernels

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Shape is the size of a kernel's work: M, N and K for gemm (A is M×K, B is K×N, C is
// M×N), N alone for every other kernel.
type Shape struct{ M, N, K int }

// FMAQuantum is what the N of fma must be a multiple of: every engine's loop
// divides it.
const FMAQuantum = 768

// String is "MxNxK" for gemm and "N" for the other kernels.
func (s Shape) String() string {
	if s.M == 0 && s.K == 0 {
		return strconv.Itoa(s.N)
	}
	return fmt.Sprintf("%dx%dx%d", s.M, s.N, s.K)
}

// MarshalText and UnmarshalText carry a shape through JSON as its String.
func (s Shape) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Shape) UnmarshalText(b []byte) error {
	dims, err := parseDims(string(b))
	if err != nil {
		return err
	}
	if len(dims) == 1 {
		*s = Shape{N: dims[0]}
	} else {
		*s = Shape{M: dims[0], N: dims[1], K: dims[2]}
	}
	return nil
}

// ParseShape reads a shape for kernel d: "1024x1024x1024" for gemm, "1048576" for
// the others. The error says what form is wanted.
func ParseShape(d Definition, text string) (Shape, error) {
	dims, err := parseDims(text)
	if err != nil {
		return Shape{}, err
	}
	want := 1
	if d.Class == Matrix {
		want = 3
	}
	if len(dims) != want {
		form := map[int]string{1: "one number, such as 1048576", 3: "MxNxK, such as 1024x1024x1024"}[want]
		return Shape{}, fmt.Errorf("shape %q: %s takes %s", text, d.Kernel, form)
	}
	s := Shape{N: dims[0]}
	if want == 3 {
		s = Shape{M: dims[0], N: dims[1], K: dims[2]}
	}
	return s, s.check(d)
}

func parseDims(text string) ([]int, error) {
	parts := strings.Split(strings.ToLower(text), "x")
	if len(parts) != 1 && len(parts) != 3 {
		return nil, fmt.Errorf("shape %q: want N or MxNxK", text)
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
	dims := []int{s.N}
	if d.Class == Matrix {
		dims = []int{s.M, s.N, s.K}
	} else if s.M != 0 || s.K != 0 {
		return fmt.Errorf("shape %s: %s takes one number", s, d.Kernel)
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
