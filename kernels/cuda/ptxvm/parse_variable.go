package ptxvm

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// maxVariable bounds one variable, and all variables of a space together, in bytes.
const maxVariable = 1 << 20

// maxLocal bounds the local memory of a thread, in bytes.
const maxLocal = 1 << 16

// typeBytes is the size of the fundamental types that variables and parameters are made of.
var typeBytes = map[string]int{
	".b8": 1, ".u8": 1, ".s8": 1,
	".b16": 2, ".u16": 2, ".s16": 2, ".f16": 2, ".bf16": 2,
	".b32": 4, ".u32": 4, ".s32": 4, ".f32": 4, ".f16x2": 4, ".bf16x2": 4,
	".b64": 8, ".u64": 8, ".s64": 8, ".f64": 8,
}

var spaces = map[string]space{".shared": spaceShared, ".global": spaceGlobal, ".const": spaceGlobal, ".local": spaceLocal}

// parseVariable parses a variable from its state space on; b is nil at module level.
func (p *parser) parseVariable(b *body, extern bool) error {
	name, err := p.take(tokenName, "a state space")
	if err != nil {
		return err
	}
	return p.variableIn(b, name, extern)
}

// variableIn parses what follows a state space: .align 16 .b8 name[64] = {1, 2};
func (p *parser) variableIn(b *body, spaceName string, extern bool) error {
	s, ok := spaces[spaceName]
	if !ok {
		return p.errorf("state space %q, which is not run here", spaceName)
	}
	if extern && s != spaceShared {
		return p.errorf("an external variable in %s: only dynamic shared memory can be one", spaceName)
	}
	if s == spaceLocal && b == nil {
		return p.errorf("a .local variable outside a function")
	}
	align, width, err := p.parseType()
	if err != nil {
		return err
	}
	for {
		v := &variable{space: s, align: align, extern: extern}
		if v.name, err = p.take(tokenName, "the name of a variable"); err != nil {
			return err
		}
		count, open, err := p.parseExtent()
		if err != nil {
			return err
		}
		if open != extern {
			return p.errorf("variable %s: \"[]\" is for external shared memory, and a size for the rest", v.name)
		}
		v.size = count * width
		if err := p.declare(b, v, width); err != nil {
			return err
		}
		if more, err := p.skip(','); err != nil {
			return err
		} else if !more {
			break
		}
	}
	_, err = p.take(';', "\";\"")
	return err
}

// parseType parses ".align 16 .b8"; qualifiers that mean nothing here are passed over.
func (p *parser) parseType() (align, width int, err error) {
	for p.tok.kind == tokenName && strings.HasPrefix(p.tok.text, ".") {
		name := p.tok.text
		if err := p.advance(); err != nil {
			return 0, 0, err
		}
		switch {
		case name == ".align":
			if align, err = p.number(1, 1024, ".align"); err != nil {
				return 0, 0, err
			}
			if align&(align-1) != 0 {
				return 0, 0, p.errorf("alignment %d, not a power of two", align)
			}
		case name == ".ptr" || name == ".global" || name == ".shared" || name == ".const" || name == ".local" || name == ".attribute":
			if name == ".attribute" {
				return 0, 0, p.errorf("directive %q, which is not run here", name)
			}
		case typeBytes[name] != 0 && width == 0:
			width = typeBytes[name]
		default:
			return 0, 0, p.errorf("type %q, which is not run here", name)
		}
	}
	if width == 0 {
		return 0, 0, p.errorf("%v where a type should stand", p.tok)
	}
	return max(align, width), width, nil
}

// parseExtent parses "[4][8]", "[]" or nothing: the count of elements, and whether it is open.
func (p *parser) parseExtent() (count int, open bool, err error) {
	count = 1
	for {
		bracket, err := p.skip('[')
		if err != nil || !bracket {
			return count, open, err
		}
		if p.tok.kind == ']' {
			open, count = true, 0
		} else {
			n, err := p.number(1, maxVariable, "a size")
			if err != nil {
				return 0, false, err
			}
			if count *= n; count > maxVariable {
				return 0, false, p.errorf("a variable of more than %d elements", maxVariable)
			}
		}
		if _, err := p.take(']', "\"]\""); err != nil {
			return 0, false, err
		}
	}
}

// declare enters v into its scope, with its contents if it is the module's.
func (p *parser) declare(b *body, v *variable, width int) error {
	if v.size > maxVariable {
		return p.errorf("variable %s of %d bytes; at most %d are taken", v.name, v.size, maxVariable)
	}
	if v.space == spaceGlobal {
		v.offset = alignUp(len(p.module.data), v.align)
		if v.offset+v.size > 16*maxVariable {
			return p.errorf("variable %s: more than %d bytes of variables", v.name, 16*maxVariable)
		}
		p.module.data = append(p.module.data, make([]byte, v.offset+v.size-len(p.module.data))...)
	}
	if initialised, err := p.skip('='); err != nil {
		return err
	} else if initialised {
		if v.space != spaceGlobal {
			return p.errorf("variable %s: only .global and .const ones have a value", v.name)
		}
		if err := p.parseValues(p.module.data[v.offset:v.offset+v.size], width); err != nil {
			return err
		}
	}
	if b != nil {
		return b.declareVariable(v)
	}
	if p.module.variables[v.name] != nil {
		return p.errorf("variable %s a second time", v.name)
	}
	p.module.variables[v.name] = v
	return nil
}

// parseValues parses "{1, 2, {3}}" or "1" into to; elements are width bytes.
func (p *parser) parseValues(to []byte, width int) error {
	depth, at := 0, 0
	for {
		switch p.tok.kind {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
		case tokenNumber, '-':
			bits, _, err := p.parseNumber()
			if err != nil {
				return err
			}
			if at+width > len(to) {
				return p.errorf("more values than the variable has room for")
			}
			var raw [8]byte
			binary.LittleEndian.PutUint64(raw[:], bits)
			at += copy(to[at:at+width], raw[:])
			if depth == 0 {
				return nil
			}
			continue
		default:
			return p.errorf("%v among the values of a variable", p.tok)
		}
		if err := p.advance(); err != nil {
			return err
		}
		if depth == 0 {
			return nil
		}
	}
}

// literalKind tells how a number was written.
type literalKind byte

const (
	literalInt literalKind = iota
	literalF32             // 0f3F800000: its bits
	literalF64             // 0d..., or a decimal fraction: its bits
)

// parseNumber takes a number, with a sign if there is one, as bits.
func (p *parser) parseNumber() (bits uint64, kind literalKind, err error) {
	negative, err := p.skip('-')
	if err != nil {
		return 0, 0, err
	}
	at := *p
	text, err := p.take(tokenNumber, "a number")
	if err != nil {
		return 0, 0, err
	}
	bits, kind, ok := literal(text)
	if !ok {
		return 0, 0, at.errorf("number %q, which is none of PTX", text)
	}
	if negative {
		if kind != literalInt {
			return 0, 0, at.errorf("a sign before %q", text)
		}
		bits = -bits
	}
	return bits, kind, nil
}

func literal(text string) (bits uint64, kind literalKind, ok bool) {
	if len(text) > 2 && text[0] == '0' {
		switch text[1] {
		case 'f', 'F':
			v, err := strconv.ParseUint(text[2:], 16, 32)
			return v, literalF32, err == nil && len(text) == 10
		case 'd', 'D':
			v, err := strconv.ParseUint(text[2:], 16, 64)
			return v, literalF64, err == nil && len(text) == 18
		}
	}
	if strings.Contains(text, ".") {
		f, err := strconv.ParseFloat(text, 64)
		return math.Float64bits(f), literalF64, err == nil
	}
	v, err := strconv.ParseUint(strings.TrimSuffix(text, "U"), 0, 64)
	return v, literalInt, err == nil && !strings.Contains(text, "_")
}

// alignUp is the least multiple of align, a power of two, that is not below n.
func alignUp(n, align int) int { return (n + align - 1) &^ (align - 1) }
