package main

import (
	"fmt"
	"slices"

	"github.com/realflops/realflops/bench"
)

// placementTable lists what was measured of parts of a machine: a row each, those of one place together where they were
// measured together.
func placementTable(results []bench.Result) *table {
	t := newTable("kernel", "precision", "size", "placement", ">threads", ">rate", ">95%", ">of limit", "bound", "engine")
	for _, r := range results {
		row := append([]string{string(r.Kernel), string(r.Precision), size(r), r.Placement, fmt.Sprint(r.Threads)}, resultCells(r)...)
		t.add(append(row, string(r.Bound), r.Engine)...)
	}
	return t
}

// cpuTables shows the results of a CPU: of the whole, and below of its parts where any were measured.
func (a *app) cpuTables(results []bench.Result) error {
	byPlace := func(whole bool) []bench.Result {
		return slices.DeleteFunc(slices.Clone(results), func(r bench.Result) bool { return (r.Placement == "") != whole })
	}
	whole, parts := byPlace(true), byPlace(false)
	if len(whole) > 0 {
		if err := resultTable(whole).write(a.stdout, a.outPaint()); err != nil {
			return err
		}
	}
	if len(parts) == 0 {
		return nil
	}
	title := a.outPaint().bold("parts of the machine") + ": nodeA-nodeB is threads on memory node A and their operands on node B, core:T is threads on cores of type T"
	if len(whole) > 0 {
		title = "\n" + title
	}
	if _, err := fmt.Fprintln(a.stdout, title); err != nil {
		return err
	}
	return placementTable(parts).write(a.stdout, a.outPaint())
}
