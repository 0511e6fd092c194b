package cuda

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The architectures that there is an image of.
var (
	cubinArchs = []int{70, 75, 80, 86, 89, 90, 100, 120}
	ptxArchs   = []int{50, 70, 75, 80}
)

func names(images []Image) []string {
	var all []string
	for _, i := range images {
		all = append(all, i.Name)
	}
	return all
}

func TestImagesAreTriedBestFirst(t *testing.T) {
	for _, c := range []struct {
		arch int
		want string
	}{
		{30, ""},
		{50, "compute_50"},
		{61, "compute_50"},
		{70, "sm_70 compute_70 compute_50"},
		{72, "sm_70 compute_70 compute_50"}, // a cubin serves later minors of its major
		{75, "sm_75 sm_70 compute_75 compute_70 compute_50"},
		{80, "sm_80 compute_80 compute_75 compute_70 compute_50"},
		{86, "sm_86 sm_80 compute_80 compute_75 compute_70 compute_50"},
		{87, "sm_86 sm_80 compute_80 compute_75 compute_70 compute_50"},
		{89, "sm_89 sm_86 sm_80 compute_80 compute_75 compute_70 compute_50"},
		{90, "sm_90a compute_80 compute_75 compute_70 compute_50"},
		{100, "sm_100a compute_80 compute_75 compute_70 compute_50"},
		{103, "compute_80 compute_75 compute_70 compute_50"}, // 100a serves 10.0 alone
		{120, "sm_120a compute_80 compute_75 compute_70 compute_50"},
		{130, "compute_80 compute_75 compute_70 compute_50"}, // of the future
	} {
		if got := strings.Join(names(Images(c.arch)), " "); got != c.want {
			t.Errorf("images for %d are %q, want %q", c.arch, got, c.want)
		}
	}
}

func TestPTXIsTheHighestThatTheDeviceRuns(t *testing.T) {
	for _, c := range []struct{ arch, want int }{{50, 50}, {61, 50}, {70, 70}, {75, 75}, {80, 80}, {90, 80}, {130, 80}} {
		if image, err := PTX(c.arch); err != nil || image.Arch != c.want || !image.PTX {
			t.Errorf("PTX(%d) is %s (%v), want compute_%d", c.arch, image.Name, err, c.want)
		}
	}
	if image, err := PTX(37); err == nil || !strings.Contains(err.Error(), "3.7") {
		t.Errorf("PTX(37) is %q, error %v; want an error that names 3.7", image.Name, err)
	}
}

func TestImagesAreWhatADriverLoads(t *testing.T) {
	for _, arch := range cubinArchs {
		image := Images(arch)[0]
		if image.PTX || image.Arch != arch {
			t.Fatalf("the first image for %d is %s, want its cubin", arch, image.Name)
		}
		// ELF, 64 bits, little-endian, for the machine EM_CUDA (190).
		if !bytes.HasPrefix(image.Data, []byte("\x7fELF\x02\x01")) || image.Data[18] != 190 || image.Data[19] != 0 {
			t.Errorf("%s does not begin as a cubin does: % x", image.Name, image.Data[:20])
		}
	}
	label := regexp.MustCompile(`\A\.version (\d\.\d)\n\.target sm_(\d+)\n\.address_size 64\n`)
	// The versions that drivers 418 (CUDA 10.1), 418, 440 and 450 take, or older.
	newest := map[int]string{50: "6.0", 70: "6.4", 75: "6.5", 80: "7.0"}
	for _, arch := range ptxArchs {
		image, err := PTX(arch)
		if err != nil {
			t.Fatal(err)
		}
		m := label.FindSubmatch(image.Data)
		if m == nil {
			t.Fatalf("%s begins with %q", image.Name, image.Data[:60])
		}
		if string(m[1]) != newest[arch] || string(m[2]) != strconv.Itoa(arch) {
			t.Errorf("%s is version %s for sm_%s, want %s for sm_%d", image.Name, m[1], m[2], newest[arch], arch)
		}
		if n := bytes.IndexByte(image.Data, 0); n != len(image.Data)-1 {
			t.Errorf("the first NUL byte of %s is at %d of %d, want it last", image.Name, n, len(image.Data))
		}
	}
}

// entryPoints lists the kernels of an image: PTX declares them, a cubin has a section .text.NAME each.
func entryPoints(image Image) []string {
	declared := regexp.MustCompile(`\.entry (\w+)\(`)
	if !image.PTX {
		declared = regexp.MustCompile(`\x00\.text\.(\w+)\x00`)
	}
	var all []string
	for at := 0; ; {
		m := declared.FindSubmatchIndex(image.Data[at:])
		if m == nil {
			break
		}
		all = append(all, string(image.Data[at+m[2]:at+m[3]]))
		at += m[3] // the NUL that ends one name may begin the next
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestEveryImageHasTheEntriesOfItsArchitecture(t *testing.T) {
	check := func(image Image) {
		var want []string
		for _, e := range Entries(image.Arch) {
			want = append(want, e.Name)
		}
		slices.Sort(want)
		if got := entryPoints(image); !slices.Equal(got, want) {
			t.Errorf("%s has the entry points\n%v\nand the table says\n%v", image.Name, got, want)
		}
	}
	for _, arch := range cubinArchs {
		check(Images(arch)[0])
	}
	for _, arch := range ptxArchs {
		image, err := PTX(arch)
		if err != nil {
			t.Fatal(err)
		}
		check(image)
	}
}

// Parameters are eight bytes each: what [Launch] promises, and all that gorgonia.org/cu can pass.
func TestParametersAreEightBytes(t *testing.T) {
	image, err := PTX(80)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`\.param \.(\w+) (\w+_param_\d+)`).FindAllSubmatch(image.Data, -1)
	if len(all) < 3*len(Entries(80)) {
		t.Fatalf("%d parameters of %d entry points: the pattern misses some", len(all), len(Entries(80)))
	}
	for _, m := range all {
		if string(m[1]) != "u64" {
			t.Errorf("parameter %s is .%s, want .u64", m[2], m[1])
		}
	}
}

// The claims (src/*.claims.json) say how much dynamic shared memory the table of registers assumes, and what is measured.
func TestClaimsAgreeWithEntries(t *testing.T) {
	type claim struct {
		Loop, Block map[string]int
		Shared      int
	}
	claimed := map[string]map[string]claim{}
	files, err := filepath.Glob("src/*.claims.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no claims: %v", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&claimed); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	for _, arch := range cubinArchs {
		for _, e := range Entries(arch) {
			if e.Kernel == "" {
				continue
			}
			from := -1
			for key := range claimed[e.Name] {
				if a, err := strconv.Atoi(key); err != nil {
					t.Errorf("claim of %s: %q is no architecture", e.Name, key)
				} else if a <= arch {
					from = max(from, a)
				}
			}
			if from < 0 {
				t.Errorf("%s on %d: its source claims nothing of it", e.Name, arch)
				continue
			}
			c := claimed[e.Name][strconv.Itoa(from)]
			if c.Shared != e.Shared {
				t.Errorf("%s on %d: %d bytes of dynamic shared memory in the table, %d claimed", e.Name, arch, e.Shared, c.Shared)
			}
			if len(c.Loop)+len(c.Block) == 0 {
				t.Errorf("%s on %d: its claim counts no instruction", e.Name, arch)
			}
		}
	}
}

// The worker carries all images: packed, they stay a small part of it.
func TestImagesAreSmall(t *testing.T) {
	const budget = 4 << 20
	var total int64
	files, err := filepath.Glob("compiled/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > budget || len(files) != len(cubinArchs)+len(ptxArchs) {
		t.Errorf("%d images of %d bytes in all, want %d of at most %d", len(files), total, len(cubinArchs)+len(ptxArchs), budget)
	}
}
