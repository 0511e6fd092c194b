package gen

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func ops(o ...operand.Op) []operand.Op { return o }

// encodings covers every part of the encoder: maps, prefixes, vector lengths, registers of both halves of
// the file in every place, addresses of every kind, masks and broadcasts. want is as objdump prints it.
func encodings() []struct {
	form    Form
	ops     []operand.Op
	options []Option
	want    string
} {
	fp16 := Form{Name: "VFMADD231PH", Map: 6, Prefix: 0x66, Opcode: 0xb8, Element: 2}
	addph := Form{Name: "VADDPH", Map: 5, Opcode: 0x58, Element: 2}
	movsh := Form{Name: "VMOVSH", Map: 5, Prefix: 0xf3, Opcode: 0x10, Element: 2, Scalar: true}
	widen := Form{Name: "VCVTPH2PSX", Map: 6, Prefix: 0x66, Opcode: 0x13, Element: 2, Part: 2}
	addps := Form{Name: "VADDPS", Map: 1, Opcode: 0x58, Element: 4}
	addpd := Form{Name: "VADDPD", Map: 1, Prefix: 0x66, W: 1, Opcode: 0x58, Element: 8}
	return []struct {
		form    Form
		ops     []operand.Op
		options []Option
		want    string
	}{
		{VDPBF16PS, ops(reg.Z1, reg.Z2, reg.Z3), nil, "vdpbf16ps %zmm1,%zmm2,%zmm3"},
		{VDPBF16PS, ops(reg.Z9, reg.Z10, reg.Z11), nil, "vdpbf16ps %zmm9,%zmm10,%zmm11"},
		{VDPBF16PS, ops(reg.Z17, reg.Z18, reg.Z19), nil, "vdpbf16ps %zmm17,%zmm18,%zmm19"},
		{VDPBF16PS, ops(reg.Z31, reg.Z30, reg.Z29), nil, "vdpbf16ps %zmm31,%zmm30,%zmm29"},
		{VDPBF16PS, ops(reg.Y1, reg.Y20, reg.Y3), nil, "vdpbf16ps %ymm1,%ymm20,%ymm3"},
		{VDPBF16PS, ops(reg.X1, reg.X2, reg.X30), nil, "vdpbf16ps %xmm1,%xmm2,%xmm30"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RAX}, reg.Z2, reg.Z3), nil, "vdpbf16ps (%rax),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RBP}, reg.Z2, reg.Z3), nil, "vdpbf16ps 0x0(%rbp),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.R13}, reg.Z2, reg.Z3), nil, "vdpbf16ps 0x0(%r13),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RSP, Disp: 64}, reg.Z2, reg.Z3), nil, "vdpbf16ps 0x40(%rsp),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.R12, Disp: -8192}, reg.Z2, reg.Z3), nil, "vdpbf16ps -0x2000(%r12),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RDX, Disp: 8192}, reg.Z2, reg.Z3), nil, "vdpbf16ps 0x2000(%rdx),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RDX, Disp: 68}, reg.Z2, reg.Z3), nil, "vdpbf16ps 0x44(%rdx),%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RSI, Index: reg.R9, Scale: 4, Disp: 128}, reg.Z22, reg.Z3), nil, "vdpbf16ps 0x80(%rsi,%r9,4),%zmm22,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.R8, Index: reg.RDI, Scale: 1}, reg.Y22, reg.Y3), nil, "vdpbf16ps (%r8,%rdi,1),%ymm22,%ymm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RAX, Disp: 508}, reg.Z2, reg.Z3), []Option{Broadcast()}, "vdpbf16ps 0x1fc(%rax){1to16},%zmm2,%zmm3"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RAX, Disp: 510}, reg.Y2, reg.Y3), []Option{Broadcast()}, "vdpbf16ps 0x1fe(%rax){1to8},%ymm2,%ymm3"},
		{VDPBF16PS, ops(reg.Z1, reg.Z2, reg.Z3), []Option{Masked(reg.K1, false)}, "vdpbf16ps %zmm1,%zmm2,%zmm3{%k1}"},
		{VDPBF16PS, ops(reg.Z1, reg.Z2, reg.Z3), []Option{Masked(reg.K7, true)}, "vdpbf16ps %zmm1,%zmm2,%zmm3{%k7}{z}"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RAX, Disp: 4}, reg.Z2, reg.Z3), []Option{Broadcast(), Masked(reg.K2, true)}, "vdpbf16ps 0x4(%rax){1to16},%zmm2,%zmm3{%k2}{z}"},
		{VPDPBUSD, ops(reg.Y1, reg.Y2, reg.Y3), nil, "{vex} vpdpbusd %ymm1,%ymm2,%ymm3"},
		{VPDPBUSD, ops(reg.Y9, reg.Y10, reg.Y11), nil, "{vex} vpdpbusd %ymm9,%ymm10,%ymm11"},
		{VPDPBUSD, ops(reg.X15, reg.X14, reg.X3), nil, "{vex} vpdpbusd %xmm15,%xmm14,%xmm3"},
		{VPDPBUSD, ops(operand.Mem{Base: reg.R10, Index: reg.R11, Scale: 8, Disp: 127}, reg.Y2, reg.Y3), nil, "{vex} vpdpbusd 0x7f(%r10,%r11,8),%ymm2,%ymm3"},
		{VPDPBUSD, ops(operand.Mem{Base: reg.RBX, Disp: 128}, reg.Y2, reg.Y3), nil, "{vex} vpdpbusd 0x80(%rbx),%ymm2,%ymm3"},
		{fp16, ops(reg.Z1, reg.Z22, reg.Z13), nil, "vfmadd231ph %zmm1,%zmm22,%zmm13"},
		{fp16, ops(operand.Mem{Base: reg.RAX, Disp: 254}, reg.Z2, reg.Z3), []Option{Broadcast()}, "vfmadd231ph 0xfe(%rax){1to32},%zmm2,%zmm3"},
		{addph, ops(operand.Mem{Base: reg.RAX, Disp: 64}, reg.Z2, reg.Z3), []Option{Masked(reg.K3, true)}, "vaddph 0x40(%rax),%zmm2,%zmm3{%k3}{z}"},
		{movsh, ops(operand.Mem{Base: reg.RAX, Disp: 6}, reg.X2), nil, "vmovsh 0x6(%rax),%xmm2"},
		{widen, ops(operand.Mem{Base: reg.RAX, Disp: 96}, reg.Z2), nil, "vcvtph2psx 0x60(%rax),%zmm2"},
		{widen, ops(reg.Y4, reg.Z20), nil, "vcvtph2psx %ymm4,%zmm20"},
		{addps, ops(reg.Z4, reg.Z5, reg.Z20), nil, "vaddps %zmm4,%zmm5,%zmm20"},
		{addpd, ops(operand.Mem{Base: reg.RAX, Disp: 8}, reg.Z5, reg.Z20), []Option{Broadcast()}, "vaddpd 0x8(%rax){1to8},%zmm5,%zmm20"},
		{TDPBF16PS, ops(Tile(2), Tile(1), Tile(7)), nil, "tdpbf16ps %tmm2,%tmm1,%tmm7"},
		{TILELOADD, ops(operand.Mem{Base: reg.R9, Index: reg.RCX, Scale: 1, Disp: 64}, Tile(5)), nil, "tileloadd 0x40(%r9,%rcx,1),%tmm5"},
		{LDTILECFG, ops(operand.Mem{Base: reg.RDI, Disp: 8}), nil, "ldtilecfg 0x8(%rdi)"},
		{TILERELEASE, nil, nil, "tilerelease"},
		{TILEZERO, ops(Tile(3)), nil, "tilezero %tmm3"},
		{TILESTORED, ops(Tile(6), operand.Mem{Base: reg.R9, Index: reg.RCX, Scale: 1, Disp: 64}), nil, "tilestored %tmm6,0x40(%r9,%rcx,1)"},
		{TDPBSSD, ops(Tile(5), Tile(4), Tile(0)), nil, "tdpbssd %tmm5,%tmm4,%tmm0"},
	}
}

// TestEncodingsAreWhatADisassemblerReads hands every encoding to objdump.
func TestEncodingsAreWhatADisassemblerReads(t *testing.T) {
	var code []byte
	cases := encodings()
	for _, c := range cases {
		b, err := c.form.Encode(c.ops, c.options...)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, b...)
	}
	file := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(file, code, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("objdump", "-D", "-b", "binary", "-m", "i386:x86-64", file).CombinedOutput()
	if err != nil {
		t.Fatalf("objdump (of binutils): %v\n%s", err, out)
	}
	got := instructions(string(out))
	if len(got) != len(cases) {
		t.Fatalf("%d instructions were encoded, %d disassembled:\n%s", len(cases), len(got), out)
	}
	for i, c := range cases {
		if got[i] != c.want {
			t.Errorf("%s: objdump reads %q, it should be %q", c.form.text(c.ops, c.options), got[i], c.want)
		}
	}
}

// instructions are the third columns of a disassembly, with single spaces.
func instructions(listing string) []string {
	var all []string
	for _, line := range strings.Split(listing, "\n") {
		columns := strings.SplitN(line, "\t", 3)
		if len(columns) == 3 {
			all = append(all, strings.Join(strings.Fields(columns[2]), " "))
		}
	}
	return all
}

func TestDirectivesHoldTheBytesInOrder(t *testing.T) {
	got := directives([]byte{1, 2, 3, 4, 5, 6, 7})
	if want := "LONG $0x04030201; WORD $0x0605; BYTE $0x07"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatCannotBeEncodedIsSaid(t *testing.T) {
	for _, c := range []struct {
		form    Form
		ops     []operand.Op
		options []Option
		want    string
	}{
		{VDPBF16PS, nil, nil, "missing"},
		{VDPBF16PS, ops(reg.Z1, reg.Z2, reg.Z3, reg.Z4), nil, "too many"},
		{VDPBF16PS, ops(operand.Imm(1), reg.Z1, reg.Z2), nil, "not a physical register"},
		{VDPBF16PS, ops(operand.Mem{Symbol: operand.NewStaticSymbol("x"), Base: reg.StaticBase}, reg.Z1, reg.Z2), nil, "no symbol"},
		{VDPBF16PS, ops(operand.Mem{Base: reg.RAX, Index: reg.RSP, Scale: 1}, reg.Z1, reg.Z2), nil, "cannot be an index"},
		{VPDPBUSD, ops(reg.Y1, reg.Y2, reg.Y3), []Option{Masked(reg.K1, true)}, "neither masks"},
	} {
		_, err := c.form.Encode(c.ops, c.options...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, it should say %q", c.form.Name, err, c.want)
		}
	}
}

func TestTextIsWhatGoWouldWrite(t *testing.T) {
	got := VDPBF16PS.text(ops(operand.Mem{Base: reg.RAX, Disp: 4}, reg.Z2, reg.Z3), []Option{Broadcast(), Masked(reg.K2, true)})
	if want := "VDPBF16PS.BCST.Z 4(AX), Z2, K2, Z3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
