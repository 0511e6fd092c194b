package ptxvm

import "fmt"

// maxText bounds what [Parse] takes, in bytes of PTX.
const maxText = 16 << 20

// tokenKind tells names and numbers from single characters, which are their own kind.
type tokenKind byte

const (
	tokenEnd    tokenKind = 0
	tokenName   tokenKind = 'n' // also directives (.reg), registers (%r1) and opcodes with their modifiers
	tokenNumber tokenKind = '0'
	tokenString tokenKind = '"'
)

type token struct {
	kind tokenKind
	text string
	line int
}

func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end of the text"
	}
	return fmt.Sprintf("%q", t.text)
}

// lexer cuts PTX into tokens. Comments and directives of debuggers (.loc, .file) leave no token.
type lexer struct {
	text string
	at   int
	line int
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '_' || c == '$' || c == '%' || c == '.'
}

// next is the next token; a character that PTX does not know is an error.
func (l *lexer) next() (token, error) {
	for {
		if err := l.space(); err != nil {
			return token{}, err
		}
		if l.at >= len(l.text) {
			return token{kind: tokenEnd, line: l.line}, nil
		}
		t, err := l.cut()
		if err != nil || t.kind != tokenName || t.text != ".loc" && t.text != ".file" {
			return t, err
		}
		l.toLineEnd()
	}
}

// cut cuts the token that starts here.
func (l *lexer) cut() (token, error) {
	start, line := l.at, l.line
	upTo := func(k tokenKind) token { return token{kind: k, text: l.text[start:l.at], line: line} }
	switch c := l.text[l.at]; {
	case isDigit(c):
		for l.at < len(l.text) && isName(l.text[l.at]) {
			l.at++
		}
		return upTo(tokenNumber), nil
	case isName(c):
		l.name()
		return upTo(tokenName), nil
	case c == '"':
		for l.at++; l.at < len(l.text) && l.text[l.at] != '"'; l.at++ {
			if l.text[l.at] == '\n' {
				break
			}
		}
		if l.at >= len(l.text) || l.text[l.at] != '"' {
			return token{}, fmt.Errorf("line %d: a string that does not end on its line", line)
		}
		l.at++
		return upTo(tokenString), nil
	}
	l.at++
	switch c := l.text[start]; c {
	case ',', ';', '{', '}', '[', ']', '(', ')', ':', '+', '-', '!', '|', '@', '=', '<', '>':
		return upTo(tokenKind(c)), nil
	default:
		return token{}, fmt.Errorf("line %d: character %q, which PTX does not use", line, c)
	}
}

// name passes over a name, in which "::" is a part (L2::128B) and ":" is not (a label's end).
func (l *lexer) name() {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case isName(c):
			l.at++
		case c == ':' && l.at+2 < len(l.text) && l.text[l.at+1] == ':' && isName(l.text[l.at+2]):
			l.at += 2
		default:
			return
		}
	}
}

func (l *lexer) toLineEnd() {
	for l.at < len(l.text) && l.text[l.at] != '\n' {
		l.at++
	}
}

// space passes over white space and comments. A NUL ends the text, as a driver has it.
func (l *lexer) space() error {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\n':
			l.line++
			l.at++
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
		case c == 0:
			l.at = len(l.text)
		case c == '/' && l.at+1 < len(l.text) && l.text[l.at+1] == '/':
			l.toLineEnd()
		case c == '/' && l.at+1 < len(l.text) && l.text[l.at+1] == '*':
			start := l.line
			for l.at += 2; ; l.at++ {
				if l.at+1 >= len(l.text) {
					return fmt.Errorf("line %d: a comment that does not end", start)
				}
				if l.text[l.at] == '*' && l.text[l.at+1] == '/' {
					l.at += 2
					break
				}
				if l.text[l.at] == '\n' {
					l.line++
				}
			}
		default:
			return nil
		}
	}
	return nil
}
