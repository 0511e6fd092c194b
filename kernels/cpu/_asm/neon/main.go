// Command neon generates the arm64 kernels of package cpu: register-only loops, microkernels of GEMM and
// what packs their operands. It writes Go assembly; instructions that Go's assembler does not know are
// words with their disassembly beside them, which a test of package cpu holds to objdump's.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	out := flag.String("out", "..", "the folder of package cpu")
	flag.Parse()
	for _, file := range []struct {
		name string
		fill func(asm, stubs *text)
	}{{"fma_neon", fmaFile}, {"gemm_neon", gemmFile}, {"pack_neon", packFile}} {
		asm, stubs := newAssembly(), new(text)
		stubs.WriteString(notice + "\npackage cpu\n")
		file.fill(asm, stubs)
		for ending, t := range map[string]*text{"_arm64.s": asm, "_stubs_arm64.go": stubs} {
			if err := os.WriteFile(filepath.Join(*out, file.name+ending), []byte(t.String()), 0o644); err != nil {
				fmt.Fprintln(os.Stderr, "neon:", err)
				os.Exit(1)
			}
		}
	}
}
