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
		read   reading
		copy   copying
		scale  scaling
		add    adding
		triad  combining
	}{
		{GoAVX2, readFP64FarAVX2, copyFP64FarAVX2, scaleFP64FarAVX2, addFP64FarAVX2, triadFP64FarAVX2},
		{GoAVX512, readFP64FarAVX512, copyFP64FarAVX512, scaleFP64FarAVX512, addFP64FarAVX512, triadFP64FarAVX512},
	} {
		t.Run(c.engine, func(t *testing.T) {
			needs(t, implOf(t, kernels.Read, kernels.FP64, c.engine))
			t.Run("read", func(t *testing.T) { kerneltest.Read(t, reads(always(c.read))) })
			t.Run("copy", func(t *testing.T) { kerneltest.Copy(t, copies(always(c.copy))) })
			t.Run("scale", func(t *testing.T) { kerneltest.Scale(t, scales(always(c.scale))) })
			t.Run("add", func(t *testing.T) { kerneltest.Add(t, adds(always(c.add))) })
			t.Run("triad", func(t *testing.T) { kerneltest.Triad(t, triads(always(c.triad))) })
		})
	}
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
