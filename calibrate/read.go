package calibrate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/realflops/realflops/kernels"
)

// maxProfileBytes bounds a profile file: thousands of times what a run makes.
const maxProfileBytes = 16 << 20

// Read reads a profile in its JSON form (docs/profile.md) and checks it. Fields that it does not
// know are ignored: a version only adds fields. The error says in one sentence what is wrong.
func Read(r io.Reader) (Profile, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxProfileBytes+1))
	if err != nil {
		return Profile{}, fmt.Errorf("reading a profile: %w", err)
	}
	if len(text) > maxProfileBytes {
		return Profile{}, fmt.Errorf("the profile is larger than %d MB, which no run makes", maxProfileBytes>>20)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return Profile{}, errors.New("the profile is empty: want JSON with schema " + Schema)
	}
	// The schema first, so that a document of another kind is called that, not ill-formed.
	var kind struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return Profile{}, fmt.Errorf("the profile is not JSON: %w", err)
	}
	if kind.Schema != Schema {
		return Profile{}, fmt.Errorf("the profile has schema %q: want %q", kind.Schema, Schema)
	}
	var p Profile
	if err := json.Unmarshal(text, &p); err != nil {
		return Profile{}, fmt.Errorf("the profile does not have the form of %s: %w", Schema, err)
	}
	if err := p.Check(); err != nil {
		return Profile{}, fmt.Errorf("the profile cannot be used: %w", err)
	}
	return p, nil
}

// Check reports what makes p unfit to look things up in: no device, a figure that is not a
// positive number within its interval, an unsorted or empty curve.
func (p *Profile) Check() error {
	if len(p.Devices) == 0 {
		return errors.New("it has no device")
	}
	for i := range p.Devices {
		if err := p.Devices[i].check(); err != nil {
			return fmt.Errorf("device %q: %w", p.Devices[i].ID, err)
		}
	}
	return nil
}

func (d *Device) check() error {
	for _, l := range d.Limits {
		if err := d.named("limit", l.Precision, l.Threads, l.FlopPerS.check()); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(d.GEMM, d.Products) {
		if err := d.named(cmp.Or(string(c.Kernel), "gemm"), c.Precision, c.Threads, c.check()); err != nil {
			return err
		}
	}
	for _, c := range slices.Concat(d.Elementwise, d.Bandwidth, d.Latency) {
		if err := d.named(string(c.Kernel), c.Precision, c.Threads, c.check()); err != nil {
			return err
		}
	}
	for _, o := range d.Overheads {
		if s := o.Seconds; !(s.Lo >= 0 && s.Lo <= s.Value && s.Value <= s.Hi && s.Hi <= math.MaxFloat64) {
			return fmt.Errorf("overhead %s: %v is not a time within [%v, %v]", o.Name, s.Value, s.Lo, s.Hi)
		}
	}
	return nil
}

// named says which list err is of, and refuses a thread count below 1.
func (d *Device) named(what string, p kernels.Precision, threads int, err error) error {
	if err == nil {
		err = d.checkThreads(threads)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, p, err)
	}
	return nil
}

// Rates and sizes beyond these are no machine's, and their products would overflow.
const (
	maxRate = 1e30
	minRate = 1e-30
	maxDim  = 1 << 40
)

// check reports a figure that is no positive rate within its interval.
func (f Figure) check() error {
	if !(f.Lo >= minRate && f.Lo <= f.Value && f.Value <= f.Hi && f.Hi <= maxRate) {
		return fmt.Errorf("%v is not a positive rate within [%v, %v]", f.Value, f.Lo, f.Hi)
	}
	return nil
}

func (c GEMMCurve) check() error {
	if len(c.Points) == 0 {
		return errors.New("it has no points")
	}
	for i, p := range c.Points {
		for _, d := range []int{p.Shape.M, p.Shape.N, p.Shape.K, max(p.Shape.Batch, 1)} {
			if d < 1 || d > maxDim {
				return fmt.Errorf("shape %s: every dimension must be 1 to 2^40", p.Shape)
			}
		}
		if i > 0 && compareShapes(c.Points[i-1].Shape, p.Shape) >= 0 {
			return fmt.Errorf("shape %s stands after %s: want ascending order, each once", p.Shape, c.Points[i-1].Shape)
		}
		if err := p.FlopPerS.check(); err != nil {
			return fmt.Errorf("shape %s: %w", p.Shape, err)
		}
	}
	return nil
}

func (c Curve) check() error {
	if len(c.Points) == 0 {
		return errors.New("it has no points")
	}
	for i, p := range c.Points {
		if p.N < 1 || p.N > maxDim || !(p.Bytes > 0 && p.Bytes < maxRate) {
			return fmt.Errorf("size %d of %v bytes: want 1 to 2^40 elements and a positive number of bytes", p.N, p.Bytes)
		}
		if i > 0 && (p.N <= c.Points[i-1].N || p.Bytes <= c.Points[i-1].Bytes) {
			return fmt.Errorf("size %d stands after %d: want ascending order, each once", p.N, c.Points[i-1].N)
		}
		if err := p.Rate.check(); err != nil {
			return fmt.Errorf("size %d: %w", p.N, err)
		}
	}
	return nil
}
