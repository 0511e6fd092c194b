package ptxvm

import (
	"fmt"
	"math"
	"strings"
)

// decoder turns one statement into an instruction. The first error is kept, so that what
// decodes an opcode reads its operands without asking after each.
type decoder struct {
	*body
	s    *statement
	in   *instruction
	base string   // the opcode without its modifiers
	mods []string // those not looked at yet
	err  error
}

// decodeFunc decodes the statements of one opcode.
type decodeFunc func(d *decoder) execute

// opcodes is filled by the files that hold the instructions.
var opcodes = map[string]decodeFunc{}

func opcode(f decodeFunc, names ...string) {
	for _, name := range names {
		opcodes[name] = f
	}
}

// decode decodes the body once it is parsed to its end.
func (b *body) decode() error {
	f := b.f
	f.sharedTop = b.placeDynamic()
	f.code = make([]instruction, len(b.statements)+1)
	for i := range b.statements {
		d := &decoder{body: b, s: &b.statements[i], in: &f.code[i]}
		if err := d.decode(); err != nil {
			return fmt.Errorf("line %d: %s: %w", d.s.line, d.s.op, err)
		}
	}
	end := &f.code[len(b.statements)]
	end.flow, end.guard, end.class = flowExit, -1, ClassControl
	if n := len(b.statements); n > 0 {
		end.line = b.statements[n-1].line
	}
	f.slots = b.slots
	f.proveWritten()
	return nil
}

// placeDynamic puts dynamic shared memory behind the static variables.
func (b *body) placeDynamic() int {
	top := b.f.SharedBytes
	for v := range b.offsets {
		if v.extern {
			top = alignUp(b.f.SharedBytes, max(v.align, 16))
		}
	}
	for v := range b.offsets {
		if v.extern {
			b.offsets[v] = top
		}
	}
	return top
}

func (d *decoder) decode() error {
	name, mods := d.s.op, ""
	if dot := strings.IndexByte(name, '.'); dot >= 0 {
		name, mods = name[:dot], name[dot:]
	}
	for mods != "" { // each keeps its dot
		end := strings.IndexByte(mods[1:], '.') + 1
		if end == 0 {
			end = len(mods)
		}
		d.mods, mods = append(d.mods, mods[:end]), mods[end:]
	}
	d.base = name
	d.in.line, d.in.name, d.in.guard, d.in.not = d.s.line, d.s.op, d.s.guard, d.s.not
	d.in.guardChecked = d.in.guard >= 0
	decode := opcodes[name]
	if decode == nil {
		return fmt.Errorf("an instruction that is not run here")
	}
	d.in.exec = decode(d)
	if d.err == nil && len(d.mods) > 0 {
		d.fail("modifier %s, which is not run here", d.mods[0])
	}
	if d.err == nil && d.in.flow == flowNext && d.in.exec == nil {
		d.fail("a form that is not run here")
	}
	return d.err
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// take removes the first of the modifiers named from those left, and is it; "" if none is there.
func (d *decoder) take(names ...string) string {
	for i, m := range d.mods {
		for _, name := range names {
			if m == name {
				d.mods = append(d.mods[:i:i], d.mods[i+1:]...)
				return m
			}
		}
	}
	return ""
}

func (d *decoder) has(name string) bool { return d.take(name) != "" }

// valueType is a fundamental type as instructions name it.
type valueType struct {
	kind  byte // s, u, f, b, h (bf16), p
	width int  // bits
	pair  bool // f16x2, bf16x2
}

var valueTypes = map[string]valueType{
	".s8": {'s', 8, false}, ".s16": {'s', 16, false}, ".s32": {'s', 32, false}, ".s64": {'s', 64, false},
	".u8": {'u', 8, false}, ".u16": {'u', 16, false}, ".u32": {'u', 32, false}, ".u64": {'u', 64, false},
	".b8": {'b', 8, false}, ".b16": {'b', 16, false}, ".b32": {'b', 32, false}, ".b64": {'b', 64, false},
	".f16": {'f', 16, false}, ".f32": {'f', 32, false}, ".f64": {'f', 64, false}, ".bf16": {'h', 16, false},
	".f16x2": {'f', 32, true}, ".bf16x2": {'h', 32, true}, ".pred": {'p', 1, false},
}

// String names the type as PTX does.
func (t valueType) String() string {
	for name, v := range valueTypes {
		if v == t {
			return name
		}
	}
	return "?"
}

// typ removes the first type among the modifiers left.
func (d *decoder) typ() valueType {
	for i, m := range d.mods {
		if t, ok := valueTypes[m]; ok {
			d.mods = append(d.mods[:i:i], d.mods[i+1:]...)
			return t
		}
	}
	d.fail("no type")
	return valueType{'b', 32, false}
}

// arg is operand i.
func (d *decoder) arg(i int) operand {
	if i >= len(d.s.args) {
		d.fail("%d operands, where there should be more", len(d.s.args))
		return operand{kind: operandSink}
	}
	return d.s.args[i]
}

// args checks the number of operands.
func (d *decoder) args(n int) {
	if len(d.s.args) != n {
		d.fail("%d operands, where there should be %d", len(d.s.args), n)
	}
}

func (d *decoder) reading(r register) int32 {
	reads := &d.in.reads[r.class()]
	*reads = append(*reads, r.index)
	return r.index
}

func (d *decoder) writing(r register) int32 {
	writes := &d.in.writes[r.class()]
	*writes = append(*writes, r.index)
	return r.index
}

// source is where operand o of type t lies. Wider registers are an error: PTX lets few
// instructions take them.
func (d *decoder) source(o operand, t valueType) operandIndex {
	if o.second != nil || o.not {
		d.fail("an operand with \"|\" or \"!\" where a value should stand")
		return 0
	}
	switch o.kind {
	case operandRegister:
		if o.reg.width != t.width {
			d.fail("register %s of %d bits, where %d are read", o.name, o.reg.width, t.width)
		}
		return d.reading(o.reg)
	case operandLiteral:
		bits, ok := o.immediate(t)
		if !ok {
			d.fail("a number that is no value of type %v", t)
		}
		return d.constant(bits, t.width)
	case operandVariable:
		return d.constant(d.address(o.variable)+uint64(o.offset), t.width)
	}
	d.fail("an operand that is no value of type %v", t)
	return 0
}

func (d *decoder) constant(bits uint64, width int) operandIndex {
	if width == 64 {
		return d.f.constants.of64(bits)
	}
	if width < 32 {
		bits &= 1<<width - 1
	}
	return d.f.constants.of32(uint32(bits))
}

// immediate is a number as the bits of type t.
func (o operand) immediate(t valueType) (uint64, bool) {
	switch {
	case o.literal == literalInt:
		return o.bits, t.kind != 'f' || t.width == 16 || t.pair || o.bits == 0
	case t.width == 32 && o.literal == literalF32, t.width == 64 && o.literal == literalF64:
		return o.bits, t.kind == 'f' || t.kind == 'b'
	case t.width == 32 && !t.pair && t.kind == 'f':
		return uint64(math.Float32bits(float32(math.Float64frombits(o.bits)))), true
	case t.width == 64 && t.kind == 'f':
		return math.Float64bits(float64(math.Float32frombits(uint32(o.bits)))), true
	}
	return 0, false
}

// address is what the name of a variable stands for: where it lies in its space, or, for one of the
// module, its generic address.
func (d *decoder) address(v *variable) uint64 {
	switch v.space {
	case spaceShared:
		return uint64(d.offsets[v])
	case spaceGlobal:
		return moduleBase + uint64(v.offset)
	}
	return uint64(v.offset)
}

// dest is where the result of type t goes.
func (d *decoder) dest(o operand, t valueType) int32 {
	if o.kind != operandRegister || o.not {
		d.fail("a result that goes to no register")
		return 0
	}
	if o.reg.width != t.width {
		d.fail("register %s of %d bits, where the result has %d", o.name, o.reg.width, t.width)
	}
	return d.writing(o.reg)
}

// pred is a predicate operand and whether it is negated.
func (d *decoder) pred(o operand) (int32, uint32) {
	if o.kind != operandRegister || o.reg.width != 1 {
		d.fail("an operand that is no predicate")
		return 0, 0
	}
	if o.not {
		return d.reading(o.reg), everyLane
	}
	return d.reading(o.reg), 0
}

func (d *decoder) destPred(o operand) int32 {
	if o.kind != operandRegister || o.reg.width != 1 || o.not {
		d.fail("a result that goes to no predicate")
		return 0
	}
	return d.writing(o.reg)
}

// label finds the instruction that a label of the statement's scope, or of one around it, stands before.
func (d *decoder) label(o operand) int32 {
	if o.kind == operandLabel {
		for s := d.s.scope; s != nil; s = s.parent {
			if at, ok := s.labels[o.name]; ok {
				return int32(at)
			}
		}
	}
	d.fail("label %q, which is not there", o.name)
	return 0
}
