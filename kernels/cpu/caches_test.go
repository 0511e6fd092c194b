package cpu

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCachesAreThoseOfACore(t *testing.T) {
	type cache struct{ level, kind, size, shared string }
	for name, c := range map[string]struct {
		l1, l2         int // as cpuid has them
		listed         []cache
		wantL1, wantL2 int
	}{
		"known to cpuid":         {48 << 10, 2 << 20, []cache{{"1", "Data", "64K", "0"}, {"2", "Unified", "1024K", "0"}}, 48 << 10, 2 << 20},
		"an L2 for each core":    {-1, -1, []cache{{"1", "Instruction", "32K", "0"}, {"1", "Data", "64K", "0"}, {"2", "Unified", "1024K", "0"}, {"3", "Unified", "32768K", "0-63"}}, 64 << 10, 1 << 20},
		"an L2 for four cores":   {-1, -1, []cache{{"1", "Data", "32K", "0"}, {"2", "Unified", "2048K", "0-1,4,6"}}, 32 << 10, 512 << 10},
		"sizes that say nothing": {-1, -1, []cache{{"1", "Data", "32", "0"}, {"2", "Unified", "xK", "0-x"}}, 0, 0},
		"nothing listed":         {-1, -1, nil, -1, -1},
	} {
		folder := t.TempDir()
		for i, x := range c.listed {
			index := filepath.Join(folder, "index"+string(rune('0'+i)))
			if err := os.Mkdir(index, 0o700); err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{"level": x.level, "type": x.kind, "size": x.size, "shared_cpu_list": x.shared} {
				if err := os.WriteFile(filepath.Join(index, file), []byte(text+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		if l1, l2 := coreCaches(c.l1, c.l2, folder); l1 != c.wantL1 || l2 != c.wantL2 {
			t.Errorf("%s: caches of %d and %d bytes, want %d and %d", name, l1, l2, c.wantL1, c.wantL2)
		}
	}
}
