package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realflops/realflops/calibrate/model"
	"github.com/realflops/realflops/kernels"
)

// shapeFlags are the flags that say what a model is run on, alike for model and estimate.
type shapeFlags struct {
	batch, seq, context int
	causal              bool
	precision           string
}

func (f *shapeFlags) register(fl *pflag.FlagSet) {
	fl.IntVar(&f.batch, "batch", 1, "sequences at once")
	fl.IntVar(&f.seq, "seq", 0, "positions of each sequence (default: the model's full context)")
	fl.IntVar(&f.context, "context", 0, "of decode: positions that the new token sees (default: the full context)")
	fl.BoolVar(&f.causal, "causal", true, "count the half of attention that a causal mask lets through (default: as the model is)")
	fl.Lookup("causal").DefValue = "" // the model's, not true
	fl.StringVar(&f.precision, "precision", "fp32", "how weights and activations are stored: fp32 or fp16")
}

// check refuses sizes below 1; a size that was not given is the model's own.
func (f *shapeFlags) check(fl *pflag.FlagSet) error {
	for name, v := range map[string]int{"batch": f.batch, "seq": f.seq, "context": f.context} {
		if fl.Changed(name) && v < 1 {
			return usage("--%s %d: want at least 1", name, v)
		}
	}
	return nil
}

// causalFlag is nil where the flag was not given: then the model decides.
func (f *shapeFlags) causalFlag(fl *pflag.FlagSet) *bool {
	if !fl.Changed("causal") {
		return nil
	}
	return &f.causal
}

func (a *app) modelCommand() *cobra.Command {
	var f shapeFlags
	var task string
	cmd := &cobra.Command{
		Use:   "model MODEL",
		Short: "Count a model: parameters, FLOP, bytes; no machine needed",
		Long:  "model counts what a model is and does, each number with its convention.\n\n" + modelHelp(),
		Args:  exactArgs(1, "one model, such as gpt2"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd.Flags()); err != nil {
				return err
			}
			m, err := loadModel(args[0])
			if err != nil {
				return err
			}
			doc, err := m.Count(model.Setup{
				Task: model.Task(task), Batch: f.batch, Seq: f.seq, Context: f.context,
				Causal: f.causalFlag(cmd.Flags()), Precision: kernels.Precision(f.precision),
			})
			if err != nil {
				return usage("%w", err)
			}
			if a.json {
				return a.printJSON(doc)
			}
			return a.printModel(doc)
		},
	}
	cmd.Flags().StringVar(&task, "task", string(model.Forward), "forward, backward, step, prefill or decode")
	f.register(cmd.Flags())
	return cmd
}

func modelHelp() string {
	text := "A model is a Hugging Face config.json of a GPT-2, Llama, Mistral or BERT model, a folder that holds one, or a preset: " +
		strings.Join(model.Presets(), ", ") + "."
	return strings.Join(wrap(text, helpWidth), "\n")
}

// helpWidth is where help texts are wrapped.
const helpWidth = 92

// loadModel tells a wrong name (usage) from a wrong file (failed).
func loadModel(x string) (*model.Model, error) {
	m, err := model.Load(x)
	var unknown *kernels.UnknownError
	if err != nil && !errors.As(err, &unknown) {
		return nil, withCode(exitFailed, "%w", err)
	}
	return m, err
}

func (a *app) printModel(d *model.Document) error {
	w, paint := a.stdout, a.outPaint()
	out := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	out("%s: %s parameters, %s at %s\n\n", paint.bold(d.Model.Name), grouped(d.Model.Params), binary(d.Model.Bytes), d.Setup.Precision)
	parts := newTable("part", ">parameters", ">share")
	for _, p := range d.Model.Parts {
		parts.add(p.Name, grouped(p.Params), fmt.Sprintf("%.1f%%", 100*float64(p.Params)/float64(d.Model.Params)))
	}
	if err := parts.write(w, paint); err != nil {
		return err
	}

	out("\ntask %s, batch %d, %s, context %d\n", d.Setup.Task, d.Setup.Batch, plural(d.Setup.Seq, "position"), d.Setup.Context)
	counts := newTable("count", ">value")
	var notes conventions
	add := func(name, value, convention string) {
		counts.add(name, value)
		notes.add(name, convention)
	}
	add("forward", si(d.FLOP.Forward.Value, "FLOP"), d.FLOP.Forward.Convention)
	for _, c := range []struct {
		name    string
		counted *model.Counted
	}{{"backward", d.FLOP.Backward}, {"step", d.FLOP.Step}, {"optimizer", d.FLOP.Optimizer}} {
		if c.counted != nil {
			add(c.name, si(c.counted.Value, "FLOP"), c.counted.Convention)
		}
	}
	add("elementwise", si(d.FLOP.Vector.Value, "FLOP"), d.FLOP.Vector.Convention)
	add("bytes moved", si(d.Bytes.Value, "B"), d.Bytes.Convention)
	add("activations", binary(d.Activations.Value), d.Activations.Convention)
	if err := counts.write(w, paint); err != nil {
		return err
	}
	out("\n")
	if err := notes.write(w, paint); err != nil {
		return err
	}

	out("\n")
	ops := newTable("operation", "kind", ">count", ">FLOP", ">bytes", ">FLOP/byte")
	for _, o := range d.Ops {
		intensity := ""
		if o.Bytes > 0 {
			intensity = digits(o.FLOP / o.Bytes)
		}
		ops.add(o.Name, string(o.Kind), fmt.Sprint(o.Count), si(o.FLOP, ""), si(o.Bytes, "B"), intensity)
	}
	if err := ops.write(w, paint); err != nil {
		return err
	}

	out("\nhow it grows with %s\n", d.Growth.Convention)
	growth := newTable("quantity", "term", ">value", "order")
	for _, t := range d.Growth.Terms {
		growth.add(t.Quantity, t.Term, si(t.Value, ""), t.Order)
	}
	if err := growth.write(w, paint); err != nil {
		return err
	}
	if d.Growth.Crossover != nil {
		out("attention overtakes the MLP from %.0f positions on\n", *d.Growth.Crossover)
	}
	for _, warning := range d.Warnings {
		out("%s %s\n", paint.yellow(warning.Code+":"), warning.Text)
	}
	return nil
}
