package ptxvm

import "strings"

// parseOperand parses one operand, with its second part if it has one (%p|%q).
func (b *body) parseOperand() (operand, error) {
	o, err := b.parseSimple(true)
	if err != nil {
		return o, err
	}
	if bar, err := b.parser.skip('|'); err != nil || !bar {
		return o, err
	}
	second, err := b.parseSimple(true)
	o.second = &second
	return o, err
}

func (b *body) parseSimple(nested bool) (operand, error) {
	p := b.parser
	switch p.tok.kind {
	case '{':
		if !nested {
			return operand{}, p.errorf("a vector within a vector")
		}
		return b.parseVector()
	case '[':
		return b.parseAddress()
	case '!':
		if err := p.advance(); err != nil {
			return operand{}, err
		}
		if p.tok.kind != tokenName {
			return operand{}, p.errorf("%v where a predicate should stand", p.tok)
		}
		o, err := b.parseSimple(false)
		o.not = !o.not
		if err == nil && (o.kind != operandRegister || o.reg.width != 1) {
			err = p.errorf("\"!\" before what is no predicate")
		}
		return o, err
	case tokenNumber, '-':
		bits, kind, err := p.parseNumber()
		return operand{kind: operandLiteral, bits: bits, literal: kind}, err
	case tokenName:
		return b.parseName()
	}
	return operand{}, p.errorf("%v where an operand should stand", p.tok)
}

func (b *body) parseVector() (operand, error) {
	p := b.parser
	o := operand{kind: operandVector}
	if err := p.advance(); err != nil {
		return o, err
	}
	for {
		e, err := b.parseSimple(false)
		if err != nil {
			return o, err
		}
		o.list = append(o.list, e)
		if len(o.list) > 64 {
			return o, p.errorf("a vector of more than 64 elements")
		}
		if more, err := p.skip(','); err != nil {
			return o, err
		} else if !more {
			break
		}
	}
	_, err := p.take('}', "\"}\"")
	return o, err
}

// parseName parses a register, a variable (with an offset), or a label.
func (b *body) parseName() (operand, error) {
	p := b.parser
	name := p.tok.text
	if name == "_" {
		return operand{kind: operandSink}, p.advance()
	}
	r, ok, err := b.findRegister(name)
	if err != nil {
		return operand{}, err
	}
	if !ok && strings.HasPrefix(name, "%") {
		if r, ok, err = b.findSpecial(name); err != nil {
			return operand{}, err
		}
		if !ok {
			return operand{}, p.errorf("register %s is not declared", name)
		}
	}
	if ok {
		return operand{kind: operandRegister, reg: r, name: name}, p.advance()
	}
	if name == "WARP_SZ" {
		return operand{kind: operandLiteral, bits: 32}, p.advance()
	}
	v := b.findVariable(name)
	if v == nil {
		return operand{kind: operandLabel, name: name}, p.advance()
	}
	if err := b.useShared(v); err != nil {
		return operand{}, err
	}
	o := operand{kind: operandVariable, variable: v, name: name}
	if err := p.advance(); err != nil {
		return o, err
	}
	o.offset, err = p.parseOffset()
	return o, err
}

// parseOffset parses "+16", "-16", "+-16" or nothing.
func (p *parser) parseOffset() (int64, error) {
	minus := p.tok.kind == '-'
	if p.tok.kind != '+' && !minus {
		return 0, nil
	}
	if !minus {
		if err := p.advance(); err != nil {
			return 0, err
		}
	}
	bits, kind, err := p.parseNumber()
	if err != nil {
		return 0, err
	}
	if v := int64(bits); kind != literalInt || v > 1<<31 || v < -1<<31 {
		return 0, p.errorf("an offset that does not fit in 32 bits")
	}
	return int64(bits), nil
}

// parseAddress parses "[base+offset]".
func (b *body) parseAddress() (operand, error) {
	p := b.parser
	o := operand{kind: operandAddress}
	if err := p.advance(); err != nil {
		return o, err
	}
	var err error
	switch p.tok.kind {
	case tokenNumber, '-':
		var bits uint64
		bits, _, err = p.parseNumber()
		o.offset = int64(bits)
	case tokenName:
		if param, ok := b.params[p.tok.text]; ok {
			o.param, o.offset = true, int64(param.Offset)
			err = p.advance()
			break
		}
		var base operand
		if base, err = b.parseName(); err != nil {
			return o, err
		}
		switch {
		case base.kind == operandRegister && base.reg.width >= 32:
			o.hasReg, o.reg, o.name = true, base.reg, base.name
		case base.kind == operandVariable:
			o.variable, o.offset = base.variable, base.offset
		default:
			return o, p.errorf("%s, which is no address", base.name)
		}
	default:
		err = p.errorf("%v where an address should stand", p.tok)
	}
	if err != nil {
		return o, err
	}
	more, err := p.parseOffset()
	if err != nil {
		return o, err
	}
	o.offset += more
	_, err = p.take(']', "\"]\"")
	return o, err
}
