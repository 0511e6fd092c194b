package emulator

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/realflops/realflops/kernels"
)

func TestZZ(t *testing.T) {
	f, _ := os.Open("/work/shared/facts/gpu-measured/gemm.csv")
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range [][2]string{{"a100_sxm", "a100"}, {"h100_sxm", "h100"}, {"h200_sxm", "h200"}} {
		c := find1(t, g[1])
		bins := map[string][]float64{}
		for _, r := range rows[1:] {
			if r[0] != g[0] || r[1] != "bfloat16" {
				continue
			}
			m, _ := strconv.Atoi(r[2])
			n, _ := strconv.Atoi(r[3])
			k, _ := strconv.Atoi(r[4])
			us, _ := strconv.ParseFloat(r[5], 64)
			p, ok := ltProduct(c, description(kernels.BF16FP32, uint64(m), uint64(n), uint64(k)))
			if !ok {
				continue
			}
			cut, w := p.best(c)
			_ = cut
			w.MemoryBytes = float64(2 * (m*k + k*n + m*n))
			if w.MemoryBytes < float64(c.L2Bytes) {
				w.MemoryBytes = 0
			}
			s := c.Time(w, c.ClockHz).Seconds()
			fl := 2 * float64(m) * float64(n) * float64(k)
			bin := "2 small <1GF"
			if fl > 1e9 {
				bin = "3 mid"
			}
			if fl > 1e11 {
				bin = "4 big >100GF"
			}
			if m <= 16 {
				bin = "1 skinny m<=16 small"
				if n*k*2 > int(c.L2Bytes) {
					bin = "1 skinny m<=16 >L2"
				}
			}
			bins[bin] = append(bins[bin], s*1e6/us)
		}
		for _, b := range []string{"1 skinny m<=16 small", "1 skinny m<=16 >L2", "2 small <1GF", "3 mid", "4 big >100GF"} {
			v := bins[b]
			slices.Sort(v)
			if len(v) > 0 {
				fmt.Printf("%s %-22s n=%d model/measured p10 %.2f median %.2f p90 %.2f\n", g[1], b, len(v), v[len(v)/10], v[len(v)/2], v[len(v)*9/10])
			}
		}
		_ = math.Pi
	}
}
