package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/calibrate"
	"github.com/realflops/realflops/kernels"
)

// printReport shows a run: the table of results, the answer on activations, the
// warnings, the profile's summary and an estimate made from it.
func (a *app) printReport(doc agent.Document) error {
	w, paint := a.stdout, a.outPaint()
	if err := a.resultTables(doc); err != nil {
		return err
	}
	var text strings.Builder
	activationLines(&text, doc.Results)
	warningLines(&text, doc.Results, paint)
	for _, warning := range doc.Run.Warnings {
		fmt.Fprintf(&text, "  %s on the run: %s\n", paint.yellow(warning.Code), warning.Text)
	}
	if doc.Profile != nil {
		for i := range doc.Profile.Devices {
			profileLines(&text, &doc.Profile.Devices[i], paint)
		}
		if err := a.exampleEstimate(&text, doc); err != nil {
			fmt.Fprintln(&text, "  no estimate can be made from this profile:", err)
		}
	}
	fmt.Fprintf(&text, "\nrun %s: %s, %s in %s\n", doc.Run.ID, doc.Run.Status, plural(len(doc.Results), "result"), seconds(doc.Run.Finished.Sub(doc.Run.Started).Seconds()))
	_, err := io.WriteString(w, text.String())
	return err
}

// size names the size of a result for a reader: a product's shape, the memory level of the
// others.
func size(r bench.Result) string {
	if isProduct(r.Kernel) || r.Level == "" {
		return r.Shape.String()
	}
	if level, ok := strings.CutPrefix(r.Level, "l"); ok {
		return "L" + level
	}
	return r.Level
}

func isProduct(k kernels.Kernel) bool {
	d, _ := kernels.Lookup(string(k)) // an unknown kernel is none
	return d.Class == kernels.Matrix
}

// resultTable puts the thread counts of a measurement side by side.
func resultTable(results []bench.Result) *table {
	var threads []int
	type key struct {
		kernel    kernels.Kernel
		precision kernels.Precision
		size      string
		engine    string
	}
	var order []key
	cells := map[key]map[int]bench.Result{}
	for _, r := range results {
		if !slices.Contains(threads, r.Threads) {
			threads = append(threads, r.Threads)
		}
		k := key{r.Kernel, r.Precision, size(r), r.Engine}
		if cells[k] == nil {
			cells[k] = map[int]bench.Result{}
			order = append(order, k)
		}
		cells[k][r.Threads] = r
	}
	slices.Sort(threads)

	header := []string{"kernel", "precision", "size"}
	for _, n := range threads {
		header = append(header, ">"+plural(n, "thread"), ">95%", ">of limit")
	}
	t := newTable(append(header, "bound", "engine")...)
	for _, k := range order {
		row := []string{string(k.kernel), string(k.precision), k.size}
		var bounds []string
		for _, n := range threads {
			r, ok := cells[k][n]
			if !ok {
				row = append(row, "", "", "")
				continue
			}
			bounds = addOnce(bounds, string(r.Bound))
			row = append(row, resultCells(r)...)
		}
		t.add(append(row, strings.Join(bounds, ", "), k.engine)...)
	}
	return t
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// resultCells is a rate, its interval, and its share of the limit where that says something: the
// FLOP of an activation are a convention, not what its polynomial executes.
func resultCells(r bench.Result) []string {
	rate, ok := r.Rate()
	if !ok {
		return []string{"failed", "", ""}
	}
	share := ""
	if isProduct(r.Kernel) && r.OfLimit != nil {
		share = percent(r.OfLimit)
	}
	mark := ""
	if slices.ContainsFunc(r.Warnings, func(w bench.Warning) bool { return w.Code != bench.Emulated && w.Code != bench.JIT }) {
		mark = " !" // those two are of the device, and on every result
	}
	interval := plusMinus(rate.Value, rate.Lo, rate.Hi)
	if r.N == 1 {
		interval = "n/a" // of one sample there is none
	}
	return []string{si(rate.Value, rate.Unit), interval + mark, share}
}

// activationLines answers whether the activation matters: relu against sigmoid at each
// level, on one thread of a CPU and on each GPU alone.
func activationLines(w io.Writer, results []bench.Result) {
	type key struct {
		device    string
		precision kernels.Precision
		level     string
	}
	keyOf := func(r bench.Result) key { return key{r.Device, r.Precision, r.Level} }
	counts := func(r bench.Result) bool { return r.Threads <= 1 && r.Together <= 1 && r.Placement == "" }
	relu := map[key]float64{}
	for _, r := range results {
		if rate, ok := r.Rate(); ok && r.Kernel == kernels.ReLU && counts(r) {
			relu[keyOf(r)] = rate.Value
		}
	}
	type line struct {
		precision kernels.Precision
		on        string
	}
	parts := map[line][]string{}
	var lines []line
	for _, r := range results {
		rate, ok := r.Rate()
		other, found := relu[keyOf(r)]
		if !ok || !found || r.Kernel != kernels.Sigmoid || !counts(r) {
			continue
		}
		l := line{r.Precision, on(r)}
		if parts[l] == nil {
			lines = append(lines, l)
		}
		parts[l] = append(parts[l], fmt.Sprintf("%sx in %s", digits(other/rate.Value), size(r)))
	}
	for _, l := range lines {
		fmt.Fprintf(w, "\nrelu against sigmoid at %s, %s: %s as many elements a second", l.precision, l.on, strings.Join(parts[l], ", "))
	}
	if len(parts) > 0 {
		fmt.Fprintln(w)
	}
}

// warningLines groups the warnings of all results by code.
func warningLines(w io.Writer, results []bench.Result, paint palette) {
	failureLines(w, results, paint)
	var codes []string
	count := map[string]int{}
	first := map[string]string{}
	for _, r := range results {
		for _, warning := range r.Warnings {
			if count[warning.Code] == 0 {
				codes = append(codes, warning.Code)
				first[warning.Code] = fmt.Sprintf("%s, %s: %s", r.Spec(), on(r), warning.Text)
			}
			count[warning.Code]++
		}
	}
	if len(codes) > 0 {
		fmt.Fprintln(w, "\nwarnings (marked ! in the table; docs/warnings.md says what each means)")
	}
	for _, code := range codes {
		fmt.Fprintf(w, "  %s on %s, first %s\n", paint.yellow(code), plural(count[code], "result"), first[code])
	}
}

// failureLines says what failed and why, once for each device and reason: a device that is given
// up fails at all that is left of the plan.
func failureLines(w io.Writer, results []bench.Result, paint palette) {
	type reason struct{ device, text string }
	var order []reason
	failed := map[reason][]bench.Result{}
	for _, r := range results {
		if r.Status == bench.Failed {
			key := reason{r.Device, r.Error}
			if failed[key] == nil {
				order = append(order, key)
			}
			failed[key] = append(failed[key], r)
		}
	}
	for _, key := range order {
		all := failed[key]
		more := ""
		if len(all) > 1 {
			more = fmt.Sprintf(" and %d more", len(all)-1)
		}
		fmt.Fprintf(w, "\n%s %s%s, %s: %s\n", paint.red("failed"), all[0].Spec(), more, on(all[0]), key.text)
	}
}

// profileLines sums a device's calibration up.
func profileLines(w io.Writer, d *calibrate.Device, paint palette) {
	fmt.Fprintf(w, "\n%s\n", paint.bold("profile of "+d.Model))
	list := func(name string, p perThreads) {
		for i, what := range p.names {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(w, "  %-9s %-22s %s\n", name, what, strings.Join(p.figures[what], ", "))
		}
	}
	var limits, gemms, products, memory, latency, overheads perThreads
	for _, l := range d.Limits {
		limits.add(string(l.Precision), l.Threads, si(l.FlopPerS.Value, "FLOP/s"))
	}
	upTo := func(c calibrate.GEMMCurve) string {
		best := slices.MaxFunc(c.Points, func(x, y calibrate.GEMMPoint) int { return cmp.Compare(x.FlopPerS.Value, y.FlopPerS.Value) })
		return si(best.FlopPerS.Value, "FLOP/s")
	}
	for _, c := range d.GEMM {
		gemms.add(string(c.Precision)+" up to", c.Threads, upTo(c))
	}
	for _, c := range d.Products {
		products.add(fmt.Sprintf("%s %s up to", c.Kernel, c.Precision), c.Threads, upTo(c))
	}
	for _, c := range d.Bandwidth {
		last := c.Points[len(c.Points)-1]
		memory.add(string(c.Kernel), c.Threads, si(last.Rate.Value, "B/s"))
	}
	for _, c := range d.Latency {
		for _, p := range c.Points {
			latency.add(p.Level, c.Threads, seconds(1/p.Rate.Value))
		}
	}
	for _, o := range d.Overheads {
		overheads.add(o.Name, o.Threads, seconds(o.Seconds.Value))
	}
	list("limit", limits)
	list("gemm", gemms)
	list("products", products)
	list("memory", memory)
	list("latency", latency)
	list("overhead", overheads)
}

// perThreads gathers the figures of a thing over thread counts.
type perThreads struct {
	names   []string
	figures map[string][]string
}

func (p *perThreads) add(name string, threads int, figure string) {
	if p.figures == nil {
		p.figures = map[string][]string{}
	}
	if p.figures[name] == nil {
		p.names = append(p.names, name)
	}
	if threads > 0 {
		figure += " on " + plural(threads, "thread")
	}
	p.figures[name] = append(p.figures[name], figure)
}
