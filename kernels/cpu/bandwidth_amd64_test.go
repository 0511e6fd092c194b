package cpu

import (
	"testing"

	"github.com/realflops/realflops/kernels"
	"github.com/realflops/realflops/kernels/kerneltest"
)

// TestFarKernelsConform runs the suite of the kernels for what lies in memory, which operands as
// short as the suite's would not reach.
func TestFarKernelsConform(t *testing.T) {
	for _, c := range []struct {
		engine string
		copy   copying
		scale  scaling
		add    adding
		triad  combining
	}{
		{GoAVX2, copyFP64FarAVX2, scaleFP64FarAVX2, addFP64FarAVX2, triadFP64FarAVX2},
		{GoAVX2NT, copyFP64FarNTAVX2, scaleFP64FarNTAVX2, addFP64FarNTAVX2, triadFP64FarNTAVX2},
	} {
		t.Run(c.engine, func(t *testing.T) {
			needs(t, implOf(t, kernels.Triad, kernels.FP64, c.engine))
			t.Run("copy", func(t *testing.T) { kerneltest.Copy(t, copies(always(c.copy))) })
			t.Run("scale", func(t *testing.T) { kerneltest.Scale(t, scales(always(c.scale))) })
			t.Run("add", func(t *testing.T) { kerneltest.Add(t, adds(always(c.add))) })
			t.Run("triad", func(t *testing.T) { kerneltest.Triad(t, triads(always(c.triad))) })
		})
	}
	t.Run("read", func(t *testing.T) {
		needs(t, implOf(t, kernels.Read, kernels.FP64, GoAVX2))
		kerneltest.Read(t, reads(always(readFP64FarAVX2)))
	})
}

func TestDistanceIsDecidedByWhatCachesHold(t *testing.T) {
	d := distance[string]{"near", "far"}
	if got := d.of(nearBytes / 8); got != "near" {
		t.Errorf("operands that caches hold take the kernel for %s", got)
	}
	if got := d.of(nearBytes/8 + 1); got != "far" {
		t.Errorf("larger operands take the kernel for %s", got)
	}
}
