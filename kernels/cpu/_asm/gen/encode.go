package gen

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Form is an instruction that Go's assembler lacks, as the Intel 64 and IA-32 Architectures Software
// Developer's Manual, volume 2, gives it: chapter 2.3 for VEX, 2.7 for EVEX. Operands are in Go's order, the
// destination last: for most forms ModRM.rm, vvvv, ModRM.reg, as many as the instruction has.
type Form struct {
	Name string // in capitals
	ISA  string // as cpuid names it

	VEX    bool // encoded by VEX, otherwise by EVEX
	Map    byte // 1: 0F, 2: 0F38, 3: 0F3A, 5, 6
	Prefix byte // 0 for none, 0x66, 0xf3, 0xf2
	W      byte
	Opcode byte

	Digit   byte // what ModRM.reg holds where it is no operand
	NoReg   bool // ModRM.reg is no operand: the last is vvvv or ModRM.rm
	RMFirst bool // tiles multiply: the order is vvvv, rm, reg
	Stores  bool // the order is reg, rm: to memory
	SIB     bool // an address always has a SIB byte

	// Of EVEX, whose one-byte displacements count in units of what the instruction accesses: all of a
	// vector, the part of it that Part divides it into (0 is 1), or one Element if Scalar or broadcast.
	Element int // bytes
	Part    int
	Scalar  bool
}

// Tile is an AMX register, TMM0 to TMM7.
type Tile uint8

// Asm is the tile's name.
func (t Tile) Asm() string { return fmt.Sprintf("TMM%d", uint8(t)) }

// Option changes one emission of a [Form].
type Option struct {
	mask      reg.OpmaskPhysical
	zeroing   bool
	broadcast bool
}

// Broadcast reads one element of memory for all lanes.
func Broadcast() Option { return Option{broadcast: true} }

// Masked writes the lanes that k names; the others become 0 if zeroing, and otherwise stay.
func Masked(k reg.OpmaskPhysical, zeroing bool) Option { return Option{mask: k, zeroing: zeroing} }

// Emit writes the instruction's bytes into the current function, with its text as a comment beside
// them. It panics, which ends the generator, where the operands cannot be encoded: registers must be physical
// ones, and addresses have no symbol.
func (f Form) Emit(ops []operand.Op, options ...Option) {
	code, err := f.Encode(ops, options...)
	if err != nil {
		panic(err)
	}
	in := &ir.Instruction{Opcode: directives(code) + " // " + f.text(ops, options)}
	if f.ISA != "" {
		in.ISA = []string{f.ISA}
	}
	for _, op := range ops {
		if _, ok := op.(Tile); !ok { // of tiles avo knows nothing
			in.Inputs = append(in.Inputs, op)
		}
	}
	if n := len(ops); n > 0 {
		if _, ok := ops[n-1].(reg.Register); ok {
			in.Outputs = ops[n-1:]
		}
	}
	build.Instruction(in)
}

// text is the instruction as Go's assembler would have it.
func (f Form) text(ops []operand.Op, options []Option) string {
	name, args := f.Name, make([]string, len(ops))
	for i, op := range ops {
		args[i] = op.Asm()
	}
	for _, o := range options {
		if o.broadcast {
			name += ".BCST"
		}
		if o.mask != nil {
			args = append(args[:len(args)-1], o.mask.Asm(), args[len(args)-1])
		}
		if o.zeroing {
			name += ".Z"
		}
	}
	return strings.TrimSpace(name + " " + strings.Join(args, ", "))
}

// directives spells bytes for Go's assembler.
func directives(code []byte) string {
	var out []string
	for len(code) > 0 {
		switch {
		case len(code) >= 4:
			out = append(out, fmt.Sprintf("LONG $%#08x", binary.LittleEndian.Uint32(code)))
			code = code[4:]
		case len(code) >= 2:
			out = append(out, fmt.Sprintf("WORD $%#04x", binary.LittleEndian.Uint16(code)))
			code = code[2:]
		default:
			out = append(out, fmt.Sprintf("BYTE $%#02x", code[0]))
			code = code[1:]
		}
	}
	return strings.Join(out, "; ")
}

// parts are the operands by where they are encoded.
type parts struct {
	reg, v uint8
	rm     operand.Op
	bytes  int // of the longest vector
	opt    Option
}

// Encode gives the instruction's bytes.
func (f Form) Encode(ops []operand.Op, options ...Option) ([]byte, error) {
	p, err := f.sort(ops, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.text(ops, options), err)
	}
	modrm, x, b, err := f.modRM(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.text(ops, options), err)
	}
	prefix := map[byte]byte{0: 0, 0x66: 1, 0xf3: 2, 0xf2: 3}[f.Prefix]
	inverted := func(bit, at byte) byte { return (bit&1 ^ 1) << at }
	var code []byte
	if f.VEX {
		length := byte(0)
		if p.bytes == 32 {
			length = 1
		}
		code = []byte{
			0xc4,
			inverted(p.reg>>3, 7) | inverted(x, 6) | inverted(b, 5) | f.Map,
			f.W<<7 | (^p.v&15)<<3 | length<<2 | prefix,
		}
	} else {
		length := map[int]byte{64: 2, 32: 1}[p.bytes]
		last := length<<5 | inverted(p.v>>4, 3)
		if p.opt.mask != nil {
			last |= byte(p.opt.mask.PhysicalIndex())
		}
		if p.opt.zeroing {
			last |= 0x80
		}
		if p.opt.broadcast {
			last |= 0x10
		}
		code = []byte{
			0x62,
			inverted(p.reg>>3, 7) | inverted(x, 6) | inverted(b, 5) | inverted(p.reg>>4, 4) | f.Map,
			f.W<<7 | (^p.v&15)<<3 | 4 | prefix,
			last,
		}
	}
	return append(append(code, f.Opcode), modrm...), nil
}

// sort says which operand is encoded where.
func (f Form) sort(ops []operand.Op, options []Option) (parts, error) {
	var p parts
	for _, o := range options {
		if o.mask != nil {
			p.opt.mask, p.opt.zeroing = o.mask, o.zeroing
		}
		p.opt.broadcast = p.opt.broadcast || o.broadcast
	}
	if f.VEX && (p.opt.mask != nil || p.opt.broadcast) {
		return p, fmt.Errorf("VEX has neither masks nor broadcasts")
	}
	for _, op := range ops {
		if r, ok := op.(reg.Register); ok && r.Kind() == reg.KindVector {
			p.bytes = max(p.bytes, int(r.Size()))
		}
	}
	rest := ops
	if f.Stores && len(ops) == 2 {
		rest = []operand.Op{ops[1], ops[0]}
	}
	p.reg = f.Digit
	if !f.NoReg {
		if len(rest) == 0 {
			return p, fmt.Errorf("an operand is missing")
		}
		r, err := number(rest[len(rest)-1])
		if err != nil {
			return p, err
		}
		p.reg, rest = r, rest[:len(rest)-1]
	}
	if f.RMFirst && len(rest) == 2 {
		rest = []operand.Op{rest[1], rest[0]}
	}
	switch len(rest) {
	case 0:
	case 2:
		v, err := number(rest[1])
		if err != nil {
			return p, err
		}
		p.v = v
		fallthrough
	case 1:
		p.rm = rest[0]
	default:
		return p, fmt.Errorf("%d operands are too many", len(ops))
	}
	return p, nil
}

// number is that of a physical register in its file.
func number(op operand.Op) (uint8, error) {
	switch r := op.(type) {
	case Tile:
		return uint8(r), nil
	case reg.Physical:
		return uint8(r.PhysicalIndex()), nil
	}
	return 0, fmt.Errorf("%s is not a physical register", op.Asm())
}

// modRM encodes ModRM, SIB and displacement, and gives the bits of rm that the prefix holds.
func (f Form) modRM(p parts) (code []byte, x, b uint8, err error) {
	field := p.reg & 7 << 3
	if p.rm == nil {
		return []byte{0xc0 | field}, 0, 0, nil
	}
	m, ok := p.rm.(operand.Mem)
	if !ok {
		r, err := number(p.rm)
		return []byte{0xc0 | field | r&7}, r >> 4, r >> 3, err
	}
	if m.Base == nil || m.Symbol.Name != "" {
		return nil, 0, 0, fmt.Errorf("an address needs a base register and has no symbol")
	}
	base, err := number(m.Base)
	if err != nil {
		return nil, 0, 0, err
	}
	index := uint8(4) // none
	if m.Index != nil {
		if index, err = number(m.Index); err != nil {
			return nil, 0, 0, err
		}
		if index == 4 {
			return nil, 0, 0, fmt.Errorf("SP cannot be an index")
		}
	}
	mod, displacement := f.displacement(p, m.Disp, base)
	if m.Index == nil && base&7 != 4 && !f.SIB {
		return append([]byte{mod | field | base&7}, displacement...), 0, base >> 3, nil
	}
	scale := map[uint8]uint8{0: 0, 1: 0, 2: 1, 4: 2, 8: 3}[m.Scale]
	return append([]byte{mod | field | 4, scale<<6 | index&7<<3 | base&7}, displacement...), index >> 3, base >> 3, nil
}

// displacement takes no byte, one or four.
func (f Form) displacement(p parts, disp int, base uint8) (mod byte, code []byte) {
	unit := 1
	if !f.VEX {
		unit = p.bytes / max(1, f.Part)
		if f.Scalar || p.opt.broadcast {
			unit = f.Element
		}
	}
	switch {
	case disp == 0 && base&7 != 5: // without a displacement, BP and R13 stand for something else
		return 0, nil
	case disp%unit == 0 && disp/unit >= -128 && disp/unit <= 127:
		return 0x40, []byte{byte(int8(disp / unit))}
	}
	return 0x80, binary.LittleEndian.AppendUint32(nil, uint32(int32(disp)))
}

// What Go's assembler lacks of the dot products.
var (
	// VDPBF16PS adds to each fp32 lane the products of two pairs of bf16.
	VDPBF16PS = Form{Name: "VDPBF16PS", ISA: "AVX512_BF16", Map: 2, Prefix: 0xf3, Opcode: 0x52, Element: 4}

	// VPDPBUSD adds to each int32 lane the products of four pairs of an unsigned byte (vvvv) and a signed
	// one (rm). This is the form of AVX-VNNI; Go's assembler has that of AVX-512.
	VPDPBUSD = Form{Name: "VPDPBUSD", ISA: "AVXVNNI", VEX: true, Map: 2, Prefix: 0x66, Opcode: 0x50}
)
