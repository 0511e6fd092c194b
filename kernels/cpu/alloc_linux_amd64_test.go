package cpu

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

// TestPagesAreAdvised reads from /proc/self/smaps which pages a block was advised to have: hg is huge, nh is none that
// are (Documentation/filesystems/proc.rst). Not on arm64, which is tested under qemu: that shows no such flags.
func TestPagesAreAdvised(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		return // a kernel without huge pages refuses the advice
	}
	for want, alloc := range map[string]func(int) ([]float64, func(), error){"hg": Alloc[float64], "nh": AllocSmallPages[float64]} {
		data, free, err := alloc(hugePage)
		if err != nil {
			t.Fatal(err)
		}
		if flags := vmFlags(t, uintptr(unsafe.Pointer(&data[len(data)/2]))); !strings.Contains(flags+" ", " "+want+" ") {
			t.Errorf("the mapping has the flags %q, want %s among them", flags, want)
		}
		free()
	}
}

// vmFlags are those of the mapping that holds an address.
func vmFlags(t *testing.T, address uintptr) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return " " + strings.TrimSpace(flags)
		}
	}
	t.Fatalf("no mapping holds %#x", address)
	return ""
}
