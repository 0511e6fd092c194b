package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/bench"
)

// TestFullAndReadOnlyDisksCostNoMeasurement measures with a state folder on a real file system
// that takes no more.
func TestFullAndReadOnlyDisksCostNoMeasurement(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skip: mounting a small file system needs root")
	}
	for _, c := range []struct {
		name, options string
		flags         uintptr
		want          string
	}{
		{"full", "size=16k", 0, "no space is left"},
		{"read-only", "size=1m", syscall.MS_RDONLY, "read-only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("tmpfs", dir, "tmpfs", c.flags, c.options); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(dir, 0); err != nil {
					t.Error(err)
				}
			})
			p := newProgram(t)
			stdout, stderr := p.run(exitFailed, append(small, "--json", "--state-dir", dir+"/state")...)
			if doc := decode[agent.Document](t, stdout); len(doc.Results) != 1 || doc.Results[0].Status != bench.OK {
				t.Errorf("%d results printed", len(doc.Results))
			}
			if !strings.Contains(stderr, "the results were not kept: ") || !strings.Contains(stderr, c.want) {
				t.Errorf("stderr does not say that nothing was kept because of %q:\n%s", c.want, stderr)
			}
		})
	}
}
