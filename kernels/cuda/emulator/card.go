package emulator

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/realflops/realflops/kernels"
)

// Card is a kind of GPU as the cost model knows it. Its files are cards/*.json; every figure
// there names its source.
type Card struct {
	Name    string `json:"name"`    // a100
	Model   string `json:"model"`   // as the driver names it
	Purpose string `json:"purpose"` // one line

	Arch int `json:"arch"` // compute capability: 80 is 8.0
	SMs  int `json:"sms"`

	ClockHz     float64 `json:"clock_hz"` // under load
	MaxClockHz  float64 `json:"max_clock_hz"`
	IdleClockHz float64 `json:"idle_clock_hz"`

	MemoryBytes     int64   `json:"memory_bytes"`
	MemoryBytesPerS float64 `json:"memory_bytes_per_s"`
	L2Bytes         int64   `json:"l2_bytes"`
	L2BytesPerClock float64 `json:"l2_bytes_per_clock"` // of all SMs together

	SharedBytesPerSM    int `json:"shared_bytes_per_sm"`
	SharedBytesPerBlock int `json:"shared_bytes_per_block"` // that a block may opt in to
	ThreadsPerSM        int `json:"threads_per_sm"`
	BlocksPerSM         int `json:"blocks_per_sm"`

	PerClock Rates `json:"per_clock"`

	LaunchS      float64 `json:"launch_s"`        // from one launch to the next, back to back
	BusBytesPerS float64 `json:"bus_bytes_per_s"` // between the host's page-locked memory and the device
	BusS         float64 `json:"bus_s"`           // of a copy, besides

	PowerLimitW float64 `json:"power_limit_w"`
	IdlePowerW  float64 `json:"idle_power_w"`

	Efficiency Efficiency `json:"efficiency"`

	Sources []Source `json:"sources"`
}

// Rates are what one SM does in a clock cycle.
type Rates struct {
	Issue       float64 `json:"issue"` // warp instructions
	FP32        float64 `json:"fp32"`  // operations of threads; a multiply-add is one
	FP64        float64 `json:"fp64"`
	FP16x2      float64 `json:"fp16x2"` // packed: two multiply-adds each
	Integer     float64 `json:"integer"`
	Special     float64 `json:"special"`
	SharedBytes float64 `json:"shared_bytes"`

	// Multiply-adds of the tensor cores by mma.sync, and of gemm by the vendor's library, by
	// precision; what is not listed is not to be had.
	Tensor  map[kernels.Precision]float64 `json:"tensor"`
	Library map[kernels.Precision]float64 `json:"library"`
}

// Efficiency is the share of its rates that a card reaches.
type Efficiency struct {
	Compute float64 `json:"compute"` // of the SMs, by own kernels
	Library float64 `json:"library"` // of the SMs, by the vendor's library
	Memory  float64 `json:"memory"`  // of memory and L2
}

// Source says where figures come from.
type Source struct {
	Fields []string `json:"fields"`
	From   string   `json:"from"`
}

//go:embed cards/*.json scenarios/*.json
var files embed.FS

// Cards lists the cards that can be emulated, by name.
func Cards() []Card {
	cards, err := load[Card]("cards")
	if err != nil {
		panic(err) // a test loads every file
	}
	return cards
}

// load reads the files of a folder strictly: no field that T lacks, nothing behind the object.
func load[T interface{ check(file string) error }](folder string) ([]T, error) {
	names, err := fs.Glob(files, folder+"/*.json")
	if err != nil {
		return nil, err
	}
	var all []T
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		v, err := decode[T](name, raw)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func decode[T interface{ check(file string) error }](name string, raw []byte) (T, error) {
	var v T
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	if d.More() {
		return v, fmt.Errorf("%s: something follows the object", name)
	}
	if err := v.check(strings.TrimSuffix(path.Base(name), ".json")); err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// check holds a card to its file's name, and every figure of it to be there, positive and
// with a source.
func (c Card) check(file string) error {
	if c.Name != file || c.Model == "" || c.Purpose == "" {
		return fmt.Errorf("card %q: want the name %q, a model and a purpose", c.Name, file)
	}
	sourced := map[string]bool{}
	for _, s := range c.Sources {
		if s.From == "" {
			return errors.New("a source without its from")
		}
		for _, f := range s.Fields {
			sourced[f] = true
		}
	}
	figures := map[string]float64{}
	collect("", reflect.ValueOf(c), figures)
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		switch {
		case figures[name] <= 0:
			return fmt.Errorf("%s is %v; want more than 0", name, figures[name])
		case !sourced[name]:
			return fmt.Errorf("%s has no source", name)
		}
		delete(sourced, name)
	}
	for name := range sourced {
		return fmt.Errorf("a source for %s, which is no figure of the card", name)
	}
	for name, v := range map[string]float64{"compute": c.Efficiency.Compute, "library": c.Efficiency.Library, "memory": c.Efficiency.Memory} {
		if v > 1 {
			return fmt.Errorf("efficiency.%s is %v; want at most 1", name, v)
		}
	}
	return nil
}

// collect gathers the numbers of v by their JSON names: clock_hz, per_clock.fp32. A map is one
// name, and its smallest number.
func collect(prefix string, v reflect.Value, into map[string]float64) {
	for i := range v.NumField() {
		name := prefix + v.Type().Field(i).Tag.Get("json")
		switch f := v.Field(i); f.Kind() {
		case reflect.Int, reflect.Int64:
			into[name] = float64(f.Int())
		case reflect.Float64:
			into[name] = f.Float()
		case reflect.Struct:
			collect(name+".", f, into)
		case reflect.Map:
			into[name] = 1
			for _, k := range f.MapKeys() {
				into[name] = min(into[name], f.MapIndex(k).Float())
			}
		}
	}
}
