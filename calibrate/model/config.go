package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// config reads the fields of a config.json. The first error stays and what is read
// after it is meaningless, so that a family reads as a list of fields.
type config struct {
	raw  map[string]json.RawMessage
	read []sized // in the order asked for
	err  error
}

type sized struct {
	field string
	value int64
}

func (c *config) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *config) absent(field string) bool {
	v, ok := c.raw[field]
	return !ok || string(v) == "null"
}

// size reads a field that must be there and be a whole number of at least 1.
func (c *config) size(field string) int64 {
	v, ok := c.raw[field]
	if !ok {
		c.fail("%s is missing: want a whole number", field)
		return 1
	}
	n, err := wholeNumber(v)
	if err != nil {
		c.fail("%s is %s: want a whole number of at least 1", field, err)
		return 1
	}
	c.read = append(c.read, sized{field, n})
	return n
}

// sizeOr is size for a field that may be absent or null.
func (c *config) sizeOr(field string, absent int64) int64 {
	if c.absent(field) {
		return absent
	}
	return c.size(field)
}

// wholeNumber's error is what the text is instead, to stand after "is".
func wholeNumber(v json.RawMessage) (int64, error) {
	text := string(v)
	switch text[0] {
	case '"':
		return 0, fmt.Errorf("the text %s", clip(text))
	case '{', '[', 't', 'f', 'n':
		return 0, errors.New(clip(text))
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // 768.0 and 1e3 are whole; 1e19 and 12.5 are not for us
		x, ferr := strconv.ParseFloat(text, 64)
		switch {
		case ferr != nil || math.Abs(x) >= 1<<63:
			return 0, fmt.Errorf("%s, which does not fit in 63 bits", clip(text))
		case x != math.Trunc(x):
			return 0, errors.New(clip(text))
		}
		n = int64(x)
	}
	if n < 1 {
		return 0, errors.New(clip(text))
	}
	return n, nil
}

// flag reads true or false; absent or null is the given default.
func (c *config) flag(field string, absent bool) bool {
	if c.absent(field) {
		return absent
	}
	switch v := string(c.raw[field]); v {
	case "true":
		return true
	case "false":
		return false
	default:
		c.fail("%s is %s: want true or false", field, clip(v))
		return false
	}
}

// text reads a string; absent or null is the given default.
func (c *config) text(field, absent string) string {
	if c.absent(field) {
		return absent
	}
	var s string
	if json.Unmarshal(c.raw[field], &s) != nil {
		c.fail("%s is %s: want a text in quotes", field, clip(string(c.raw[field])))
	}
	return s
}

// function reads the name of an activation function that has a definition; absent is
// the family's own, since no parameter and no matrix product depends on it.
func (c *config) function(field, absent string) string {
	name := c.text(field, absent)
	if c.err == nil && !slices.Contains(activations, name) {
		c.fail("%s: %w", field, kernels.Unknown("activation", clip(name), activations))
	}
	return name
}

// largest is the field that an overflow is told by.
func (c *config) largest() (string, int64) {
	var at sized
	for _, s := range c.read {
		if s.value > at.value {
			at = s
		}
	}
	return at.field, at.value
}

// architecture reads the family's fields.
func (c *config) architecture() (Architecture, []bench.Warning) {
	if c.absent("model_type") {
		c.fail("model_type is missing: want one of %s", strings.Join(familyNames(), ", "))
		return Architecture{}, nil
	}
	name := c.text("model_type", "")
	if c.err != nil {
		return Architecture{}, nil
	}
	for _, f := range families {
		if f.modelType != name {
			continue
		}
		a := f.read(c)
		a.Family = name
		return a, c.doubts(f)
	}
	c.err = fmt.Errorf("architecture %s is not known: model_type must be one of %s", clip(strconv.Quote(name)), strings.Join(familyNames(), ", "))
	return Architecture{}, nil
}

// doubts are what the configuration says and the counts leave out.
func (c *config) doubts(f family) []bench.Warning {
	var warnings []bench.Warning
	var classes []string
	if !c.absent("architectures") && json.Unmarshal(c.raw["architectures"], &classes) == nil && len(classes) > 0 && classes[0] != f.counted {
		warnings = append(warnings, bench.Warning{
			Code: "head_not_counted",
			Text: fmt.Sprintf("the configuration names %s; what is counted is %s", clip(classes[0]), f.counted),
		})
	}
	if !c.absent("quantization_config") {
		warnings = append(warnings, bench.Warning{
			Code: "quantization_not_counted",
			Text: "the configuration is of a quantised model; bytes are those of unquantised weights",
		})
	}
	return warnings
}

// clip shortens what a file holds to what fits in a sentence.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return strings.ReplaceAll(s, "\n", " ")
}

// describeJSON adds to a JSON error where it is.
func describeJSON(err error, size int) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(size):
		return fmt.Errorf("it ends after %d bytes in the middle of a value", size)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w at byte %d", err, syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("it is a JSON %s", kind.Value)
	}
	return err
}
