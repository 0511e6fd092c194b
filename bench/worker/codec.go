package worker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// lines reads lines of at most MaxLine bytes, whatever the other side writes.
type lines struct {
	r *bufio.Reader
}

func newLines(r io.Reader) *lines { return &lines{bufio.NewReaderSize(r, 64<<10)} }

// errLine is a line that cannot be one of the protocol's; the next one may be.
type errLine struct{ text string }

func (e *errLine) Error() string { return e.text }

// next returns the next line without its newline. A line above MaxLine is read to its end in
// bounded memory and is an errLine, and so is a last line without a newline. io.EOF is
// the end between two lines.
func (l *lines) next() ([]byte, error) {
	var line []byte
	length := 0
	for {
		part, err := l.r.ReadSlice('\n')
		length += len(part)
		if length <= MaxLine+1 {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		case length == 0:
			return nil, io.EOF
		case err != nil:
			return nil, &errLine{fmt.Sprintf("half a line of %d bytes before the end, without a newline: %s", length, excerpt(line))}
		case length > MaxLine+1:
			return nil, &errLine{fmt.Sprintf("a line of %d bytes, longer than the %d that a line may have: %s", length-1, MaxLine, excerpt(line))}
		}
		return line[:length-1], nil
	}
}

// excerpt quotes the beginning of what was read, fit for a sentence.
func excerpt(b []byte) string {
	const most = 60
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + " ..."
	}
	return strconv.QuoteToASCII(string(b))
}

// writeLine writes v as one line, by one Write.
func writeLine(w io.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("message cannot be written: %w", err)
	}
	if len(line) > MaxLine {
		return fmt.Errorf("message of %d bytes is longer than the %d that a line may have", len(line), MaxLine)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// parseRequest reads a request strictly: fields that no request has are refused, and so is
// what another verb has. The request is returned as far as it could be read, for its Seq.
func parseRequest(line []byte) (Request, *Error) {
	var req Request
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		var lenient struct {
			Seq int `json:"seq"`
		}
		_ = json.Unmarshal(line, &lenient) // whose answer this is, where that can be told
		return Request{Seq: lenient.Seq}, badRequest("not a request: %v: %s", err, excerpt(line))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return req, badRequest("more than one request in a line: %s", excerpt(line))
	}
	return req, req.check()
}

func badRequest(format string, args ...any) *Error {
	return &Error{Kind: BadRequest, Text: fmt.Sprintf(format, args...)}
}

// mostSamples is how many samples one request may ask for: their reply is far below MaxLine.
const mostSamples = 4096

// check refuses an unknown verb, and parameters that are missing, of another verb or out of range.
func (req Request) check() *Error {
	parameters := map[Verb]bool{Open: req.Open != nil, Prepare: req.Prepare != nil, Sample: req.Sample != nil}
	switch req.Do {
	case Hello, Open, Prepare, Sample, Check, Release, Close:
	default:
		return badRequest("do %q: want hello, open, prepare, sample, check, release or close", req.Do)
	}
	for verb, there := range parameters {
		if there != (verb == req.Do) {
			return badRequest("do %q: the parameters %q belong to that request and to it alone", req.Do, verb)
		}
	}
	if s := req.Sample; s != nil && (s.Passes < 1 || s.Samples < 1 || s.Samples > mostSamples) {
		return badRequest("%d samples of %d passes: want 1 to %d samples of 1 pass or more", s.Samples, s.Passes, mostSamples)
	}
	return nil
}
