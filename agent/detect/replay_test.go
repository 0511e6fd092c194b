package detect

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files of TestReplay")

// replay opens testdata/NAME.txtar as a dump directory.
func replay(t *testing.T, name string) *Source {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		for _, path := range expand(f.Name) {
			files[path] = string(f.Data)
		}
	}
	return openFiles(t, files)
}

// openFiles opens a dump directory of these files; a name with a slash at its end is a
// directory.
func openFiles(t *testing.T, files map[string]string) *Source {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, files)
	src, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	made := map[string]bool{} // a tree of CPUs has many files in few directories
	for name, content := range files {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if parent := filepath.Dir(path); !made[parent] {
			if err := os.MkdirAll(parent, 0o700); err != nil {
				t.Fatal(err)
			}
			made[parent] = true
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var braces = regexp.MustCompile(`\{([^{}]*)\}`)

// expand writes out the braces in a path: {0..3} and {0,16}, all combinations, so that a
// tree of CPUs stays readable.
func expand(path string) []string {
	at := braces.FindStringSubmatchIndex(path)
	if at == nil {
		return []string{path}
	}
	var all []string
	for choice := range strings.SplitSeq(path[at[2]:at[3]], ",") {
		first, last, _ := strings.Cut(choice, "..")
		lo, errLo := strconv.Atoi(first)
		hi, errHi := strconv.Atoi(last)
		if errLo != nil || errHi != nil {
			all = append(all, expand(path[:at[0]]+choice+path[at[1]:])...)
			continue
		}
		for i := lo; i <= hi; i++ {
			all = append(all, expand(path[:at[0]]+strconv.Itoa(i)+path[at[1]:])...)
		}
	}
	return all
}

func detect(t *testing.T, src *Source) *Host {
	t.Helper()
	h, err := Detect(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// facts are what each machine under testdata must be seen as: written by hand from the
// sources in testdata/README.md, not taken from a run.
var facts = map[string]func(t *testing.T, h *Host){
	"epyc-vm": func(t *testing.T, h *Host) {
		c := h.CPUDevice().CPU
		want(t, "model", h.CPUDevice().Model, "AMD EPYC")
		want(t, "family, model, stepping", [3]int{*c.Family, *c.ModelNumber, *c.Stepping}, [3]int{25, 17, 1})
		want(t, "shape", [3]int{c.Packages, c.Cores, c.Threads}, [3]int{1, 2, 2})
		want(t, "L3", c.Caches[3], Cache{3, "unified", 32 << 20, 1, 2, 64})
		want(t, "hypervisor", *h.Hypervisor, "kvm")
		want(t, "base clock", *c.BaseHz, 2596.148e6)
		want(t, "current clock", c.CurrentHz, nil)
		want(t, "quota", h.Limits.CPUQuota, nil)
		want(t, "memory limit", h.Limits.MemoryBytes, nil)
		wantFeatures(t, c, "avx2 fma f16c avx512f avx512bw avx512dq avx512vl avx512_vnni avx512_bf16", "avx512_fp16 amx_tile avx_vnni")
	},
	"xeon-2-sockets": func(t *testing.T, h *Host) {
		c := h.CPUDevice().CPU
		want(t, "shape", [3]int{c.Packages, c.Cores, c.Threads}, [3]int{2, 16, 32})
		want(t, "smt", c.SMT, true)
		want(t, "caches", c.Caches, []Cache{
			{1, "data", 48 << 10, 16, 2, 64},
			{1, "instruction", 32 << 10, 16, 2, 64},
			{2, "unified", 2 << 20, 16, 2, 64},
			{3, "unified", 105 << 20, 2, 16, 64},
		})
		want(t, "nodes", len(c.NUMANodes), 2)
		want(t, "CPUs of node 1", c.NUMANodes[1].CPUs, []int{8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31})
		want(t, "memory of node 0", *c.NUMANodes[0].MemoryBytes, 263846572<<10)
		want(t, "clocks", [3]float64{*c.BaseHz, *c.CurrentHz, *c.MaxHz}, [3]float64{2.0e9, 0.8e9, 3.8e9})
		want(t, "governor", *c.Governor, "powersave")
		want(t, "boost", *c.BoostEnabled, true)
		want(t, "hypervisor", h.Hypervisor, nil)
		want(t, "allowed CPUs (the mask also names absent ones)", len(h.Limits.CPUs), 32)
		wantFeatures(t, c, "amx_tile amx_bf16 amx_int8 avx512_fp16 avx512_bf16 avx_vnni", "amx_fp16 neon")
	},
	"container-quota": func(t *testing.T, h *Host) {
		want(t, "container", *h.Container, "docker")
		want(t, "quota", *h.Limits.CPUQuota, 1.5)
		want(t, "memory limit", *h.Limits.MemoryBytes, 2<<30)
		want(t, "affinity", h.Limits.CPUs, []int{0, 1, 2, 3})
		want(t, "threads at once", h.Limits.Threads(), 2)
		want(t, "hypervisor, cloud", [2]string{*h.Hypervisor, *h.Cloud}, [2]string{"hyperv", "azure"})
		want(t, "instance type", h.InstanceType, nil)
	},
	"vm-hidden-clocks": func(t *testing.T, h *Host) {
		c := h.CPUDevice().CPU
		want(t, "clocks", []*float64{c.BaseHz, c.CurrentHz, c.MaxHz}, []*float64{nil, nil, nil})
		want(t, "governor", c.Governor, nil)
		want(t, "boost", c.BoostEnabled, nil)
		want(t, "shape without sysfs", [3]int{c.Packages, c.Cores, c.Threads}, [3]int{2, 4, 4})
		want(t, "caches from cpuid", c.Caches[3], Cache{3, "unified", 32 << 20, 2, 2, 64})
		want(t, "memory limit of the job", *h.Limits.MemoryBytes, 524288000)
		want(t, "quota -1", h.Limits.CPUQuota, nil)
		want(t, "container", h.Container, nil)
		want(t, "hypervisor", *h.Hypervisor, "vmware")
		want(t, "OS", h.OS, "Rocky Linux 8.9 (Green Obsidian)")
	},
	"graviton3": func(t *testing.T, h *Host) {
		d := h.CPUDevice()
		want(t, "model", d.Model, "Neoverse-V1")
		want(t, "vendor", d.CPU.Vendor, "ARM")
		want(t, "part", *d.CPU.ModelNumber, 0xd40)
		want(t, "revision", *d.CPU.Stepping, 1)
		want(t, "family", d.CPU.Family, nil)
		want(t, "cloud, type", [2]string{*h.Cloud, *h.InstanceType}, [2]string{"aws", "c7g.2xlarge"})
		want(t, "hypervisor", *h.Hypervisor, "kvm")
		want(t, "arch", h.Arch, "arm64")
		want(t, "base clock", d.CPU.BaseHz, nil)
		wantFeatures(t, d.CPU, "neon fphp asimdhp asimddp asimdfhm bf16 i8mm sve svebf16 svei8mm", "sve2 avx2 asimd")
	},
	"gpus-no-driver": func(t *testing.T, h *Host) {
		want(t, "devices (CPU and two GPUs)", len(h.Devices), 3)
		zero := 0
		want(t, "first GPU", h.Devices[1], Device{
			ID: "pci-0000:21:00.0", Kind: "gpu", Model: "NVIDIA A100 PCIe 80GB",
			GPU: &GPU{PCI: "0000:21:00.0", Vendor: "10de", Device: "20b5", NUMA: &zero, Driver: NoDriver},
		})
		want(t, "second GPU", h.Devices[2].GPU, &GPU{PCI: "0000:41:00.0", Vendor: "10de", Device: "20b5", Driver: NoDriver})
		c := h.CPUDevice().CPU
		want(t, "stepping zero is known", *c.Stepping, 0)
		want(t, "boost, governor", [2]any{*c.BoostEnabled, *c.Governor}, [2]any{true, "performance"})
		want(t, "clock now and at most", [2]float64{*c.CurrentHz, *c.MaxHz}, [2]float64{3293812e3, 3350000e3})
		want(t, "cores by the older file names", [2]int{c.Packages, c.Cores}, [2]int{1, 2})
	},
}

// want compares values; a typed nil pointer is nil.
func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if v := reflect.ValueOf(got); want == nil && v.Kind() == reflect.Pointer && v.IsNil() {
		return
	}
	if w := reflect.ValueOf(want); w.IsValid() && reflect.ValueOf(got).CanConvert(w.Type()) && w.Kind() == reflect.Int {
		got = reflect.ValueOf(got).Convert(w.Type()).Interface()
	}
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		t.Errorf("%s: got %s, want %+v", what, g, want)
	}
}

func wantFeatures(t *testing.T, c *CPU, present, absent string) {
	t.Helper()
	for _, f := range strings.Fields(present) {
		if !slices.Contains(c.Features, f) {
			t.Errorf("instruction set %s is missing from %v", f, c.Features)
		}
	}
	for _, f := range strings.Fields(absent) {
		if slices.Contains(c.Features, f) {
			t.Errorf("instruction set %s is listed, but the machine lacks it", f)
		}
	}
}

// TestReplay holds detection to the facts of each machine, and to a golden file of all
// that detect and doctor say of it.
func TestReplay(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) != len(facts) {
		t.Fatalf("%d machines under testdata, %d in the table of facts (%v)", len(names), len(facts), err)
	}
	for name, check := range facts {
		t.Run(name, func(t *testing.T) {
			src := replay(t, name)
			h := detect(t, src)
			check(t, h)

			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			if err := e.Encode(map[string]any{"host": h, "doctor": Doctor(src, h)}); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			stored, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), stored) {
				t.Errorf("%s differs (go test -run TestReplay -update rewrites it); got\n%s", golden, got.Bytes())
			}
		})
	}
}

func TestDetectEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Detect(ctx, replay(t, "graviton3")); err == nil {
		t.Error("no error from a context that has ended")
	}
}

// record is the least that a dump needs, for machines made in a test.
const record = `{"schema": "realflops-dump/1", "arch": "amd64", "cpuid": {}}`

// TestEmptyMachineIsUnknownNotZero: where nothing can be read, nothing is claimed.
func TestEmptyMachineIsUnknownNotZero(t *testing.T) {
	h := detect(t, openFiles(t, map[string]string{recordFile: record}))
	c := h.CPUDevice()
	for name, isNil := range map[string]bool{
		"memory": h.MemoryBytes == nil, "quota": h.Limits.CPUQuota == nil, "limit": h.Limits.MemoryBytes == nil,
		"family": c.CPU.Family == nil, "model": c.CPU.ModelNumber == nil, "stepping": c.CPU.Stepping == nil,
		"base": c.CPU.BaseHz == nil, "current": c.CPU.CurrentHz == nil, "max": c.CPU.MaxHz == nil,
		"governor": c.CPU.Governor == nil, "boost": c.CPU.BoostEnabled == nil,
		"cloud": h.Cloud == nil, "hypervisor": h.Hypervisor == nil, "container": h.Container == nil,
	} {
		if !isNil {
			t.Errorf("%s is claimed to be known", name)
		}
	}
	want(t, "model", c.Model, "unknown")
	want(t, "caches", c.CPU.Caches, []Cache{})
	want(t, "threads at once", h.Limits.Threads(), 1)
}
