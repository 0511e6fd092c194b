package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realflops/realflops/agent"
	"github.com/realflops/realflops/bench"
	"github.com/realflops/realflops/kernels"
)

// resultTables shows the results device by device: of a CPU with its thread counts side by side, of
// a GPU with its clock and power, and of GPUs at once what each kept of its own rate.
func (a *app) resultTables(doc agent.Document) error {
	w, paint := a.stdout, a.outPaint()
	gpus := slices.ContainsFunc(doc.Results, func(r bench.Result) bool { return r.Threads == 0 })
	if !gpus {
		return a.cpuTables(doc.Results)
	}
	first := true
	for _, d := range doc.Host.Devices {
		var mine, together []bench.Result
		for _, r := range doc.Results {
			switch {
			case r.Device != d.ID:
			case r.Together > 1:
				together = append(together, r)
			default:
				mine = append(mine, r)
			}
		}
		if len(mine)+len(together) == 0 {
			continue
		}
		title := d.Model
		if d.Kind == "gpu" {
			title += "  " + d.ID
		}
		if !first {
			fmt.Fprintln(w)
		}
		first = false
		fmt.Fprintln(w, paint.bold(title))
		if d.Kind == "gpu" {
			t, grids := gpuTable(mine)
			for _, r := range together {
				t.add(gpuCells(r)...)
			}
			if err := t.write(w, paint); err != nil {
				return err
			}
			for _, line := range grids {
				fmt.Fprintln(w, line)
			}
			continue
		}
		if err := a.cpuTables(mine); err != nil {
			return err
		}
	}
	return nil
}

// mostShapes is how many products of one precision and engine the table lists; of more it
// lists the squares, and a line sums the others up.
const mostShapes = 12

// gpuTable is the results of one GPU, each alone.
func gpuTable(results []bench.Result) (t *table, grids []string) {
	type group struct {
		precision kernels.Precision
		engine    string
	}
	var order []group
	products := map[group][]bench.Result{}
	for _, r := range results {
		if r.Kernel == kernels.GEMM {
			g := group{r.Precision, r.Engine}
			if products[g] == nil {
				order = append(order, g)
			}
			products[g] = append(products[g], r)
		}
	}
	t = newTable("kernel", "precision", "size", "engine", ">rate", ">95%", ">of limit", ">clock", ">power", "bound")
	for _, r := range results {
		s := r.Shape
		if r.Kernel == kernels.GEMM && len(products[group{r.Precision, r.Engine}]) > mostShapes && !(s.M == s.N && s.N == s.K) {
			continue
		}
		t.add(gpuCells(r)...)
	}
	for _, g := range order {
		if all := products[g]; len(all) > mostShapes {
			grids = append(grids, gridLine(all))
		}
	}
	return t, grids
}

// gridLine sums many shapes up.
func gridLine(results []bench.Result) string {
	best, failed := bench.Result{}, 0
	most := 0.0
	for _, r := range results {
		rate, ok := r.Rate()
		if !ok {
			failed++
		} else if rate.Value > most {
			best, most = r, rate.Value
		}
	}
	text := fmt.Sprintf("gemm %s by %s: %d shapes in all", results[0].Precision, results[0].Engine, len(results))
	if most > 0 {
		text += fmt.Sprintf(", the best %s at %s", si(most, "FLOP/s"), best.Shape)
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text + " (--json lists each)"
}

func gpuCells(r bench.Result) []string {
	kernel := string(r.Kernel)
	if r.Together > 1 {
		kernel += fmt.Sprintf(", %d at once", r.Together)
	}
	cells := append([]string{kernel, string(r.Precision), size(r), r.Engine}, resultCells(r)...)
	if r.Together > 1 && r.OfAlone != nil {
		cells[6] = percent(r.OfAlone) + " of alone"
	}
	bound := string(r.Bound)
	if r.ThrottleShare != nil && *r.ThrottleShare > 0 {
		bound = strings.TrimSpace(bound + ", throttled")
	}
	return append(cells, siOr(r.ClockHz, "Hz"), siOr(r.PowerW, "W"), bound)
}

// on says in a few words what a result was measured on.
func on(r bench.Result) string {
	if r.Threads == 0 {
		return shortID(r.Device)
	}
	return threadsAt(r.Threads, r.Placement)
}
