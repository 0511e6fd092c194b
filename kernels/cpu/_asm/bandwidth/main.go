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
)

// A variant is a way to reach memory.
type variant struct {
	suffix string // of the function names, behind that of the instruction set
	doc    string // what it does that the others do not, as a sentence; "" for the plain one

	// streams is how many places of each operand the main loop works at, each so many
	// lines an iteration.
	streams, lines int

	// ahead is how many bytes ahead of the loop a source is prefetched into L2, by one line of so many as every
	// says: the hardware brings the ones between. 0 is not at all.
	ahead, every int

	// nt makes the stores bypass the caches.
	nt bool
}

// near is for operands in a cache: it has no instruction but those that it cannot do without.
var near = variant{streams: 1, lines: 4}

// far is for operands in memory. The hardware's own prefetchers keep fewer lines in flight than the path to memory
// takes: of a Zen 4 far makes a triad 1.2 times as fast as near of AVX-512 does, a copy 1.1 times and a read 1.07
// times; in L3 it is 0.95 to 1.06 times as fast. To prefetch every line of a triad or a read gains 0.01 more, and costs
// a fifth in L3.
func far(streams, lines, ahead, every int) variant {
	return variant{suffix: "Far", doc: "It prefetches, for operands in memory.", streams: streams, lines: lines, ahead: ahead, every: every}
}

// nearNT and farNT bypass the caches with their stores. farNT reads from four places in all: that
// makes a copy on a Zen 4 1.25 times as fast as nearNT does, and a triad 1.1 times.
var nearNT = variant{suffix: "NT", doc: ntDoc, streams: 1, lines: 4, nt: true}

func farNT(streams int) variant {
	return variant{suffix: "FarNT", doc: "It prefetches, for operands in memory. " + ntDoc, streams: streams, lines: 2, ahead: 512, every: 1, nt: true}
}

const ntDoc = "Its stores bypass the caches and are fenced at the end; dst must be a multiple of 8."

// A kernel computes dst from its sources, element by element.
type kernel struct {
	name    string
	sources []string  // pointers, behind dst in the signature
	scalar  bool      // has a last parameter s, in every lane of the vector that combine gets
	memory  []variant // for operands in memory; those for caches are near and nearNT
	doc     string    // what the kernel promises; then follows the loop
	body    string    // of the loop over i, in Go

	// combine emits dst from the sources, overwriting what it likes of them, and returns it.
	combine func(src []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual
}

var stores = []kernel{
	{
		name: "copyFP64", sources: []string{"src"}, memory: []variant{far(2, 2, 1024, 1), farNT(4)},
		doc: "copies bits.", body: "dst[i] = src[i]",
		combine: func(src []reg.VecVirtual, _ reg.VecVirtual) reg.VecVirtual { return src[0] },
	},
	{
		name: "scaleFP64", sources: []string{"src"}, scalar: true, memory: []variant{far(2, 2, 1024, 1), farNT(4)},
		doc: "is STREAM's scale.", body: "dst[i] = s * src[i]",
		combine: func(src []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual {
			VMULPD(src[0], s, src[0])
			return src[0]
		},
	},
	{
		name: "addFP64", sources: []string{"a", "b"}, memory: []variant{far(1, 4, 4096, 2), farNT(2)},
		doc: "is STREAM's add.", body: "dst[i] = a[i] + b[i]",
		combine: func(src []reg.VecVirtual, _ reg.VecVirtual) reg.VecVirtual {
			VADDPD(src[1], src[0], src[0])
			return src[0]
		},
	},
	{
		name: "triadFP64", sources: []string{"a", "b"}, scalar: true, memory: []variant{far(1, 4, 4096, 2), farNT(2)},
		doc: "is STREAM's triad, rounded once.", body: "dst[i] = math.FMA(s, b[i], a[i])",
		combine: func(src []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual {
			VFMADD231PD(s, src[1], src[0])
			return src[0]
		},
	},
	{
		name: "writeFP64", scalar: true,
		doc: "fills dst.", body: "dst[i] = s",
		combine: func(_ []reg.VecVirtual, s reg.VecVirtual) reg.VecVirtual { return s },
	},
}

func main() {
	ConstraintExpr("amd64")
	for _, s := range []gen.Vectors{gen.AVX2, gen.AVX512} {
		for _, k := range stores {
			store(k, s, near)
			store(k, s, nearNT)
		}
		read(s, variant{streams: 1, lines: readSums * s.Bytes / line})
	}
	// In memory vectors of half a line are as fast as those of a whole one, or faster: on a Zen 4 copies
	// by 1.05, non-temporal triads by 1.03.
	for _, k := range stores {
		for _, v := range k.memory {
			store(k, gen.AVX2, v)
		}
	}
	read(gen.AVX2, far(2, 4, 8192, 4))
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

// load and write move a whole vector.
func load(s gen.Vectors, m operand.Mem) reg.VecVirtual {
	v := vector(s)
	VMOVUPD(m, v)
	return v
}

func (v variant) write(x reg.VecVirtual, m operand.Mem) {
	if v.nt {
		VMOVNTPD(x, m)
	} else {
		VMOVUPD(x, m)
	}
}
