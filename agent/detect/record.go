package detect

import (
	"os"
	"runtime"
	"slices"

	"github.com/klauspost/cpuid/v2"
)

// Record is what detection uses and no file holds: the architecture, what the cpuid
// instruction said (on arm64: the HWCAP bits), and which environment variables were set.
// It lies in a dump as record.json.
type Record struct {
	Schema string   `json:"schema"` // DumpSchema
	Arch   string   `json:"arch"`   // GOARCH
	CPUID  CPUID    `json:"cpuid"`
	Env    []string `json:"env,omitempty"` // names out of recordedEnv, never their values
}

// CPUID is the part of klauspost/cpuid's findings that detection uses. Zero is unknown,
// except that Model and Stepping count once Family is known.
type CPUID struct {
	Vendor     string   `json:"vendor,omitempty"` // GenuineIntel
	Brand      string   `json:"brand,omitempty"`
	Family     int      `json:"family,omitempty"`
	Model      int      `json:"model,omitempty"`
	Stepping   int      `json:"stepping,omitempty"`
	Features   []string `json:"features,omitempty"`   // as cpuid names them: AVX512BF16
	Hypervisor string   `json:"hypervisor,omitempty"` // KVMKVMKVM; only with the HYPERVISOR bit
	BaseHz     int64    `json:"base_hz,omitempty"`    // leaf 15h/16h, or the brand string
	BoostHz    int64    `json:"boost_hz,omitempty"`   // leaf 16h
	Cores      int      `json:"cores,omitempty"`      // per package
	Threads    int      `json:"threads,omitempty"`    // per core
	Logical    int      `json:"logical,omitempty"`    // that the program may use
	LineBytes  int      `json:"line_bytes,omitempty"`
	L1DBytes   int64    `json:"l1d_bytes,omitempty"`
	L1IBytes   int64    `json:"l1i_bytes,omitempty"`
	L2Bytes    int64    `json:"l2_bytes,omitempty"`
	L3Bytes    int64    `json:"l3_bytes,omitempty"`
}

// recordedEnv are the variables that detection asks for, by being set or not.
var recordedEnv = []string{"KUBERNETES_SERVICE_HOST"}

func liveRecord() Record {
	c := &cpuid.CPU
	r := Record{Schema: DumpSchema, Arch: runtime.GOARCH, CPUID: CPUID{
		Vendor: c.VendorString, Brand: c.BrandName,
		Family: c.Family, Model: c.Model, Stepping: c.Stepping,
		Features: c.FeatureSet(),
		BaseHz:   c.Hz, BoostHz: c.BoostFreq,
		Cores: c.PhysicalCores, Threads: c.ThreadsPerCore, Logical: runtime.NumCPU(),
		LineBytes: c.CacheLine,
		L1DBytes:  max(int64(c.Cache.L1D), 0), L1IBytes: max(int64(c.Cache.L1I), 0),
		L2Bytes: max(int64(c.Cache.L2), 0), L3Bytes: max(int64(c.Cache.L3), 0),
	}}
	slices.Sort(r.CPUID.Features)
	if c.Has(cpuid.HYPERVISOR) { // without the bit, leaf 40000000h holds something else
		r.CPUID.Hypervisor = c.HypervisorVendorString
	}
	for _, name := range recordedEnv {
		if os.Getenv(name) != "" {
			r.Env = append(r.Env, name)
		}
	}
	return r
}

// has reports whether cpuid set the feature that it calls name.
func (c CPUID) has(name string) bool { return slices.Contains(c.Features, name) }
