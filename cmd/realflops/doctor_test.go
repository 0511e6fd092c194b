package main

import (
	"testing"

	"github.com/realflops/realflops/agent/detect"
	kcpu "github.com/realflops/realflops/kernels/cpu"
)

func TestDoctorSaysWhatTheOperatingSystemWithholds(t *testing.T) {
	if got := withheldChecks(nil); got != nil {
		t.Errorf("nothing is withheld, and doctor says %v", got)
	}
	got := withheldChecks([]kcpu.Withheld{{Features: []string{"amx_bf16", "amx_tile"}, Why: "the operating system has not enabled (XCR0)"}})
	const want = "The CPU has amx_bf16, amx_tile, which the operating system has not enabled (XCR0): what needs them is measured by the next best engine."
	if len(got) != 1 || got[0].Status != detect.Warn || got[0].Text != want {
		t.Errorf("doctor says %+v, want a warning: %q", got, want)
	}
}
