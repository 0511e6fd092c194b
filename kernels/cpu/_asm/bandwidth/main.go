// Command bandwidth generates the amd64 assembly of the bandwidth kernels,
// kernels/cpu/bandwidth_amd64.s, and its Go declarations. Each kernel is a function on
// vector registers; this file puts the loop, the loads and stores and the ends around it, for AVX2 and for
// AVX-512 and once for each of the variants.
package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/realflops/realflops/kernels/cpu/_asm/gen"
)

const (
	elementBytes = 8
	line         = 64

	// blockLines is how many cache lines of each operand an iteration of the main loop handles.
	blockLines = 4
)

// A variant is a way to reach memory.
type variant struct {
	suffix string // of the function names, behind that of the instruction set
	doc    string // what it does that the others do not, as a sentence; "" for the plain one

	// ahead is how many bytes ahead of the loop each source is prefetched, into L2. The hardware's own
	// prefetchers keep fewer lines in flight than the path to memory takes: on a Zen 4, 4 KiB
	// ahead made a triad with ordinary stores of 512 bits 1.2 times as fast in memory, 2 and 8 KiB little less; stores of
	// 256 bits, two a line, gain nothing by it. In L3 it costs a tenth.
	ahead int

	// nt makes the stores bypass the caches.
	nt bool
}

var (
	near = variant{}
	far  = variant{suffix: "Far", doc: "It prefetches its sources, for operands in memory.", ahead: 4096}
	nt   = variant{suffix: "NT", doc: "Its stores bypass the caches and are fenced at the end; dst must be a multiple of 8.", nt: true}
)

// A kernel computes dst from its sources, element by element.
type kernel struct {
	name     string
	sources  []string // pointers, behind dst in the signature
	scalar   bool     // has a last parameter s, in every lane of the vector that combine gets
	variants []variant
	doc      string // what the kernel promises; then follows the loop
	body     string // of the loop over i, in Go

	// combine emits dst from the sources, overwriting what it likes of them, and returns it.
	combine func(src []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual
}

var stores = []kernel{
	{
		name: "copyFP64", sources: []string{"src"}, variants: []variant{near, far, nt},
		doc: "copies bits.", body: "dst[i] = src[i]",
		combine: func(src []reg.VecVirtual, _ reg.VecVirtual) reg.VecVirtual { return src[0] },
	},
	{
		name: "scaleFP64", sources: []string{"src"}, scalar: true, variants: []variant{near, far, nt},
		doc: "is STREAM's scale.", body: "dst[i] = s * src[i]",
		combine: func(src []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual {
			VMULPD(src[0], s, src[0])
			return src[0]
		},
	},
	{
		name: "addFP64", sources: []string{"a", "b"}, variants: []variant{near, far, nt},
		doc: "is STREAM's add.", body: "dst[i] = a[i] + b[i]",
		combine: func(src []reg.VecVirtual, _ reg.VecVirtual) reg.VecVirtual {
			VADDPD(src[1], src[0], src[0])
			return src[0]
		},
	},
	{
		name: "triadFP64", sources: []string{"a", "b"}, scalar: true, variants: []variant{near, far, nt},
		doc: "is STREAM's triad, rounded once.", body: "dst[i] = math.FMA(s, b[i], a[i])",
		combine: func(src []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual {
			VFMADD231PD(s, src[1], src[0])
			return src[0]
		},
	},
	{
		name: "writeFP64", scalar: true, variants: []variant{near, nt},
		doc: "fills dst.", body: "dst[i] = s",
		combine: func(_ []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual { return s },
	},
}

func main() {
	ConstraintExpr("amd64")
	for _, s := range []gen.Vectors{gen.AVX2, gen.AVX512} {
		for _, k := range stores {
			for _, v := range k.variants {
				store(k, s, v)
			}
		}
		read(s)
		readFar(s)
	}
	copyString()
	writeString()
	Generate()
}

// declare begins a function, and documents it.
func declare(function, signature, doc string, loop ...string) {
	TEXT(function, NOSPLIT, signature)
	Pragma("noescape")
	lines := append([]string{function + " " + strings.TrimSpace(doc), ""}, indent(loop)...)
	Doc(lines...)
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = "\t" + l
	}
	return out
}

// each is the loop over all elements around a body of one line.
func each(body string) []string { return []string{"for i := range n {", "\t" + body, "}"} }

func (k kernel) signature() string {
	scalar := ""
	if k.scalar {
		scalar = ", s float64"
	}
	return fmt.Sprintf("func(%s *float64, n int%s)", strings.Join(append([]string{"dst"}, k.sources...), ", "), scalar)
}

func vector(s gen.Vectors) reg.VecVirtual {
	if s.Bytes == 64 {
		return ZMM()
	}
	return YMM()
}

func mem(pointer reg.Register, offset int) operand.Mem {
	return operand.Mem{Base: pointer, Disp: offset}
}

// load and place move a whole vector.
func load(s gen.Vectors, m operand.Mem) reg.VecVirtual {
	v := vector(s)
	VMOVUPD(m, v)
	return v
}

func (v variant) place(x reg.VecVirtual, m operand.Mem) {
	if v.nt {
		VMOVNTPD(x, m)
	} else {
		VMOVUPD(x, m)
	}
}
