package cpu

import (
	"fmt"
	"runtime"
	"sync"
)

// In features_amd64.s.
func cpuidLeaf(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
func xgetbv() uint64

// processor is what decides which instruction sets can be used: the CPU's own word, and the operating system's.
type processor struct {
	leaf   func(leaf, subleaf uint32) [4]uint32 // CPUID: EAX, EBX, ECX, EDX; zeros beyond what there is
	xcr0   func() uint64                        // the register states that the operating system saves
	permit func() error                         // asks it for the state of tiles, which it gives on demand
}

// host is this machine; tests put others in its place.
var host = processor{leaf: leafOrZeros, xcr0: enabledStates, permit: sync.OnceValue(requestTiles)}

func leafOrZeros(leaf, subleaf uint32) [4]uint32 {
	if last, _, _, _ := cpuidLeaf(0, 0); leaf > last {
		return [4]uint32{}
	}
	if last, _, _, _ := cpuidLeaf(leaf, 0); leaf == 7 && subleaf > last {
		return [4]uint32{}
	}
	a, b, c, d := cpuidLeaf(leaf, subleaf)
	return [4]uint32{a, b, c, d}
}

func enabledStates() uint64 {
	x := xgetbv()
	if runtime.GOOS == "darwin" {
		x |= stateAVX512 // macOS enables it when a program first uses it
	}
	return x
}

// Bits of XCR0 (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 13.3).
const (
	stateAVX    = 0x6
	stateAVX512 = 0xe0 | stateAVX
	stateTiles  = 0x60000
)

const (
	eax = iota
	ebx
	ecx
	edx
)

// extended are the instruction sets whose registers the operating system must save: the bit of CPUID that names each
// (the manual above, volume 2, CPUID), and the state that it takes.
var extended = map[string]struct {
	leaf, subleaf uint32
	register, bit int
	state         uint64
}{
	"fma":         {1, 0, ecx, 12, stateAVX},
	"f16c":        {1, 0, ecx, 29, stateAVX},
	"avx2":        {7, 0, ebx, 5, stateAVX},
	"avx_vnni":    {7, 1, eax, 4, stateAVX},
	"avx512f":     {7, 0, ebx, 16, stateAVX512},
	"avx512dq":    {7, 0, ebx, 17, stateAVX512},
	"avx512bw":    {7, 0, ebx, 30, stateAVX512},
	"avx512vl":    {7, 0, ebx, 31, stateAVX512},
	"avx512_vnni": {7, 0, ecx, 11, stateAVX512},
	"avx512_bf16": {7, 1, eax, 5, stateAVX512},
	"avx512_fp16": {7, 0, edx, 23, stateAVX512},
	"amx_bf16":    {7, 0, edx, 22, stateTiles},
	"amx_tile":    {7, 0, edx, 24, stateTiles},
	"amx_int8":    {7, 0, edx, 25, stateTiles},
}

// osxsave is the bit of leaf 1, ECX, that says that XCR0 can be read.
const osxsave = 27

// lacking is the reason why an instruction set cannot be used, "" if it can; known is false for those that are not in
// the table.
func (p processor) lacking(name string) (why string, known bool) {
	x, ok := extended[name]
	if !ok {
		return "", false
	}
	named := func(leaf, subleaf uint32, register, bit int) bool { return p.leaf(leaf, subleaf)[register]>>bit&1 != 0 }
	if !named(x.leaf, x.subleaf, x.register, x.bit) {
		return cpuLacks, true
	}
	if !named(1, 0, ecx, osxsave) || p.xcr0()&x.state != x.state {
		return "the operating system has not enabled (XCR0)", true
	}
	if x.state == stateTiles {
		if err := p.permit(); err != nil {
			return fmt.Sprintf("the operating system does not permit (%v)", err), true
		}
	}
	return "", true
}
