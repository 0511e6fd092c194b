package conform

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/twin"
)

// plain is a device that computes what the twins compute, in allocations that it remembers.
// after, if set, is called behind each launch.
type plain struct {
	cuda.Device // for what the suite does not call

	arch  int
	rooms map[uint64][]byte
	next  uint64
	after func(*plain, cuda.Launch)
}

func newPlain(arch int) *plain { return &plain{arch: arch, rooms: map[uint64][]byte{}, next: 1 << 20} }

func (d *plain) Info() cuda.Info { return cuda.Info{Arch: d.arch} }

func (d *plain) Alloc(n int64) (cuda.Ptr, error) {
	at := d.next
	d.rooms[at] = make([]byte, n)
	d.next += uint64(n+1023) &^ 255
	return cuda.Ptr(at), nil
}

func (d *plain) Free(p cuda.Ptr) error {
	if _, ok := d.rooms[uint64(p)]; !ok {
		return fmt.Errorf("%#x was never allocated", p)
	}
	delete(d.rooms, uint64(p))
	return nil
}

func (d *plain) Bytes(addr uint64, n int) ([]byte, error) {
	for at, room := range d.rooms {
		if addr >= at && addr+uint64(n) <= at+uint64(len(room)) {
			return room[addr-at:][:n], nil
		}
	}
	return nil, fmt.Errorf("%d bytes at %#x are not allocated", n, addr)
}

func (d *plain) Upload(dst cuda.Ptr, src []byte) error {
	b, err := d.Bytes(uint64(dst), len(src))
	copy(b, src)
	return err
}

func (d *plain) Download(dst []byte, src cuda.Ptr) error {
	b, err := d.Bytes(uint64(src), len(dst))
	copy(dst, b)
	return err
}

func (d *plain) Launch(l cuda.Launch) error {
	if err := twin.Run(l, d); err != nil {
		return err
	}
	if d.after != nil {
		d.after(d, l)
	}
	return nil
}

func (d *plain) Synchronize() error { return nil }

func TestTwinsConform(t *testing.T) {
	for _, arch := range []int{50, 70, 75, 80} {
		t.Run(fmt.Sprintf("compute_%d", arch), func(t *testing.T) {
			t.Parallel()
			dev := newPlain(arch)
			outcomes, err := Check(dev, Options{Thin: arch != 80 || testing.Short(), Nearest: true, Large: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range outcomes {
				if o.Err != nil {
					t.Error(o)
				}
			}
			seen := map[string]bool{}
			for _, o := range outcomes {
				seen[o.Entry] = true
			}
			for _, e := range cuda.Entries(arch) {
				if !seen[e.Name] || !twin.Has(e.Name) {
					t.Errorf("%s: checked %t, has a twin %t", e.Name, seen[e.Name], twin.Has(e.Name))
				}
			}
			if len(dev.rooms) != 0 {
				t.Errorf("%d operands were not freed", len(dev.rooms))
			}
		})
	}
}

func TestKernelsThatIgnoreTheirFactorAreSeen(t *testing.T) {
	dev := &stubborn{newPlain(80)}
	outcomes, err := Check(dev, Options{Thin: true, Select: func(e cuda.Entry) bool { return e.Kernel == kernels.FMA }})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if depends := o.Check == "the chains multiply and add what they are given"; depends != (o.Err != nil) {
			t.Error(o)
		}
	}
	if len(outcomes) == 0 {
		t.Error("no fma kernel was checked")
	}
}

// stubborn counts passes of a loop, whatever the factor.
type stubborn struct{ *plain }

func (d *stubborn) Launch(l cuda.Launch) error {
	l.Params = slices.Clone(l.Params)
	l.Params[2] = 1
	return d.plain.Launch(l)
}

func TestErrorOfTheDeviceEndsTheSuite(t *testing.T) {
	dev := &broken{newPlain(80), 5}
	outcomes, err := Check(dev, Options{})
	if !errors.Is(err, errBroken) {
		t.Fatalf("the error is %v, want %v", err, errBroken)
	}
	if last := outcomes[len(outcomes)-1]; !errors.Is(last.Err, errBroken) {
		t.Errorf("the last outcome is %v", last)
	}
	if dev.left != -1 {
		t.Errorf("%d launches after the error", -1-dev.left)
	}
}

var errBroken = errors.New("an illegal address")

// broken fails at its last launch.
type broken struct {
	*plain
	left int
}

func (d *broken) Launch(l cuda.Launch) error {
	if d.left--; d.left < 0 {
		return errBroken
	}
	return d.plain.Launch(l)
}

func TestEdgeShapesHaveEveryPairOfEdges(t *testing.T) {
	for _, e := range cuda.Entries(80) {
		if e.Kernel != kernels.GEMM {
			continue
		}
		type pair struct{ which, x, y int }
		pairs, ms, ns, ks := map[pair]bool{}, map[int]bool{}, map[int]bool{}, map[int]bool{}
		for _, s := range edgeShapes(e, edges) {
			if !e.Takes(s) {
				t.Fatalf("%s does not take %s", e.Name, s)
			}
			pairs[pair{0, s.M, s.N}], pairs[pair{1, s.M, s.K}], pairs[pair{2, s.N, s.K}] = true, true, true
			ms[s.M], ns[s.N], ks[s.K] = true, true, true
		}
		if want := len(ms)*len(ns) + len(ms)*len(ks) + len(ns)*len(ks); len(pairs) != want {
			t.Errorf("%s: %d pairs of %d", e.Name, len(pairs), want)
		}
		if e.Multiple == 1 && !(len(ms) == len(edges) && len(ns) == len(edges) && len(ks) == len(edges)) {
			t.Errorf("%s: %d, %d and %d of %d edges", e.Name, len(ms), len(ns), len(ks), len(edges))
		}
	}
}
