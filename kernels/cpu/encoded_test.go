package cpu

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEncodedInstructionsAreWhatTheyAreCalled hands every instruction that the assembly of amd64 spells in bytes, since
// Go's assembler lacks it, to objdump: it must read what the comment beside the bytes says.
func TestEncodedInstructionsAreWhatTheyAreCalled(t *testing.T) {
	texts := encodedInstructions(t)
	var code []byte
	var want []string
	for text, b := range texts {
		code, want = append(code, b...), append(want, attSyntax(text))
	}
	file := filepath.Join(t.TempDir(), "code")
	if err := os.WriteFile(file, code, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("objdump", "-D", "-b", "binary", "-m", "i386:x86-64", file).CombinedOutput()
	if err != nil {
		t.Fatalf("objdump, of binutils: %v\n%s", err, out)
	}
	var got []string
	for _, line := range strings.Split(string(out), "\n") {
		if columns := strings.SplitN(line, "\t", 3); len(columns) == 3 {
			got = append(got, strings.TrimPrefix(strings.Join(strings.Fields(columns[2]), " "), "{vex} "))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d instructions, %d disassembled", len(want), len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("bytes called %q are %q", want[i], got[i])
		}
	}
}

var encodedLine = regexp.MustCompile(`^\t((?:(?:LONG|WORD|BYTE) \$0x[0-9a-f]+(?:; )?)+) // (.*)$`)

// encodedInstructions finds them, by their text; it fails where one text has two encodings, and where
// a line of bytes has no text.
func encodedInstructions(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("assembly files: %v, error %v", files, err)
	}
	texts := map[string][]byte{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(source), "\n") {
			m := encodedLine.FindStringSubmatch(line)
			if m == nil {
				if regexp.MustCompile(`^\s*(LONG|WORD|BYTE|QUAD)\s`).MatchString(line) {
					t.Errorf("%s:%d: bytes without a name: %s", file, n+1, line)
				}
				continue
			}
			b := directiveBytes(t, m[1])
			if old, ok := texts[m[2]]; ok && string(old) != string(b) {
				t.Errorf("%s:%d: %s is % x here and % x elsewhere", file, n+1, m[2], b, old)
			}
			texts[m[2]] = b
		}
	}
	if len(texts) == 0 {
		t.Fatal("no encoded instruction was found")
	}
	return texts
}

func directiveBytes(t *testing.T, directives string) []byte {
	t.Helper()
	var b []byte
	for _, d := range strings.Split(directives, "; ") {
		size, value, _ := strings.Cut(d, " $")
		x, err := strconv.ParseUint(value, 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		all := binary.LittleEndian.AppendUint32(nil, uint32(x))
		b = append(b, all[:map[string]int{"LONG": 4, "WORD": 2, "BYTE": 1}[size]]...)
	}
	return b
}

// attSyntax spells an instruction of Go's assembler as objdump does.
func attSyntax(text string) string {
	name, args, _ := strings.Cut(text, " ")
	suffixes := strings.Split(name, ".")
	name = strings.ToLower(suffixes[0])
	var operands []string
	for _, arg := range strings.Split(args, ", ") {
		switch {
		case arg == "":
		case regexp.MustCompile(`^K\d$`).MatchString(arg):
			operands = append(operands, "{%"+strings.ToLower(arg)+"}")
		default:
			operands = append(operands, attOperand(arg))
		}
	}
	// A mask stands behind the destination.
	if n := len(operands); n > 1 && strings.HasPrefix(operands[n-2], "{") {
		operands = append(operands[:n-2], operands[n-1]+operands[n-2])
	}
	out := strings.Join(operands, ",")
	for _, s := range suffixes[1:] {
		switch s {
		case "Z":
			out += "{z}"
		case "BCST":
			out = strings.Replace(out, ")", ")"+broadcastLanes(name, args), 1)
		}
	}
	return strings.TrimSpace(name + " " + out)
}

// broadcastLanes is what objdump writes behind the address of a broadcast.
func broadcastLanes(name, args string) string {
	bytes := 4
	if strings.HasSuffix(name, "ph") {
		bytes = 2
	}
	vector := map[byte]int{'X': 16, 'Y': 32, 'Z': 64}[args[strings.LastIndexAny(args, "XYZ")]]
	return fmt.Sprintf("{1to%d}", vector/bytes)
}

var (
	vectorName  = regexp.MustCompile(`^([XYZ])(\d+)$`)
	tileName    = regexp.MustCompile(`^TMM(\d)$`)
	addressForm = regexp.MustCompile(`^(-?\d+)?\((\w+)\)(?:\((\w+)\*(\d)\))?$`)
	numbered    = regexp.MustCompile(`^R\d+$`)
)

func attOperand(arg string) string {
	register := func(name string) string {
		if numbered.MatchString(name) {
			return "%" + strings.ToLower(name)
		}
		return "%r" + strings.ToLower(name)
	}
	if m := vectorName.FindStringSubmatch(arg); m != nil {
		return "%" + strings.ToLower(m[1]) + "mm" + m[2]
	}
	if m := tileName.FindStringSubmatch(arg); m != nil {
		return "%tmm" + m[1]
	}
	m := addressForm.FindStringSubmatch(arg)
	if m == nil {
		return arg
	}
	out := ""
	if m[1] != "" {
		disp, _ := strconv.Atoi(m[1])
		out = fmt.Sprintf("%#x", disp)
	}
	out += "(" + register(m[2])
	if m[3] != "" {
		out += "," + register(m[3]) + "," + m[4]
	}
	return out + ")"
}
