package gpu

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/realflops/realflops/bench"
)

// slowerBelow is the share of its peers' median below which a device is called slower.
// Devices of one model in one node differ by up to 5% in good health.
const slowerBelow = 0.9

// Finding is a device that is slower at a case than its peers.
type Finding struct {
	Result int     // index of its result
	Device string  // id
	Model  string  // its own and its peers'
	Value  float64 // its sustained rate
	Peers  float64 // the median of its peers' sustained rates, itself left out
	Count  int     // of the peers
	Unit   string  // of both
}

// Slower finds the results, of one run, whose sustained median lies more than 10% below the median of
// those of the other devices of the same model for the same case.
func Slower(results []bench.Result) []Finding {
	type group struct {
		caseKey
		model    string
		together bool
	}
	peers := map[group][]int{}
	for i, r := range results {
		if _, ok := r.Rate(); ok {
			g := group{keyOf(r), r.DeviceModel, r.Together > 0}
			peers[g] = append(peers[g], i)
		}
	}
	var findings []Finding
	for _, members := range peers {
		for _, i := range members {
			var others []float64
			for _, j := range members {
				if rate, _ := results[j].Rate(); results[j].Device != results[i].Device {
					others = append(others, rate.Value)
				}
			}
			rate, _ := results[i].Rate()
			if m := median(others); m != nil && rate.Value < slowerBelow**m {
				findings = append(findings, Finding{i, results[i].Device, results[i].DeviceModel, rate.Value, *m, len(others), rate.Unit})
			}
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Result, b.Result) })
	return findings
}

// MarkSlower adds a slower_than_peers warning to every result that [Slower] finds, and returns
// one for the run about each device that it names.
func MarkSlower(results []bench.Result) []bench.Warning {
	byDevice := map[string][]Finding{}
	var devices []string
	for _, f := range Slower(results) {
		r := &results[f.Result]
		r.Warnings = append(r.Warnings, bench.Warn(bench.SlowerThanPeers, "%.0f%% below the median of %s", 100*(1-f.Value/f.Peers), f.peers()))
		if byDevice[f.Device] == nil {
			devices = append(devices, f.Device)
		}
		byDevice[f.Device] = append(byDevice[f.Device], f)
	}
	var warnings []bench.Warning
	for _, d := range devices {
		worst := slices.MinFunc(byDevice[d], func(a, b Finding) int { return cmp.Compare(a.Value/a.Peers, b.Value/b.Peers) })
		warnings = append(warnings, bench.Warn(bench.SlowerThanPeers, "device %s is slower than its peers in %d results, most so at %s: %.0f%% below the median of %s",
			d, len(byDevice[d]), results[worst.Result].Spec(), 100*(1-worst.Value/worst.Peers), worst.peers()))
	}
	return warnings
}

func (f Finding) peers() string {
	if f.Count == 1 {
		return "the other " + f.Model
	}
	return fmt.Sprintf("the %d other results of %s", f.Count, f.Model)
}
