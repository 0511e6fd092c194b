package scripts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernelBuild stands in for the interpreter that runs kernels/cuda/_build: it writes one table,
// and the case says what else goes wrong.
func kernelBuild(fault string) map[string]string {
	return map[string]string{"python": `case "$*" in ` + fault + ` *" table "*) echo table >"$4";; esac`}
}

func TestCompiledKernelsMustBeWhatTheirSourcesGive(t *testing.T) {
	for _, c := range []struct{ name, fault, committed, want string }{
		{"in order", "", "table\n", ""},
		{"sources do not compile", "*' compile '*) echo fma.cu: error >&2; exit 1;;", "table\n", "fma.cu: error"},
		{"another image", "*' compare '*) echo sm_80 differs; exit 1;;", "table\n", "sm_80 differs"},
		{"a wrong claim", `*' table '*) echo table >"$4"; echo 511 claimed; exit 1;;`, "table\n", "511 claimed"},
		{"tests of the gate fail", "*unittest*) echo FAILED; exit 1;;", "table\n", "FAILED"},
		{"an old table", "", "old\n", "make kernels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "docs"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "docs/gpu-kernels.md"), []byte(c.committed), 0o600); err != nil {
				t.Fatal(err)
			}
			out, calls, err := newStage(t, kernelBuild(c.fault)).run(dir, "check-kernels.sh", "python")
			if (err != nil) != (c.want != "") || !strings.Contains(out, c.want) {
				t.Errorf("err %v, printed %q, want %q", err, out, c.want)
			}
			if c.want == "" && strings.Count(calls, "build.py") != 3 {
				t.Errorf("called\n%s\nwant it to compile, compare and write the table", calls)
			}
		})
	}
}
