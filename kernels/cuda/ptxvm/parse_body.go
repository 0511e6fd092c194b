package ptxvm

// The classes of registers. A class is a register file of its own; 16-bit registers lie in
// the 32-bit file, with their upper half zero.
const (
	classPred = iota
	class32
	class64
)

// scope is what one pair of braces declares.
type scope struct {
	parent    *scope
	widths    map[string]int    // of registers declared by name
	ranges    map[string][2]int // prefix of registers declared by count: width, count
	registers map[string]register
	variables map[string]*variable
	labels    map[string]int
}

func newScope(parent *scope) *scope {
	return &scope{
		parent: parent, widths: map[string]int{}, ranges: map[string][2]int{}, registers: map[string]register{},
		variables: map[string]*variable{}, labels: map[string]int{},
	}
}

type operandKind byte

const (
	operandRegister operandKind = iota
	operandLiteral
	operandVector
	operandAddress  // [base+offset]
	operandVariable // the address of one, plus offset
	operandLabel
	operandSink // _
)

type operand struct {
	kind     operandKind
	not      bool // !%p
	reg      register
	bits     uint64
	literal  literalKind
	name     string
	variable *variable // also the base of an address; nil: reg, or nothing but offset
	param    bool      // the base of an address is the parameter block
	hasReg   bool      // the base of an address is reg
	offset   int64
	list     []operand
	second   *operand // of %p|%q
}

// statement is one instruction before it is decoded.
type statement struct {
	line  int
	op    string
	guard int32 // predicate, or -1
	not   bool
	args  []operand
	scope *scope
}

// body is a function while it is parsed.
type body struct {
	*parser
	f          *Function
	scope      *scope
	statements []statement
	params     map[string]Param
	offsets    map[*variable]int // of the shared variables that the function uses
	specials   map[string]register
	slots      int
}

func newBody(p *parser, f *Function) *body {
	return &body{
		parser: p, f: f, scope: newScope(nil), params: map[string]Param{},
		offsets: map[*variable]int{}, specials: map[string]register{},
	}
}

// parseParams parses parameters, from after "(" on.
func (b *body) parseParams() error {
	for p := b.parser; ; {
		if closed, err := p.skip(')'); err != nil || closed {
			return err
		}
		if p.tok.text != ".param" {
			return p.errorf("%v where .param should stand", p.tok)
		}
		if err := p.advance(); err != nil {
			return err
		}
		align, width, err := p.parseType()
		if err != nil {
			return err
		}
		name, err := p.take(tokenName, "the name of a parameter")
		if err != nil {
			return err
		}
		count, _, err := p.parseExtent()
		if err != nil {
			return err
		}
		offset := alignUp(b.f.ParamBytes, align)
		param := Param{Name: name, Offset: offset, Size: count * width}
		if offset+param.Size > 32764 {
			return p.errorf("parameters of more than 32764 bytes")
		}
		b.f.ParamBytes = offset + param.Size
		b.f.Params = append(b.f.Params, param)
		b.params[name] = param
		if _, err := p.skip(','); err != nil {
			return err
		}
	}
}

// parse parses the statements of a body, from after its "{" on.
func (b *body) parse() error {
	p := b.parser
	for depth := 1; depth > 0; {
		var err error
		switch p.tok.kind {
		case '}':
			depth--
			if b.scope.parent != nil {
				b.scope = b.scope.parent
			}
			err = p.advance()
		case '{':
			depth++
			b.scope = newScope(b.scope)
			err = p.advance()
		case ';':
			err = p.advance()
		case '@', tokenName:
			err = b.parseStatement()
		default:
			err = p.errorf("%v where a statement should stand", p.tok)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *body) parseStatement() error {
	p := b.parser
	s := statement{line: p.tok.line, guard: -1, scope: b.scope}
	if guarded, err := p.skip('@'); err != nil {
		return err
	} else if guarded {
		guard, err := b.parseOperand()
		if err != nil {
			return err
		}
		if guard.kind != operandRegister || guard.reg.width != 1 {
			return p.errorf("a guard that is no predicate")
		}
		s.guard, s.not = guard.reg.index, guard.not
	}
	name, err := p.take(tokenName, "an instruction")
	if err != nil {
		return err
	}
	if s.guard < 0 {
		if label, err := p.skip(':'); err != nil {
			return err
		} else if label {
			if _, twice := b.scope.labels[name]; twice {
				return p.errorf("label %s a second time", name)
			}
			b.scope.labels[name] = len(b.statements)
			return nil
		}
		switch name {
		case ".reg":
			return b.parseRegisters()
		case ".shared", ".local", ".const", ".global":
			return p.variableIn(b, name, false)
		case ".pragma":
			return p.skipStatement()
		}
	}
	if name[0] == '.' {
		return p.errorf("directive %q, which is not run here", name)
	}
	s.op = name
	for p.tok.kind != ';' {
		o, err := b.parseOperand()
		if err != nil {
			return err
		}
		s.args = append(s.args, o)
		if more, err := p.skip(','); err != nil {
			return err
		} else if !more && p.tok.kind != ';' {
			return p.errorf("%v where \",\" or \";\" should stand", p.tok)
		}
	}
	b.statements = append(b.statements, s)
	if p.count++; p.count > maxStatements {
		return p.errorf("more than %d instructions", maxStatements)
	}
	return p.advance()
}

func (b *body) declareVariable(v *variable) error {
	if b.scope.variables[v.name] != nil {
		return b.errorf("variable %s a second time", v.name)
	}
	b.scope.variables[v.name] = v
	if v.space == spaceLocal {
		v.offset = alignUp(b.f.localBytes, v.align)
		b.f.localBytes = v.offset + v.size
		if b.f.localBytes > maxLocal {
			return b.errorf("variable %s: more than %d bytes of local memory", v.name, maxLocal)
		}
	}
	return nil
}

func (b *body) findVariable(name string) *variable {
	for s := b.scope; s != nil; s = s.parent {
		if v := s.variables[name]; v != nil {
			return v
		}
	}
	return b.module.variables[name]
}

// useShared gives a shared variable its place, at its first use.
func (b *body) useShared(v *variable) error {
	if _, placed := b.offsets[v]; placed || v.space != spaceShared {
		return nil
	}
	if v.extern {
		b.offsets[v] = -1 // known when all static ones are
		return nil
	}
	at := alignUp(b.f.SharedBytes, v.align)
	b.offsets[v], b.f.SharedBytes = at, at+v.size
	if b.f.SharedBytes > maxVariable {
		return b.errorf("more than %d bytes of shared memory", maxVariable)
	}
	return nil
}
