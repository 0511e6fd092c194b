package cpu

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestPagesLieOnTheNodeAskedFor(t *testing.T) {
	topology, err := ReadTopology("/")
	if errors.Is(err, ErrNoTopology) {
		if _, _, err := AllocOn[float64](0, 1); err == nil || !strings.Contains(err.Error(), runtime.GOOS) {
			t.Errorf("without a topology pages are placed: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range topology.Nodes {
		if node.MemoryBytes == 0 {
			continue
		}
		for _, n := range []int{1, 100_000} {
			data, free, err := AllocOn[float64](node.ID, n)
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
				t.Logf("this system lets nobody place pages: %v", err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range []int{0, n / 2, n - 1} {
				if got, err := NodeOf(data[at:]); err != nil || got != node.ID {
					t.Errorf("element %d of %d is on node %d (%v), want %d", at, n, got, err, node.ID)
				}
			}
			free()
		}
	}
}

func TestPlacementSaysWhatItCannotDo(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // TestPagesLieOnTheNodeAskedFor says so
	}
	for node, want := range map[int]string{
		-1:            "cannot place 10 elements on memory node -1: node -1: want 0 to 8191",
		maxListed - 1: "cannot place 10 elements on memory node 8191: mbind: ",
	} {
		if _, _, err := AllocOn[float64](node, 10); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("node %d: %v, should begin %q", node, err, want)
		}
	}
	if _, err := NodeOf([]float64{}); err == nil {
		t.Error("nothing lies on a node")
	}
}
