package model

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels"
)

// The published counts: GPT-2 and BERT from the models' own weights as torch counts
// them (gpt2 124,439,808; bert-base 109,482,240), Llama and Mistral from the sizes of
// their safetensors indices.
var published = map[string]int64{
	"gpt2":               124_439_808,
	"gpt2-medium":        354_823_168,
	"gpt2-large":         774_030_080,
	"gpt2-xl":            1_557_611_200,
	"bert-base-uncased":  109_482_240,
	"bert-base":          109_482_240,
	"bert-large-uncased": 335_141_888,
	"bert-large":         335_141_888,
	"llama-2-7b":         6_738_415_616,
	"llama-2-13b":        13_015_864_320,
	"llama-2-70b":        68_976_648_192,
	"llama-3-8b":         8_030_261_248,
	"mistral-7b":         7_241_732_096,
	"tinyllama-1.1b":     1_100_048_384,
	"tinyllama":          1_100_048_384,
}

func TestEveryPresetHasThePublishedParameters(t *testing.T) {
	for _, name := range Presets() {
		want, ok := published[name]
		if !ok {
			t.Errorf("preset %s has no published count in this test", name)
			continue
		}
		m := load(t, name)
		if m.Params != want {
			t.Errorf("%s: %d parameters, published are %d", name, m.Params, want)
		}
		var parts int64
		for _, p := range m.Parts {
			parts += p.Params
		}
		if parts != m.Params {
			t.Errorf("%s: parts sum to %d, not to %d", name, parts, m.Params)
		}
	}
	if len(Presets()) != len(published) {
		t.Errorf("%d presets, %d published counts", len(Presets()), len(published))
	}
}

// Parts by hand, GPT-2: 50257·768; 1024·768; a layer's attention 4·768² + 4·768;
// its MLP 8·768² + 5·768; 25 norms of 2·768.
func TestPartsOfGPT2(t *testing.T) {
	want := map[string]int64{
		"embeddings": 38_597_376, "positions": 786_432, "attention": 28_348_416, "mlp": 56_669_184, "norms": 38_400,
	}
	m := load(t, "gpt2")
	if len(m.Parts) != len(want) {
		t.Errorf("parts %v, want %v", m.Parts, want)
	}
	for _, p := range m.Parts {
		if want[p.Name] != p.Params {
			t.Errorf("%s: %d parameters, want %d", p.Name, p.Params, want[p.Name])
		}
	}
}

// The files are written as the transformers library writes them, with fields that
// decide nothing.
func TestConfigFilesCountAsThePresets(t *testing.T) {
	for name, want := range map[string]struct {
		params int64
		window int64
	}{
		"gpt2-hf":     {124_439_808, 0},
		"bert-hf":     {109_482_240, 0},
		"llama-2-hf":  {6_738_415_616, 0},
		"llama-3-hf":  {8_030_261_248, 0},
		"mistral-hf":  {7_241_732_096, 4096},
		"llama-tied":  {134_515_008, 0}, // SmolLM-135M: tied head, 9 heads on 3 KV heads
		"llama-bias":  {0, 0},
		"llama-wide":  {0, 0},
		"mistral-nem": {12_247_782_400, 0}, // Mistral-Nemo: head_dim 128 where hidden/heads is 160
	} {
		path := filepath.Join("testdata", name)
		m, err := Load(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want.params != 0 && m.Params != want.params {
			t.Errorf("%s: %d parameters, want %d", name, m.Params, want.params)
		}
		if m.Name != name {
			t.Errorf("%s is called %q", name, m.Name)
		}
		if m.Architecture.Window != want.window {
			t.Errorf("%s: window %d, want %d", name, m.Architecture.Window, want.window)
		}
		byFile, err := Load(filepath.Join(path, "config.json"))
		if err != nil || byFile.Params != m.Params || byFile.Name != m.Name {
			t.Errorf("%s: the file alone gives %v, %v", name, byFile, err)
		}
	}
}

// d=64, h=4, hd=16, kv=2, f=96, V=100, L=3: biases of q 64, k and v 32 each, out 64,
// and of the MLP 2·96 + 64.
func TestBiasesAndHeadDimAreCounted(t *testing.T) {
	const plain = 2*100*64 + 3*(64*64*2+64*32*2+3*64*96+2*64) + 64
	biased := load(t, filepath.Join("testdata", "llama-bias"))
	if want := int64(plain + 3*(64+2*32+64+2*96+64)); biased.Params != want {
		t.Errorf("with biases %d parameters, want %d", biased.Params, want)
	}
	// head_dim 32 doubles q, k, v and out
	wideHeads := load(t, filepath.Join("testdata", "llama-wide"))
	if want := int64(2*100*64 + 3*(64*128*2+64*64*2+3*64*96+2*64) + 64); wideHeads.Params != want {
		t.Errorf("with head_dim 32 %d parameters, want %d", wideHeads.Params, want)
	}
}

func TestUnknownNamesTellTheNearest(t *testing.T) {
	for name, near := range map[string]string{"gpt3": "gpt2", "llama-2-7c": "llama-2-7b", "bert-bas": "bert-base"} {
		_, err := Load(name)
		var unknown *kernels.UnknownError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), near) {
			t.Errorf("%s: error %v, want an unknown model that names %s", name, err, near)
		}
	}
	if m := load(t, "Llama-2-7B"); m.Name != "llama-2-7b" {
		t.Errorf("Llama-2-7B loads %s", m.Name)
	}
}

func TestPlacesThatHoldNoConfigAreRefused(t *testing.T) {
	empty := t.TempDir()
	big := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(big, make([]byte, maxConfigBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		empty:                             "holds no config.json",
		filepath.Join(empty, "none.json"): "does not exist",
		empty + "/folder":                 "does not exist",
		"":                                "no model named",
		big:                               "more than 10 MiB",
		"/dev/zero":                       "not a regular file",
	} {
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%q): error %v, want one with %q", path, err, want)
		}
	}
}

func TestHeadThatIsNotCountedIsTold(t *testing.T) {
	m := load(t, filepath.Join("testdata", "bert-hf"))
	if len(m.Warnings) != 1 || m.Warnings[0].Code != "head_not_counted" || !strings.Contains(m.Warnings[0].Text, "BertForMaskedLM") {
		t.Errorf("warnings %v, want head_not_counted of BertForMaskedLM", m.Warnings)
	}
	if m := load(t, filepath.Join("testdata", "gpt2-hf")); len(m.Warnings) != 0 {
		t.Errorf("gpt2's own head is counted, and yet: %v", m.Warnings)
	}
}

func load(t testing.TB, name string) *Model {
	t.Helper()
	m, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
