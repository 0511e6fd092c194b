package cuda

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var mmaInstruction = regexp.MustCompile(`mma\.sync\.[\w.]+`)

// The entry points of the tensor cores, in the PTX of every architecture that has some, multiply by
// the instruction that the table names, and by no other; and are compiled for the block that it launches.
func TestTensorCoreEntriesMultiplyByTheInstructionTheyName(t *testing.T) {
	for _, arch := range []int{70, 75, 80} {
		image, err := PTX(arch)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range Entries(arch) {
			if e.Engine != MMA {
				continue
			}
			t.Run(fmt.Sprintf("%d/%s", arch, e.Name), func(t *testing.T) {
				_, body, found := strings.Cut(string(image.Data), ".entry "+e.Name+"(")
				if !found {
					t.Fatalf("no entry %s in the PTX of %d", e.Name, image.Arch)
				}
				body, _, _ = strings.Cut(body, ".entry ")

				instructions := mmaInstruction.FindAllString(body, -1)
				if len(instructions) == 0 {
					t.Error("no mma.sync")
				}
				for _, i := range instructions {
					if i != e.Instruction {
						t.Fatalf("multiplies by %s, the table says %s", i, e.Instruction)
					}
				}
				if block := fmt.Sprintf(".maxntid %d", e.Block); !regexp.MustCompile(regexp.QuoteMeta(block) + `\b`).MatchString(body) {
					t.Errorf("not compiled for %s", block)
				}
				if blocks := fmt.Sprintf(".minnctapersm %d", e.BlocksPerSM); e.BlocksPerSM > 0 && !strings.Contains(body, blocks) {
					t.Errorf("registers are not held to %s", blocks)
				}
			})
		}
	}
}
