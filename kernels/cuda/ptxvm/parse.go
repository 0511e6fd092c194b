package ptxvm

import (
	"fmt"
	"strconv"
	"strings"
)

// Module is a parsed PTX text. It is not changed by running its functions, save for the
// contents of its .global variables.
type Module struct {
	Version   string // of the PTX language: 7.0
	Target    int    // 80 of .target sm_80
	Functions map[string]*Function

	variables map[string]*variable
	data      []byte // of its .global and .const variables, at moduleBase
}

// Param is one parameter of a function: where it lies in the parameter block, in bytes.
type Param struct {
	Name         string
	Offset, Size int
}

// Function is one entry point, decoded.
type Function struct {
	Name        string
	Params      []Param
	ParamBytes  int // of the parameter block
	SharedBytes int // static shared memory; dynamic shared memory follows it
	MaxThreads  int // of .maxntid or .reqntid; 0 if the text sets no bound

	code       []instruction
	text       string // of the whole module, for faults
	registers  [3]int // used ones by class
	constants  constants
	specials   []special
	sharedTop  int // where dynamic shared memory starts
	localBytes int
	slots      int // memory instructions, each with a cache of the allocation it met last
	module     *Module
}

// A state space as the interpreter keeps it.
type space byte

const (
	spaceGeneric space = iota
	spaceGlobal
	spaceShared
	spaceParam
	spaceLocal
)

// variable is a name that stands for an address.
type variable struct {
	name   string
	space  space
	align  int
	size   int
	extern bool // .extern .shared x[]: the dynamic shared memory
	offset int  // within its space; of shared ones it is the function's to choose
}

// maxStatements bounds the instructions of a module.
const maxStatements = 1 << 18

// Windows of the address space. Allocations lie above memoryBase, see [Memory].
const (
	sharedBase = uint64(1) << 40
	localBase  = uint64(2) << 40
	moduleBase = uint64(3) << 40
	windowSize = uint64(1) << 32
)

type parser struct {
	lexer
	tok    token
	module *Module
	count  int // statements so far
}

// Parse reads PTX text and decodes its entry points. An instruction, modifier or directive
// that the interpreter does not know is an error that names it and its line: what parses
// runs as the PTX ISA says, or faults.
func Parse(ptx string) (*Module, error) {
	if len(ptx) > maxText {
		return nil, fmt.Errorf("ptx of %d bytes; at most %d are taken", len(ptx), maxText)
	}
	p := &parser{
		lexer:  lexer{text: ptx, line: 1},
		module: &Module{Functions: map[string]*Function{}, variables: map[string]*variable{}},
	}
	if err := p.parseModule(); err != nil {
		return nil, fmt.Errorf("ptx: %w", err)
	}
	return p.module, nil
}

func (p *parser) advance() error {
	t, err := p.next()
	p.tok = t
	return err
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", p.tok.line, fmt.Sprintf(format, args...))
}

// take consumes a token of kind k and is its text.
func (p *parser) take(k tokenKind, what string) (string, error) {
	if p.tok.kind != k {
		return "", p.errorf("%v where %s should stand", p.tok, what)
	}
	text := p.tok.text
	return text, p.advance()
}

// skip consumes a token of kind k if it is next.
func (p *parser) skip(k tokenKind) (bool, error) {
	if p.tok.kind != k {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) parseModule() error {
	if err := p.advance(); err != nil {
		return err
	}
	for p.tok.kind != tokenEnd {
		name, err := p.take(tokenName, "a directive")
		if err != nil {
			return err
		}
		switch name {
		case ".version":
			p.module.Version = p.tok.text
			_, err = p.take(tokenNumber, "a version")
		case ".target":
			err = p.parseTarget()
		case ".address_size":
			if p.tok.text != "64" {
				return p.errorf("address size %v; only 64 is run", p.tok)
			}
			err = p.advance()
		case ".visible", ".weak", ".common":
		case ".extern":
			err = p.parseVariable(nil, true)
		case ".entry":
			err = p.parseEntry()
		case ".shared", ".global", ".const", ".local":
			err = p.variableIn(nil, name, false)
		case ".pragma":
			err = p.skipStatement()
		default:
			return p.errorf("directive %q, which is not run here", name)
		}
		if err != nil {
			return err
		}
	}
	if p.module.Version == "" || p.module.Target == 0 {
		return p.errorf("no .version and .target")
	}
	return nil
}

func (p *parser) parseTarget() error {
	name, err := p.take(tokenName, "a target")
	if err != nil {
		return err
	}
	arch := strings.TrimRight(strings.TrimPrefix(name, "sm_"), "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(arch)
	if err != nil || n <= 0 || !strings.HasPrefix(name, "sm_") {
		return p.errorf("target %q, not of the form sm_80", name)
	}
	p.module.Target = n
	for {
		more, err := p.skip(',')
		if err != nil || !more {
			return err
		}
		if _, err := p.take(tokenName, "an option of the target"); err != nil {
			return err
		}
	}
}

func (p *parser) skipStatement() error {
	for p.tok.kind != ';' {
		if p.tok.kind == tokenEnd {
			return p.errorf("a statement without its \";\"")
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
	return p.advance()
}

// number takes an integer in [low, high].
func (p *parser) number(low, high int, what string) (int, error) {
	at := *p
	text, err := p.take(tokenNumber, what)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(strings.TrimSuffix(text, "U"), 0, 64)
	if err != nil || v < int64(low) || v > int64(high) {
		return 0, at.errorf("%s %q, not within %d to %d", what, text, low, high)
	}
	return int(v), nil
}

// parseEntry parses an entry point, from its name on.
func (p *parser) parseEntry() error {
	name, err := p.take(tokenName, "the name of an entry point")
	if err != nil {
		return err
	}
	if p.module.Functions[name] != nil {
		return p.errorf("entry point %q a second time", name)
	}
	f := &Function{Name: name, text: p.text, module: p.module}
	b := newBody(p, f)
	if open, err := p.skip('('); err != nil {
		return err
	} else if open {
		if err := b.parseParams(); err != nil {
			return err
		}
	}
	for p.tok.kind == tokenName {
		if err := p.parseTuning(f); err != nil {
			return err
		}
	}
	if semicolon, err := p.skip(';'); err != nil || semicolon {
		return err // a declaration
	}
	if _, err := p.take('{', "the body of the entry point"); err != nil {
		return err
	}
	if err := b.parse(); err != nil {
		return err
	}
	if err := b.decode(); err != nil {
		return fmt.Errorf("entry point %s: %w", name, err)
	}
	p.module.Functions[name] = f
	return nil
}

// parseTuning parses what stands between parameters and body: .maxntid 256, 1, 1.
func (p *parser) parseTuning(f *Function) error {
	name := p.tok.text
	switch name {
	case ".maxntid", ".reqntid", ".minnctapersm", ".maxnreg", ".maxnctapersm", ".pragma":
	default:
		return p.errorf("directive %q, which is not run here", name)
	}
	if err := p.advance(); err != nil {
		return err
	}
	if name == ".pragma" {
		return p.skipStatement()
	}
	product := 1
	for {
		n, err := p.number(1, 1<<20, name)
		if err != nil {
			return err
		}
		product = min(product*n, 1<<20)
		if more, err := p.skip(','); err != nil {
			return err
		} else if !more {
			break
		}
	}
	if name == ".maxntid" || name == ".reqntid" {
		f.MaxThreads = product
	}
	return nil
}
