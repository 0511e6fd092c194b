// Package model turns a model's description into what it computes: its parameters
// by part and a list of operations whose sizes are symbolic in batch, sequence and
// context. Evaluated for a [Setup], the list says the FLOP, the bytes and the shape
// of every operation; package estimate prices it on a machine.
//
// It reads Hugging Face config.json files of GPT-2, Llama, Mistral and BERT models,
// and presets kept in the same form. It knows no machine, reads no weights, fills in
// no field that decides a count, and refuses an architecture that it does not know
// rather than guess.
package model

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// Model is what is known of a model before any setup is chosen.
type Model struct {
	Name         string
	Architecture Architecture
	Params       int64  // every parameter, a tied head counted once
	ParamsActive int64  // those that one token passes through; all of them, for a dense model
	Parts        []Part // sum to Params
	Warnings     []bench.Warning

	forms []form // one forward pass
}

// Part is a named share of a model's parameters.
type Part struct {
	Name   string `json:"name"`
	Params int64  `json:"params"`
}

// Info is a model as documents show it. Bytes are those of the weights at the
// precision that the document names.
type Info struct {
	Name         string  `json:"name"`
	Params       int64   `json:"params"`
	ParamsActive int64   `json:"params_active"`
	Bytes        float64 `json:"bytes"`
	Parts        []Part  `json:"parts,omitempty"`
}

// Info is m with its weights stored at p.
func (m *Model) Info(p kernels.Precision) Info {
	return Info{
		Name: m.Name, Params: m.Params, ParamsActive: m.ParamsActive,
		Bytes: float64(m.Params) * float64(p.Bytes()), Parts: m.Parts,
	}
}

// maxConfigBytes bounds what is read of a config.json; real ones have a few kilobytes.
const maxConfigBytes = 10 << 20

//go:embed presets/*.json
var presetFiles embed.FS

// aliases are other names that people use for a preset.
var aliases = map[string]string{
	"bert-base":  "bert-base-uncased",
	"bert-large": "bert-large-uncased",
	"tinyllama":  "tinyllama-1.1b",
}

// Presets lists the models that [Load] knows by name, sorted, aliases included.
func Presets() []string {
	var names []string
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	for a := range aliases {
		names = append(names, a)
	}
	slices.Sort(names)
	return names
}

// Load finds a model: x is the name of a preset, a config.json, or a folder that
// holds one. A preset goes before a folder of the same name ("./gpt2" is the folder).
// An unknown name is a [kernels.UnknownError] with the nearest preset.
func Load(x string) (*Model, error) {
	name := strings.ToLower(x)
	if a, ok := aliases[name]; ok {
		name = a
	}
	if slices.Contains(Presets(), name) {
		data, err := presetFiles.ReadFile("presets/" + name + ".json")
		if err != nil {
			return nil, fmt.Errorf("preset %s: %w", name, err)
		}
		return Parse(name, data)
	}
	if x == "" {
		return nil, errors.New("no model named: want a preset such as gpt2, a config.json, or a folder that holds one")
	}
	info, err := os.Stat(x)
	if errors.Is(err, fs.ErrNotExist) {
		if strings.ContainsAny(x, `/\`) || strings.HasSuffix(name, ".json") {
			return nil, fmt.Errorf("%s does not exist: want a config.json, a folder that holds one, or a preset such as gpt2", x)
		}
		return nil, kernels.Unknown("model", x, Presets())
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", x, err)
	}
	path := x
	if info.IsDir() {
		path = filepath.Join(x, "config.json")
	}
	data, err := readConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("folder %s holds no config.json: want a folder as Hugging Face models have it", x)
	}
	if err != nil {
		return nil, err
	}
	return Parse(nameOf(path), data)
}

// readConfig reads a regular file of at most maxConfigBytes.
func readConfig(path string) (data []byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: want a config.json", path)
	}
	f, err := os.Open(path) //nolint:gosec // the path is what the user asked for
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > maxConfigBytes {
		return nil, fmt.Errorf("%s has more than %d MiB: want a config.json, which has a few kilobytes", path, maxConfigBytes>>20)
	}
	return data, nil
}

// nameOf is what a model read from path is called: the folder of a config.json, the
// file's own name otherwise.
func nameOf(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	if base := filepath.Base(abs); base != "config.json" {
		return strings.TrimSuffix(base, ".json")
	}
	return filepath.Base(filepath.Dir(abs))
}

// Parse reads the text of a config.json. The error is one sentence that names the
// field, what it holds and what would be right.
func Parse(name string, data []byte) (*Model, error) {
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, fmt.Errorf("model %s: the configuration is empty: want a JSON object with a model_type", name)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("model %s: the configuration is not a JSON object: %w", name, describeJSON(err, len(data)))
	}
	c := &config{raw: raw}
	arch, warnings := c.architecture()
	if c.err != nil {
		return nil, fmt.Errorf("model %s: %w", name, c.err)
	}
	m := &Model{Name: name, Architecture: arch, Warnings: warnings, forms: arch.forms()}
	if err := m.count(); err != nil {
		field, value := c.largest()
		return nil, fmt.Errorf("model %s: %s %d: %w", name, field, value, err)
	}
	return m, nil
}

var errOverflow = errors.New("the count of parameters overflows 63 bits; want sizes of a real model")

// count sums the parameters of the forms into parts.
func (m *Model) count() error {
	var total int64
	for _, f := range m.forms {
		if f.shared {
			continue
		}
		p := mul(f.count, f.params)
		total = add(total, p)
		i := slices.IndexFunc(m.Parts, func(q Part) bool { return q.Name == f.part })
		if i < 0 {
			i = len(m.Parts)
			m.Parts = append(m.Parts, Part{Name: f.part})
		}
		m.Parts[i].Params = add(m.Parts[i].Params, p)
	}
	if total == math.MaxInt64 {
		return errOverflow
	}
	m.Params, m.ParamsActive = total, total
	m.Parts = slices.DeleteFunc(m.Parts, func(p Part) bool { return p.Params == 0 })
	return nil
}
