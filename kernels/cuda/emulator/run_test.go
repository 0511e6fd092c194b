package emulator

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// values are n fp32 numbers around 0, 150000 of them different: more than a table starts with.
func values(n int) []byte {
	b := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(float32(i%150000-75000)/9000))
	}
	return b
}

// interpreted is what the interpreter makes of a launch in a memory of its own, whose operands are
// the given bytes, the first of them to be written.
func interpreted(t *testing.T, arch int, e cuda.Entry, shape kernels.Shape, operands ...[]byte) []byte {
	t.Helper()
	image, err := cuda.PTX(arch)
	if err != nil {
		t.Fatal(err)
	}
	d := ptxvm.NewDevice(cuda.Info{Arch: arch, SMs: 108})
	if err := d.Load(image); err != nil {
		t.Fatal(err)
	}
	var ptrs []cuda.Ptr
	for _, o := range operands {
		p, err := d.Alloc(int64(len(o)))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Upload(p, o); err != nil {
			t.Fatal(err)
		}
		ptrs = append(ptrs, p)
	}
	l, err := e.Launch(shape, 108, ptrs)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Launch(l); err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(operands[0]))
	if err := d.Download(out, ptrs[0]); err != nil {
		t.Fatal(err)
	}
	return out
}

// A launch that is too large to interpret whole must give the bits that interpretation gives.
func TestLargeLaunchesGiveTheInterpretersBits(t *testing.T) {
	const n = 1 << 21
	for _, k := range []kernels.Kernel{kernels.Sigmoid, kernels.ReLU} {
		e, err := cuda.Pick(k, kernels.FP32, "", kernels.Shape{N: n}, 80)
		if err != nil {
			t.Fatal(err)
		}
		x := values(n)
		want := interpreted(t, 80, e, kernels.Shape{N: n}, make([]byte, 4*n), x)

		l := start(t, "a100").driver(t)
		m := l.load(80)
		src, dst := l.alloc(4*n), l.alloc(4*n)
		l.must(opUpload, x, ctx0, src)
		launch, err := e.Launch(kernels.Shape{N: n}, 108, []cuda.Ptr{cuda.Ptr(dst), cuda.Ptr(src)})
		if err != nil {
			t.Fatal(err)
		}
		l.launch(m, launch)
		if got := l.must(opDownload, nil, ctx0, dst, 4*n); !bytes.Equal(got, want) {
			t.Errorf("%s: the result is not the interpreter's", k)
		}
	}
}

func TestByValueNeedsMoreThanTheBudget(t *testing.T) { // else the test above would test nothing
	e, err := cuda.Pick(kernels.Sigmoid, kernels.FP32, "", kernels.Shape{N: 1 << 21}, 80)
	if err != nil {
		t.Fatal(err)
	}
	image, err := cuda.PTX(80)
	if err != nil {
		t.Fatal(err)
	}
	d := ptxvm.NewDevice(cuda.Info{Arch: 80, SMs: 108})
	if err := d.Load(image); err != nil {
		t.Fatal(err)
	}
	y, _ := d.Alloc(4 << 16)
	x, _ := d.Alloc(4 << 16)
	l, err := e.Launch(kernels.Shape{N: 1 << 16}, 108, []cuda.Ptr{y, x})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Launch(l); err != nil {
		t.Fatal(err)
	}
	if n := d.LastCounts().ThreadInstructions << 5; n <= budget {
		t.Errorf("%d thread instructions for 2^21 elements, not above %d", n, budget)
	}
}

// Only time passes where nothing would change; a write to an operand makes the launch run again.
func TestRepeatedLaunchRunsAgainAfterAWrite(t *testing.T) {
	const n = 4096
	e, err := cuda.Pick(kernels.ReLU, kernels.FP32, "", kernels.Shape{N: n}, 80)
	if err != nil {
		t.Fatal(err)
	}
	l := start(t, "a100").driver(t)
	m := l.load(80)
	f := l.word(opFunction, []byte(e.Name), ctx0, m)
	src, dst, other := l.alloc(4*n), l.alloc(4*n), l.alloc(4*n)
	run := func(to uint64) []byte {
		launch, err := e.Launch(kernels.Shape{N: n}, 108, []cuda.Ptr{cuda.Ptr(to), cuda.Ptr(src)})
		if err != nil {
			t.Fatal(err)
		}
		l.enqueue(f, launch)
		return l.must(opDownload, nil, ctx0, to, 4*n)
	}
	one := bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, n)
	two := bytes.Repeat([]byte{0, 0, 0, 0x40}, n)
	l.must(opUpload, one, ctx0, src)
	for i, to := range []uint64{dst, dst, other} {
		if !bytes.Equal(run(to), one) {
			t.Fatalf("run %d: relu of ones is not ones", i)
		}
	}
	l.must(opUpload, two[:8], ctx0, src+8) // a part of the operand
	if got := run(dst); !bytes.Equal(got[8:16], two[:8]) || !bytes.Equal(got[16:], one[16:]) {
		t.Error("a write to the operand was not seen")
	}
	l.send(opMemset, nil, ctx0, dst, 7, 4, 1) // a part of the result
	if got := run(dst); !bytes.Equal(got[:8], one[:8]) {
		t.Error("a write to the result was not seen")
	}
	l.send(opCopy, nil, ctx0, src, other, 4*n)
	if got := run(dst); !bytes.Equal(got, one) {
		t.Error("a copy onto the operand was not seen")
	}
}

// A kernel whose first block writes something wrong is not made right by the reference that stands in
// for the rest.
func TestAWrongKernelStaysWrongWhereItIsInterpreted(t *testing.T) {
	n := start(t, "a100")
	l := n.driver(t)
	image, err := cuda.PTX(80)
	if err != nil {
		t.Fatal(err)
	}
	// relu that keeps what it should clear.
	text := string(image.Data)
	at := strings.Index(text, ".entry relu_fp32(")
	body := text[at:]
	end := strings.Index(body, "\n}")
	wrong := replaceSelects(body[:end])
	if wrong == body[:end] {
		t.Fatal("relu_fp32 has no selp.f32 to break")
	}
	m := l.word(opLoad, []byte(text[:at]+wrong+body[end:]), ctx0)
	const elements = 1 << 22
	src, dst := l.alloc(4*elements), l.alloc(4*elements)
	l.send(opMemset, nil, ctx0, src, 0xbf800000, elements, 4) // -1
	e, err := cuda.Find("relu_fp32", 80)
	if err != nil {
		t.Fatal(err)
	}
	launch, err := e.Launch(kernels.Shape{N: elements}, 108, []cuda.Ptr{cuda.Ptr(dst), cuda.Ptr(src)})
	if err != nil {
		t.Fatal(err)
	}
	l.launch(m, launch)
	got := l.must(opDownload, nil, ctx0, dst, 4)
	if binary.LittleEndian.Uint32(got) == 0 {
		t.Error("relu(-1) is 0: the reference painted over the kernel")
	}
	if !n.logged("differ at byte 0") {
		t.Errorf("the log does not say that kernel and reference differ: %q", n.log)
	}
}

// replaceSelects swaps the operands of every selp.f32.
func replaceSelects(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if head, args, ok := strings.Cut(line, "selp.f32"); ok {
			f := strings.Split(args, ",")
			f[1], f[2] = f[2], f[1]
			lines[i] = head + "selp.f32" + strings.Join(f, ",")
		}
	}
	return strings.Join(lines, "\n")
}

func TestTraitsCoverEveryEntry(t *testing.T) {
	for _, arch := range []int{50, 70, 75, 80} {
		for _, e := range cuda.Entries(arch) {
			shape := kernels.Shape{N: 768 * 256}
			if e.Kernel == kernels.GEMM {
				shape = kernels.Shape{M: 48, N: 64, K: 80}
			}
			var l cuda.Launch
			err := error(nil)
			for operands := 1; operands <= 3; operands++ {
				ptrs := []cuda.Ptr{1 << 20, 1 << 30, 1 << 31}[:operands]
				for _, scalars := range [][]uint64{nil, {7}} {
					if try, e2 := e.Launch(shape, 108, ptrs, scalars...); e2 == nil {
						l = try
					} else {
						err = e2
					}
				}
			}
			if l.Entry == "" {
				t.Fatalf("%s: %v", e.Name, err)
			}
			tr, ok := traitsOf(l)
			if !ok || len(tr.operands) == 0 || !tr.operands[0].write {
				t.Errorf("%s: no traits", e.Name)
				continue
			}
			for i, o := range tr.operands {
				if o.bytes() <= 0 || o.size == 0 || o.bytes()%int64(o.size) != 0 {
					t.Errorf("%s: operand %d of %d bytes, elements of %d", e.Name, i, o.bytes(), o.size)
				}
			}
		}
	}
}
