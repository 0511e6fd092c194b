package kernels

import (
	"math"
	"math/big"
	"testing"
)

func TestEveryBFloat16SurvivesTheRoundTrip(t *testing.T) {
	for i := range 1 << 16 {
		b := BFloat16(i)
		want := b
		if b&0x7fff > 0x7f80 {
			want |= 0x40 // a signalling NaN becomes quiet
		}
		if got := ToBFloat16(b.Float32()); got != want {
			t.Fatalf("%#04x comes back as %#04x", i, got)
		}
	}
}

func TestBFloat16RoundsToTheNearestEven(t *testing.T) {
	// big.Float rounds to 8 bits of precision, ties to even, as bfloat16 does among normal numbers.
	for i := uint32(0x0080_0000); i < 0x7f7f_0000; i += 0x1357 {
		for _, low := range []uint32{0, 1, 0x7fff, 0x8000, 0x8001, 0xffff} {
			f := math.Float32frombits(i&0xffff_0000 | low)
			want, _ := new(big.Float).SetPrec(8).SetFloat64(float64(f)).Float32()
			if got := ToBFloat16(f).Float32(); got != want {
				t.Fatalf("%g rounds to %g; want %g", f, got, want)
			}
			if got := ToBFloat16(-f).Float32(); got != -want {
				t.Fatalf("%g rounds to %g; want %g", -f, got, -want)
			}
		}
	}
}

func TestBFloat16AtTheEndsOfItsRange(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		want BFloat16
	}{
		{0x00000000, 0x0000},
		{0x80000000, 0x8000},
		{0x00008000, 0x0000}, // half of the smallest: to even
		{0x00008001, 0x0001},
		{0x00018000, 0x0002},
		{0x007fffff, 0x0080}, // the largest subnormal float32
		{0x7f7f7fff, 0x7f7f},
		{0x7f7f8000, 0x7f80}, // halfway beyond the largest
		{0x7f800000, 0x7f80},
		{0xff800000, 0xff80},
		{0x7f800001, 0x7fc0}, // a NaN whose payload is in the lower bits alone
		{0xffc12345, 0xffc1},
	} {
		if got := ToBFloat16(math.Float32frombits(c.bits)); got != c.want {
			t.Errorf("%#08x rounds to %#04x; want %#04x", c.bits, got, c.want)
		}
	}
}
