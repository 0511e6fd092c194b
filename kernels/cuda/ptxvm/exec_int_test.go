package ptxvm

import (
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
)

var integers = []uint64{
	0, 1, 2, 7, 31, 32, 33, 63, 64, 100, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
	0x123456789abcdef0, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
}

// value reads the lower bits of v as the integer that they are.
func value(v uint64, width int, signed bool) *big.Int {
	v = v << (64 - width) >> (64 - width)
	x := new(big.Int).SetUint64(v)
	if signed && v>>(width-1) != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(width)))
	}
	return x
}

// low is the lower bits of x in two's complement.
func low(x *big.Int, width int) uint64 {
	m := new(big.Int).Lsh(big.NewInt(1), uint(width))
	return new(big.Int).Mod(x, m).Uint64()
}

// TestIntegerArithmetic holds each operation to arithmetic on integers without bounds.
func TestIntegerArithmetic(t *testing.T) {
	type operation struct {
		name   string
		wide   int // width of the result over that of the operands
		wideC  bool
		result func(width int, a, b, c *big.Int) *big.Int
	}
	half := func(width int, x *big.Int) *big.Int { return new(big.Int).Rsh(x, uint(width)) }
	mul := func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }
	add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
	operations := []operation{
		{"add", 1, false, func(_ int, a, b, _ *big.Int) *big.Int { return add(a, b) }},
		{"sub", 1, false, func(_ int, a, b, _ *big.Int) *big.Int { return new(big.Int).Sub(a, b) }},
		{"mul.lo", 1, false, func(_ int, a, b, _ *big.Int) *big.Int { return mul(a, b) }},
		{"mul.hi", 1, false, func(w int, a, b, _ *big.Int) *big.Int { return half(w, mul(a, b)) }},
		{"mul.wide", 2, false, func(_ int, a, b, _ *big.Int) *big.Int { return mul(a, b) }},
		{"mad.lo", 1, false, func(_ int, a, b, c *big.Int) *big.Int { return add(mul(a, b), c) }},
		{"mad.hi", 1, false, func(w int, a, b, c *big.Int) *big.Int { return add(half(w, mul(a, b)), c) }},
		{"mad.wide", 2, true, func(_ int, a, b, c *big.Int) *big.Int { return add(mul(a, b), c) }},
		{"min", 1, false, func(_ int, a, b, _ *big.Int) *big.Int {
			if a.Cmp(b) < 0 {
				return a
			}
			return b
		}},
		{"max", 1, false, func(_ int, a, b, _ *big.Int) *big.Int {
			if a.Cmp(b) > 0 {
				return a
			}
			return b
		}},
		{"div", 1, false, func(_ int, a, b, _ *big.Int) *big.Int {
			if b.Sign() == 0 {
				return big.NewInt(-1)
			}
			return new(big.Int).Quo(a, b)
		}},
		{"rem", 1, false, func(_ int, a, b, _ *big.Int) *big.Int {
			if b.Sign() == 0 {
				return a
			}
			return new(big.Int).Rem(a, b)
		}},
	}
	rows := rowsOf(integers, func(r *rand.Rand) uint64 { return r.Uint64() >> r.IntN(64) })
	for _, op := range operations {
		for _, typ := range []string{"s16", "u16", "s32", "u32", "s64", "u64"} {
			width, signed := valueTypes["."+typ].width, typ[0] == 's'
			if op.wide*width > 64 || op.name == "mad.hi" && width == 16 {
				continue
			}
			t.Run(op.name+"."+typ, func(t *testing.T) {
				statement, widths := op.name+"."+typ+" d, a, b;", []int{op.wide * width, width, width}
				widthC := width
				if op.wideC {
					widthC = 2 * width
				}
				if op.name[:2] == "ma" && op.name[2] == 'd' {
					statement, widths = op.name+"."+typ+" d, a, b, c;", append(widths, widthC)
				}
				for i, got := range lanes(t, statement, widths, rows) {
					r := rows[i]
					want := low(op.result(width, value(r[0], width, signed), value(r[1], width, signed), value(r[2], widthC, signed)), op.wide*width)
					if got != want {
						t.Fatalf("%x, %x, %x: got %x, want %x", r[0], r[1], r[2], got, want)
					}
				}
			})
		}
	}
}

// TestBits holds logic, shifts and bit fields to loops over single bits.
func TestBits(t *testing.T) {
	bit := func(v uint64, i int) uint64 { return v >> i & 1 }
	count := func(v uint64) int { return int(min(v&0xffffffff, 64)) }
	cases := []struct {
		statement string
		widths    []int
		want      func(a, b, c uint64) uint64
	}{
		{"and.b32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 { return a & b }},
		{"or.b64 d, a, b;", []int{64, 64, 64}, func(a, b, _ uint64) uint64 { return a | b }},
		{"xor.b16 d, a, b;", []int{16, 16, 16}, func(a, b, _ uint64) uint64 { return a ^ b }},
		{"not.b16 d, a;", []int{16, 16}, func(a, _, _ uint64) uint64 { return ^a }},
		{"not.b64 d, a;", []int{64, 64}, func(a, _, _ uint64) uint64 { return ^a }},
		{"neg.s32 d, a;", []int{32, 32}, func(a, _, _ uint64) uint64 { return -a }},
		{"neg.s16 d, a;", []int{16, 16}, func(a, _, _ uint64) uint64 { return -a }},
		{"abs.s64 d, a;", []int{64, 64}, func(a, _, _ uint64) uint64 { return uint64(max(int64(a), -int64(a))) }},
		{"shl.b32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 { return a << count(b) }},
		{"shl.b64 d, a, b;", []int{64, 64, 32}, func(a, b, _ uint64) uint64 { return a << count(b) }},
		{"shr.u32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 { return a & 0xffffffff >> count(b) }},
		{"shr.s32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 { return uint64(int64(int32(a)) >> count(b)) }},
		{"shr.s16 d, a, b;", []int{16, 16, 32}, func(a, b, _ uint64) uint64 { return uint64(int64(int16(a)) >> count(b)) }},
		{"shr.s64 d, a, b;", []int{64, 64, 32}, func(a, b, _ uint64) uint64 { return uint64(int64(a) >> count(b)) }},
		{"lop3.b32 d, a, b, c, 0xCA;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 { return a&b | ^a&c }},
		{"lop3.b32 d, a, b, c, 0x96;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 { return a ^ b ^ c }},
		{"lop3.b32 d, a, b, c, 0x2A;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 { return ^(a & b) & c }},
		{"shf.l.wrap.b32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 { return (b<<32 | a&0xffffffff) << (c & 31) >> 32 }},
		{"shf.r.wrap.b32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 { return (b<<32 | a&0xffffffff) >> (c & 31) }},
		{"shf.r.clamp.b32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 { return (b<<32 | a&0xffffffff) >> min(c&0xffffffff, 32) }},
		{"prmt.b32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			all := []byte{byte(a), byte(a >> 8), byte(a >> 16), byte(a >> 24), byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)}
			var r uint64
			for i := range 4 {
				s := c >> (4 * i) & 15
				v := all[s&7]
				if s&8 != 0 {
					v = byte(int8(v) >> 7)
				}
				r |= uint64(v) << (8 * i)
			}
			return r
		}},
		{"popc.b32 d, a;", []int{32, 32}, func(a, _, _ uint64) uint64 { return uint64(bits.OnesCount32(uint32(a))) }},
		{"popc.b64 d, a;", []int{32, 64}, func(a, _, _ uint64) uint64 { return uint64(bits.OnesCount64(a)) }},
		{"clz.b32 d, a;", []int{32, 32}, func(a, _, _ uint64) uint64 { return uint64(bits.LeadingZeros32(uint32(a))) }},
		{"clz.b64 d, a;", []int{32, 64}, func(a, _, _ uint64) uint64 { return uint64(bits.LeadingZeros64(a)) }},
		{"brev.b32 d, a;", []int{32, 32}, func(a, _, _ uint64) uint64 { return uint64(bits.Reverse32(uint32(a))) }},
		{"bfind.u32 d, a;", []int{32, 32}, func(a, _, _ uint64) uint64 { return uint64(31 - bits.LeadingZeros32(uint32(a))) }},
		{"bfind.s32 d, a;", []int{32, 32}, func(a, _, _ uint64) uint64 {
			return uint64(31 - bits.LeadingZeros32(uint32(int32(a)>>31^int32(a))))
		}},
		{"bfe.u32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			var r uint64
			for i := range int(min(c&0xff, 32)) {
				if at := int(b&0xff) + i; at < 32 {
					r |= bit(a, at) << i
				}
			}
			return r
		}},
		{"bfe.s32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			n, at := int(c&0xff), int(b&0xff)
			if n == 0 {
				return 0
			}
			sign := bit(a, min(at+n-1, 31))
			var r uint64
			for i := range 32 {
				v := sign
				if i < n && at+i <= 31 {
					v = bit(a, at+i)
				}
				r |= v << i
			}
			return r
		}},
		{"bfi.b32 d, a, b, c, 7;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			r := b
			for i := range 7 {
				if at := int(c&0xff) + i; at < 32 {
					r = r&^(1<<at) | bit(a, i)<<at
				}
			}
			return r
		}},
		{"bfi.b64 d, a, b, 60, 7;", []int{64, 64, 64}, func(a, b, _ uint64) uint64 { return b&^(0xf<<60) | a<<60 }},
		{"bfe.u64 d, a, 60, 7;", []int{64, 64}, func(a, _, _ uint64) uint64 { return a >> 60 }},
		{"bfe.s64 d, a, 8, 40;", []int{64, 64}, func(a, _, _ uint64) uint64 { return uint64(int64(a<<16) >> 24) }},
		{"brev.b64 d, a;", []int{64, 64}, func(a, _, _ uint64) uint64 { return bits.Reverse64(a) }},
		{"bfind.s64 d, a;", []int{32, 64}, func(a, _, _ uint64) uint64 { return uint64(63 - bits.LeadingZeros64(uint64(int64(a)>>63^int64(a)))) }},
		{"mul24.lo.s32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 { return uint64(int32(a<<8) >> 8 * (int32(b<<8) >> 8)) }},
		{"mul24.lo.u32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 { return (a & 0xffffff) * (b & 0xffffff) }},
		{"sad.s32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			return c + uint64(max(int64(int32(a))-int64(int32(b)), int64(int32(b))-int64(int32(a))))
		}},
		{"sad.u32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			return c + uint64(max(int64(uint32(a))-int64(uint32(b)), int64(uint32(b))-int64(uint32(a))))
		}},
		{"add.sat.s32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 {
			return uint64(min(max(int64(int32(a))+int64(int32(b)), math.MinInt32), math.MaxInt32))
		}},
		{"sub.sat.s32 d, a, b;", []int{32, 32, 32}, func(a, b, _ uint64) uint64 {
			return uint64(min(max(int64(int32(a))-int64(int32(b)), math.MinInt32), math.MaxInt32))
		}},
		{"dp4a.s32.s32 d, a, b, c;", []int{32, 32, 32, 32}, func(a, b, c uint64) uint64 {
			for i := range 4 {
				c += uint64(int64(int8(a>>(8*i))) * int64(int8(b>>(8*i))))
			}
			return c
		}},
	}
	rows := rowsOf(integers, func(r *rand.Rand) uint64 { return r.Uint64() >> r.IntN(64) })
	for _, c := range cases {
		t.Run(c.statement, func(t *testing.T) {
			for i, got := range lanes(t, c.statement, c.widths, rows) {
				r := rows[i]
				want := c.want(r[0], r[1], r[2]) << (64 - c.widths[0]) >> (64 - c.widths[0])
				if got != want {
					t.Fatalf("%x, %x, %x: got %x, want %x", r[0], r[1], r[2], got, want)
				}
			}
		})
	}
}
