package ptxvm

import (
	"strconv"
	"strings"
)

// maxRegisters bounds the registers that one function uses.
const maxRegisters = 1 << 16

// register is one that a function uses: its width in bits (1, 16, 32, 64) and its number in
// the file of its class.
type register struct {
	width int
	index int32
}

func (r register) class() int {
	switch r.width {
	case 1:
		return classPred
	case 64:
		return class64
	}
	return class32
}

// parseRegisters parses a declaration of registers from its type on.
func (b *body) parseRegisters() error {
	p := b.parser
	typ, err := p.take(tokenName, "a type")
	if err != nil {
		return err
	}
	width := 8 * typeBytes[typ]
	if typ == ".pred" {
		width = 1
	}
	if width == 0 || width == 8 {
		return p.errorf("registers of type %q, which are not run here", typ)
	}
	for {
		name, err := p.take(tokenName, "a register")
		if err != nil {
			return err
		}
		if ranged, err := p.skip('<'); err != nil {
			return err
		} else if ranged {
			count, err := p.number(0, 1<<24, "a count of registers")
			if err != nil {
				return err
			}
			if _, err := p.take('>', "\">\""); err != nil {
				return err
			}
			b.scope.ranges[name] = [2]int{width, count}
		} else {
			b.scope.widths[name] = width
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

// newRegister numbers one more register of the function.
func (b *body) newRegister(width int) (register, error) {
	r := register{width: width}
	n := &b.f.registers[r.class()]
	if *n >= maxRegisters {
		return r, b.errorf("more than %d registers", maxRegisters)
	}
	r.index = int32(*n)
	*n++
	return r, nil
}

// findRegister finds a declared register, and numbers it at its first use.
func (b *body) findRegister(name string) (register, bool, error) {
	prefix := strings.TrimRight(name, "0123456789")
	for s := b.scope; s != nil; s = s.parent {
		if r, ok := s.registers[name]; ok {
			return r, true, nil
		}
		width, ok := s.widths[name]
		if !ok && len(prefix) < len(name) {
			if declared, is := s.ranges[prefix]; is {
				n, err := strconv.Atoi(name[len(prefix):])
				width, ok = declared[0], err == nil && n < declared[1]
			}
		}
		if ok {
			r, err := b.newRegister(width)
			s.registers[name] = r
			return r, true, err
		}
	}
	return register{}, false, nil
}
