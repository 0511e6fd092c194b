package conform

import (
	"slices"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
)

// result is the memory of the launch's first operand, at least n bytes.
func (d *plain) result(l cuda.Launch, n int) []byte {
	b, err := d.Bytes(l.Params[0], n)
	if err != nil {
		return nil
	}
	return b
}

// faults are ways to be wrong, each with the entry and the check that must see it.
var faults = []struct {
	name, entry, check string
	after              func(*plain, cuda.Launch)
}{
	{"one bit of C's last element", "gemm_fp32_fp32_any", "integers are exact at every edge of tiles", func(d *plain, l cuda.Launch) {
		n := int(4 * l.Params[3] * l.Params[4])
		d.result(l, n)[n-2] ^= 0x80
	}},
	{"C's last column where n is 129", "gemm_int8_int32", "integers are exact at every edge of tiles", func(d *plain, l cuda.Launch) {
		if l.Params[4] == 129 {
			d.result(l, 4*129)[4*128] ^= 1
		}
	}},
	{"a NaN that turns 0", "gemm_fp32_fp32", "NaN and infinities go where they belong", func(d *plain, l cuda.Launch) {
		c := d.result(l, int(4*l.Params[3]*l.Params[4]))
		for i := range len(c) / 4 {
			if v := fp32.value(c, i); v != v {
				fp32.put(c, i, 0)
			}
		}
	}},
	{"the ninth row of tiles", "gemm_fp16_fp32", "integers are exact across tiles", func(d *plain, l cuda.Launch) {
		if row := int(8 * 128 * l.Params[4]); l.Params[3] > 8*128 {
			d.result(l, 2*row+2)[2*row] ^= 1
		}
	}},
	{"twice the error that summation allows", "gemm_fp16_fp32", "randn is within the bound", func(d *plain, l cuda.Launch) {
		if c := d.result(l, 2); c != nil {
			fp16.put(c, 0, fp16.at(c, 0)+2)
		}
	}},
	{"tf32 with 8 bits", "gemm_tf32_fp32", "fp32 operands count with 10 bits of their mantissa", func(d *plain, l cuda.Launch) {
		c := d.result(l, 4)
		fp32.put(c, 0, fp32.encode(fp32.value(c, 0)+8))
	}},
	{"a byte behind the end", "copy_fp64", "every bit is kept", func(d *plain, l cuda.Launch) {
		if b := d.result(l, int(8*l.Params[2]+1)); b != nil {
			b[8*l.Params[2]] = 0
		}
	}},
	{"a byte in front", "gemm_fp32_fp32_any", "integers are exact at every edge of tiles", func(d *plain, l cuda.Launch) {
		if b, err := d.Bytes(l.Params[0]-1, 1); err == nil {
			b[0] = 0
		}
	}},
	{"an input that is changed", "triad_fp64", "a = b + 3·c is rounded once", func(d *plain, l cuda.Launch) {
		b, _ := d.Bytes(l.Params[1], 8)
		b[0] ^= 1
	}},
	{"a rounded product", "triad_fp64", "a = b + 3·c is rounded once", func(d *plain, l cuda.Launch) {
		n := int(l.Params[3])
		a := d.result(l, 8*n)
		b, _ := d.Bytes(l.Params[1], 8*n)
		c, _ := d.Bytes(l.Params[2], 8*n)
		for i := range n {
			product := float64(3 * fp64.value(c, i)) // rounded, on every architecture
			fp64.put(a, i, fp64.encode(fp64.value(b, i)+product))
		}
	}},
	{"half a chunk is summed", "read_fp64", "every block sums its chunk", func(d *plain, l cuda.Launch) {
		if l.Params[2] > 40 {
			d.result(l, 8)[3] ^= 1
		}
	}},
	{"-0 for a negative x", "relu_fp16", "every value is within its limit", func(d *plain, l cuda.Launch) {
		if l.Params[2] == 1<<16 {
			d.result(l, 2<<16)[2*0xc000+1] = 0x80
		}
	}},
	{"5 ulp", "sigmoid_fp32", "every value is within its limit", func(d *plain, l cuda.Launch) {
		y := d.result(l, 4*int(l.Params[2]))
		for i := range len(y) / 4 {
			if bits := fp32.at(y, i); bits > 1<<28 && bits < 0x3f7fff00 {
				fp32.put(y, i, bits+5)
			}
		}
	}},
	{"a bf16 rounded twice", "tanh_bf16", "every value is within its limit", func(d *plain, l cuda.Launch) {
		if l.Params[2] == 1<<16 {
			bf16.put(d.result(l, 2<<16), 0x3f00, bf16.at(d.result(l, 2<<16), 0x3f00)+1)
		}
	}},
	{"dy where x = 0", "relu_backward_bf16", "every value is within its limit", func(d *plain, l cuda.Launch) {
		copy(d.result(l, 2), []byte{0x80, 0x3f})
	}},
	{"a gradient off by 1 in 1000", "sigmoid_backward_fp32", "every value is within its limit", func(d *plain, l cuda.Launch) {
		y := d.result(l, 4*int(l.Params[3]))
		for i := range len(y) / 4 {
			fp32.put(y, i, fp32.encode(fp32.value(y, i)*1.001))
		}
	}},
	{"another last bit in the tail", "gelu_fp32", "a result does not depend on its position", func(d *plain, l cuda.Launch) {
		if n := int(l.Params[2]); n%4 != 0 && n < 40 {
			d.result(l, 4*n)[4*(n-1)] ^= 1
		}
	}},
	{"one element at a chunk's end", "fill_2", "every element is the one that its seed says", func(d *plain, l cuda.Launch) {
		if n := int(l.Params[2]); n > 4000 {
			d.result(l, 2*n)[2*n-1] ^= 1
		}
	}},
	{"a short last row that is left out", "fold_bits_2", "every row folds to its word", func(d *plain, l cuda.Launch) {
		if rows := l.Grid; l.Params[2]%l.Params[3] != 0 {
			clear(d.result(l, 8*rows)[8*rows-8:])
		}
	}},
	{"weights of 1", "fold_int_fp32", "one wrong bit changes the word", func(d *plain, l cuda.Launch) {
		for row := range l.Grid {
			fp64.put(d.result(l, 8*l.Grid), row, 42)
		}
	}},
	{"an offset that wraps, of elements", "relu_fp16", "large operands are right to their last element", func(d *plain, l cuda.Launch) {
		if n := int(l.Params[2]); 2*n > 1<<20 {
			d.result(l, 2*n)[2*n-1] ^= 1
		}
	}},
	{"an offset that wraps, of C", "gemm_int8_int32_any", "large operands are right to their last element", func(d *plain, l cuda.Launch) {
		if n := int(4 * l.Params[3] * l.Params[4]); n > 1<<20 {
			d.result(l, n)[n-4] ^= 1
		}
	}},
	{"an offset that wraps, of A", "gemm_tf32_fp32", "large operands are right to their last element", func(d *plain, l cuda.Launch) {
		if c := d.result(l, int(4*l.Params[3]*l.Params[4])); 4*l.Params[3]*l.Params[5] > 1<<20 {
			c[len(c)-1] ^= 1
		}
	}},
	{"an offset that wraps, of B", "gemm_bf16_fp32", "large operands are right to their last element", func(d *plain, l cuda.Launch) {
		if c := d.result(l, int(2*l.Params[3]*l.Params[4])); 2*l.Params[4]*l.Params[5] > 1<<20 {
			c[len(c)-1] ^= 1
		}
	}},
	{"an offset that wraps, of fill", "fill_1", "a large operand is filled to its last element", func(d *plain, l cuda.Launch) {
		if n := int(l.Params[2]); n > 1<<20 {
			d.result(l, n)[n-1] ^= 1
		}
	}},
	{"an offset that wraps, of fold", "fold_int_int32", "the last row of a large operand folds to its word", func(d *plain, l cuda.Launch) {
		if 4*l.Params[2] > 1<<20 {
			d.result(l, 8*l.Grid)[8*l.Grid-1] ^= 1
		}
	}},
	{"an offset that wraps, of read", "read_fp64", "the last block of a large operand is summed", func(d *plain, l cuda.Launch) {
		if 8*l.Params[2] > 1<<20 {
			d.result(l, 8*l.Grid)[8*l.Grid-1] ^= 1
		}
	}},
	{"a chain that stopped at 2048", "fma_fp16", "every thread's chains count its multiply-adds", func(d *plain, l cuda.Launch) {
		if l.Params[1] > 64 {
			d.result(l, 8)[0]++
		}
	}},
}

func TestSuiteSeesEveryFault(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			dev := newPlain(80)
			dev.after = f.after
			outcomes, err := Check(dev, Options{Thin: true, Nearest: true, Large: 1 << 20, Select: func(e cuda.Entry) bool { return e.Name == f.entry }})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(Failed(outcomes), func(o Outcome) bool { return o.Check == f.check }) {
				t.Errorf("%s: %q did not see it; outcomes: %v", f.entry, f.check, outcomes)
			}
		})
	}
}
