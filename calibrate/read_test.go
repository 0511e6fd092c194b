package calibrate

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func goldenText(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/profile.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestReadSaysInOneSentenceWhatIsWrong(t *testing.T) {
	golden := goldenText(t)
	edit := func(old, new string) io.Reader {
		if !strings.Contains(golden, old) {
			t.Fatalf("the golden profile has no %q to spoil", old)
		}
		return strings.NewReader(strings.Replace(golden, old, new, 1))
	}
	for want, r := range map[string]io.Reader{
		"is empty: want JSON":                     strings.NewReader(" \n"),
		"not JSON":                                strings.NewReader("hello"),
		"unexpected end":                          strings.NewReader(golden[:len(golden)/2]),
		`schema "": want "realflops-profile/1"`:   strings.NewReader(`{"devices":[]}`),
		`schema "realflops-profile/2"`:            edit(Schema, "realflops-profile/2"),
		"larger than 16 MB":                       zeros{},
		"it has no device":                        strings.NewReader(`{"schema":"` + Schema + `","devices":[]}`),
		"does not have the form":                  edit(`"threads": 1`, `"threads": "one"`),
		"threads 0: want at least 1":              edit(`"threads": 1`, `"threads": 0`),
		"not a positive rate":                     edit(`"value": 112000000000`, `"value": -5`),
		"0 is not a positive rate":                edit(`"value": 112000000000`, `"value": 0`),
		"within [1.1025e+11, 1.1375e+11]":         edit(`"value": 112000000000`, `"value": 212000000000`),
		"invalid character 'N'":                   edit(`"value": 112000000000`, `"value": NaN`),
		"cannot unmarshal number 1e999":           edit(`"value": 112000000000`, `"value": 1e999`),
		"stands after":                            edit(`"shape": "512x512x512"`, `"shape": "8x8x8"`),
		"every dimension must be 1":               edit(`"shape": "512x512x512"`, `"shape": "512x0x512"`),
		"stands after 9000000":                    edit(`"n": 4096`, `"n": 9000000`),
		"overhead dispatch: -1 is not a time":     edit(`"value": 1e-8`, `"value": -1`),
		"size 1024 of -5 bytes: want 1 to 2^40":   edit(`"bytes": 24576`, `"bytes": -5`),
		`device "host-1": limit fp32/fp32: 7e+99`: edit(`"value": 112000000000`, `"value": 7e99`),
	} {
		_, err := Read(r)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestReadIgnoresFieldsOfLaterMinorForms(t *testing.T) {
	text := strings.Replace(goldenText(t), `"run":`, `"novel": {"x": 1}, "run":`, 1)
	if _, err := Read(strings.NewReader(text)); err != nil {
		t.Error(err)
	}
}

// FuzzRead: whatever is read is refused or can be looked things up in, with finite answers,
// and survives being written and read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(goldenText(f)), 100.0)
	f.Add([]byte(`{"schema":"`+Schema+`","devices":[{"id":"a","gemm":[{"precision":"fp32/fp32","threads":1,"points":[{"shape":"1x1x1","flop_per_s":{"value":1,"lo":1,"hi":1}}]}]}]}`), 1.0)
	f.Add([]byte(`{"schema":"`+Schema+`","devices":[{"id":"a"}]}`), math.NaN())
	f.Fuzz(func(t *testing.T, text []byte, size float64) {
		p, err := Read(bytes.NewReader(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a sentence: %q", err)
			}
			return
		}
		for i := range p.Devices {
			lookEverythingUp(t, &p.Devices[i], size)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(again)); err != nil {
			t.Errorf("written and read again: %v", err)
		}
	})
}

func lookEverythingUp(t *testing.T, d *Device, size float64) {
	dim := int(min(max(size, 1), 1<<40))
	check := func(l Lookup, err error) {
		if err == nil && !(l.Value > 0 && !math.IsInf(l.Value, 0) && l.Lo <= l.Value && l.Value <= l.Hi) {
			t.Errorf("answer %+v", l)
		}
	}
	for _, c := range d.Limits {
		check(d.Limit(c.Precision, c.Threads))
	}
	for _, c := range d.GEMM {
		check(d.GEMMRate(c.Precision, c.Threads, dim, 4096, 77))
	}
	for _, c := range d.Elementwise {
		check(d.ElementwiseRate(c.Kernel, c.Precision, c.Threads, size))
	}
	for _, c := range d.Bandwidth {
		check(d.BandwidthRate(c.Threads, size))
	}
	check(d.ElementwiseRate(kernels.ReLU, kernels.FP32, 1, size))
}
