package conform

import (
	"bytes"
	"fmt"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
)

// band is the width of a guard band, in bytes. It keeps operands aligned to 256 bytes.
const band = 256

// canary fills guard bands and results beforehand. As fp16, bf16, fp32 and fp64 it is a NaN, so
// that what is read from outside an operand spoils sums.
const canary = 0xff

// operand is one of a launch: what is uploaded, or for a result room that holds canaries.
type operand struct {
	data   []byte // input; nil for a result
	length int    // of a result, in bytes
	at     cuda.Ptr
}

func input(data []byte) *operand   { return &operand{data: data, length: len(data)} }
func result(length int) *operand   { return &operand{length: length} }
func (o *operand) isResult() bool  { return o.data == nil }
func (o *operand) allocated() bool { return o.at != 0 }

// deviceError is an error of the device, not a wrong result.
type deviceError struct{ err error }

func (e *deviceError) Error() string { return e.err.Error() }
func (e *deviceError) Unwrap() error { return e.err }

func device(what string, err error) error {
	if err == nil {
		return nil
	}
	return &deviceError{fmt.Errorf("%s: %w", what, err)}
}

// launch runs the entry on operands in allocations of their own and returns the first, the result.
// Every second case has them between guard bands, where a stray write is seen; the others
// fill their allocations, at whose ends the interpreter sees a stray read.
func (s *subject) launch(shape kernels.Shape, sms int, operands []*operand, scalars ...uint64) ([]byte, error) {
	return s.launchAs(shape, sms, operands, scalars, func(*cuda.Launch) {})
}

// launchAs lets change alter the launch before it is made.
func (s *subject) launchAs(shape kernels.Shape, sms int, operands []*operand, scalars []uint64, change func(*cuda.Launch)) (out []byte, err error) {
	defer func() {
		for _, o := range operands {
			if o.allocated() {
				free := device("freeing an operand", s.dev.Free(o.at))
				o.at = 0
				if err == nil {
					err = free
				}
			}
		}
	}()
	s.cases++
	margin := band * (s.cases % 2)
	pointers := make([]cuda.Ptr, len(operands))
	for i, o := range operands {
		if err := s.place(o, margin); err != nil {
			return nil, err
		}
		pointers[i] = o.at + cuda.Ptr(margin)
	}
	l, err := s.entry.Launch(shape, sms, pointers, scalars...)
	if err != nil {
		return nil, err
	}
	change(&l)
	if err := s.dev.Launch(l); err != nil {
		return nil, device(where(shape, scalars), err)
	}
	if err := s.dev.Synchronize(); err != nil {
		return nil, device(where(shape, scalars), err)
	}
	for i, o := range operands {
		whole := make([]byte, o.length+2*margin)
		if err := s.dev.Download(whole, o.at); err != nil {
			return nil, device("downloading an operand", err)
		}
		content, err := o.inspect(whole, margin)
		if err != nil {
			return nil, fmt.Errorf("%s: operand %d: %w", where(shape, scalars), i, err)
		}
		if o.isResult() {
			out = content
		}
	}
	return out, nil
}

// place allocates o and fills it, guard bands and all.
func (s *subject) place(o *operand, margin int) error {
	size := o.length + 2*margin
	at, err := s.dev.Alloc(int64(size))
	if err != nil {
		return device(fmt.Sprintf("allocating %d bytes", size), err)
	}
	o.at = at
	whole := bytes.Repeat([]byte{canary}, size)
	copy(whole[margin:], o.data)
	return device("uploading an operand", s.dev.Upload(at, whole))
}

// inspect returns what is between the guard bands, or says what is wrong with the bands or
// with an input.
func (o *operand) inspect(whole []byte, margin int) ([]byte, error) {
	content := whole[margin : margin+o.length]
	for i, b := range whole {
		if i == margin {
			break
		}
		if b != canary {
			return nil, fmt.Errorf("byte %d in front of it was written to", margin-i)
		}
	}
	for i, b := range whole[margin+o.length:] {
		if b != canary {
			return nil, fmt.Errorf("byte %d behind its end was written to", i+1)
		}
	}
	if o.isResult() || bytes.Equal(content, o.data) {
		return content, nil
	}
	for i := range content {
		if content[i] != o.data[i] {
			return nil, fmt.Errorf("byte %d of this input was changed", i)
		}
	}
	return content, nil
}

func where(shape kernels.Shape, scalars []uint64) string {
	if len(scalars) > 0 {
		return fmt.Sprintf("%s %v", shape, scalars)
	}
	return shape.String()
}
