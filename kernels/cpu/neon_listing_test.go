//go:build linux && amd64

package cpu

// The arm64 assembly is the same text wherever it is read: it is held to the disassembler once, on the
// architecture that the tests are run on anyway.

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// listing is the instructions of each routine of the generated arm64 assembly; labels are kept, as "loop:".
func listing(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*_neon_arm64.s")
	if err != nil || len(files) == 0 {
		t.Fatalf("no generated arm64 assembly: %v", err)
	}
	start := regexp.MustCompile(`^TEXT ·?(\w+)`)
	routines := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			switch m := start.FindStringSubmatch(line); {
			case m != nil:
				if name = m[1]; routines[name] != nil {
					t.Fatalf("%s: %s is there twice", file, name)
				}
			case name != "" && line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "DATA") && !strings.HasPrefix(line, "GLOBL"):
				routines[name] = append(routines[name], line)
			}
		}
	}
	return routines
}

// encoded splits a WORD line into its code and what it says that it is.
var encoded = regexp.MustCompile(`^WORD \$0x([0-9a-f]{8}) // (.+)$`)

// words is the disassembly beside each code.
func words(t *testing.T) map[uint32]string {
	t.Helper()
	says := map[uint32]string{}
	for name, lines := range listing(t) {
		for _, line := range lines {
			m := encoded.FindStringSubmatch(line)
			if m == nil {
				if strings.HasPrefix(line, "WORD") {
					t.Errorf("%s: %q does not say what it is", name, line)
				}
				continue
			}
			var code uint32
			if _, err := fmt.Sscanf(m[1], "%x", &code); err != nil {
				t.Fatal(err)
			}
			if before, ok := says[code]; ok && before != m[2] {
				t.Errorf("%#08x is both %q and %q", code, before, m[2])
			}
			says[code] = m[2]
		}
	}
	return says
}

func TestEncodedInstructionsAreWhatTheDisassemblerReads(t *testing.T) {
	const disassembler = "aarch64-linux-gnu-objdump"
	if _, err := exec.LookPath(disassembler); err != nil {
		t.Fatalf("%v: apt-get install binutils-aarch64-linux-gnu (make test does)", err)
	}
	says := words(t)
	var image []byte
	for code := range says {
		image = binary.LittleEndian.AppendUint32(image, code)
	}
	path := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), disassembler, "-D", "-b", "binary", "-m", "aarch64", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", disassembler, err, out)
	}
	read := 0
	for _, m := range regexp.MustCompile(`(?m)^ *[0-9a-f]+:\t([0-9a-f]{8}) *\t(.*)$`).FindAllStringSubmatch(string(out), -1) {
		var code uint32
		if _, err := fmt.Sscanf(m[1], "%x", &code); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(m[2]), " "); got != says[code] {
			t.Errorf("%08x is said to be %q; it is %q", code, says[code], got)
		}
		read++
	}
	if read != len(says) || read < 500 {
		t.Errorf("%d of %d instructions were disassembled, want all, and at least 500", read, len(says))
	}
}

// neonSets are the instruction sets beyond Advanced SIMD, by the instructions that belong to them.
var neonSets = []struct{ instruction, set string }{
	{`^(fmla|fadd) v\d+\.8h`, "asimdhp"},
	{`^[su]dot `, "asimddp"},
	{`^bf(mmla|dot|mlal) `, "bf16"},
	{`^[su]mmla `, "i8mm"},
}

// TestNEONNeedsCoverWhatTheAssemblyRequires: a routine's name tells which engine's it is.
func TestNEONNeedsCoverWhatTheAssemblyRequires(t *testing.T) {
	needs := map[string][]string{"FP16": needsNEONFP16, "Dot": needsNEONDot, "BF16": needsNEONBF16, "I8MM": needsNEONI8MM}
	family := regexp.MustCompile(`^(?:fma|gemm)NEON([A-Z][A-Z0-9a-z]*?)(?:r\dv\d)?$`)
	seen := map[string]int{}
	for name, lines := range listing(t) {
		allowed := needsNEON
		if m := family.FindStringSubmatch(name); m != nil && needs[m[1]] != nil {
			allowed = needs[m[1]]
		}
		for _, line := range lines {
			m := encoded.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			for _, s := range neonSets {
				if !regexp.MustCompile(s.instruction).MatchString(m[2]) {
					continue
				}
				if seen[s.set]++; !slices.Contains(allowed, s.set) {
					t.Fatalf("%s has %q of %s, and asks for %v alone", name, m[2], s.set, allowed)
				}
			}
		}
	}
	for _, s := range neonSets {
		if seen[s.set] == 0 {
			t.Errorf("no instruction of %s was found", s.set)
		}
	}
}

// TestLoopsAreMadeOfMultiplyAdds counts the instructions of a pass of each measured loop, between its label and
// its branch, one a line; the share of multiply-adds is what bounds a core that issues few instructions a clock.
func TestLoopsAreMadeOfMultiplyAdds(t *testing.T) {
	multiplyAdd := regexp.MustCompile(`^WORD .* // (fmla|smlal2?|sdot|bfmmla|smmla) `)
	routines := listing(t)
	for _, c := range []struct {
		routine           string
		multiplyAdds, all int
	}{
		{"fmaNEONFP32", 96, 98},
		{"fmaNEONFP64", 96, 98},
		{"fmaNEONFP16", 96, 98},
		{"fmaNEONINT8", 96, 98},
		{"fmaNEONDot", 96, 98},
		{"fmaNEONBF16", 96, 98},
		{"fmaNEONI8MM", 96, 98},
		{"gemmNEONFP32r8v3", 96, 117},
		{"gemmNEONFP64r8v3", 96, 121},
		{"gemmNEONFP16r8v3", 96, 117},
		{"gemmNEONINT8r8v2", 64, 78},
		{"gemmNEONDotr8v3", 96, 114},
		{"gemmNEONBF16r8v3", 96, 122},
		{"gemmNEONI8MMr8v3", 96, 122},
	} {
		lines := routines[c.routine]
		from := slices.Index(lines, "loop:")
		to := slices.IndexFunc(lines, func(line string) bool { return regexp.MustCompile(`^(CBNZ \w+, loop|BNE loop)$`).MatchString(line) })
		if from < 0 || to < from {
			t.Errorf("%s: there is no loop", c.routine)
			continue
		}
		all := lines[from+1 : to+1]
		count := 0
		for _, line := range all {
			if multiplyAdd.MatchString(line) {
				count++
			}
		}
		if count != c.multiplyAdds || len(all) != c.all {
			t.Errorf("%s: %d multiply-adds of %d instructions, want %d of %d", c.routine, count, len(all), c.multiplyAdds, c.all)
		}
	}
}
