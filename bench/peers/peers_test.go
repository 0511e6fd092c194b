package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// scripted is a contender whose every multiply takes what its script says, the same
// for all multiplies of a round.
type scripted struct {
	name    string
	seconds []float64
	sum     float64
	order   *[]string
}

func (s *scripted) burst(_, count int) (float64, []float64, error) {
	*s.order = append(*s.order, s.name)
	round := s.seconds[0]
	s.seconds = s.seconds[1:]
	return s.sum, slices.Repeat([]float64{round}, count), nil
}

func (s *scripted) close() error { return nil }

func TestBothSidesTakeTurnsAndRatiosAreOfRounds(t *testing.T) {
	// The machine halves its speed after the third round: the ratio, 1.25 each round, must not care.
	var order []string
	us := &scripted{"us", []float64{0.4, 0.4, 0.4, 0.8, 0.8, 0.8, 0.8}, 7, &order}
	peer := &scripted{"peer", []float64{0.5, 0.5, 0.5, 1, 1, 1, 1}, 7, &order}
	r, err := compare(us, peer, 1000, 7)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order[:6], " "); got != "us peer peer us us peer" {
		t.Errorf("the order is %s", got)
	}
	if r.Ours != 2e9/0.8 || r.Peer != 2e9 || r.Ratio != 1.25 || r.Paired != 1.25 || r.Lo != 1.25 || r.Hi != 1.25 || r.Rounds != 7 || r.Noisy {
		t.Errorf("the row is %+v", r)
	}
}

func TestUnequalProductsAreAnError(t *testing.T) {
	var order []string
	us := &scripted{"us", []float64{1}, 7, &order}
	peer := &scripted{"peer", []float64{1}, 8, &order}
	if _, err := compare(us, peer, 10, 1); err == nil || !strings.Contains(err.Error(), "the products differ") {
		t.Errorf("error is %v", err)
	}
}

func TestOursMultipliesWhatTheServerDoes(t *testing.T) {
	us, engine, err := newOurs("go", 2)
	if err != nil || engine != "go" {
		t.Fatal(engine, err)
	}
	defer func() { _ = us.close() }()
	for _, n := range []int{5, 33} { // the second takes new matrices
		want := 0.0
		element := func(i, seed int) float64 { return float64(uint32(i+seed)*2654435761>>29) - 4 }
		for i := range n {
			for j := range n {
				for p := range n {
					want += element(i*n+p, 1) * element(p*n+j, 2)
				}
			}
		}
		sum, seconds, err := us.burst(n, 3)
		if err != nil || sum != want || len(seconds) != 3 || slices.Min(seconds) <= 0 {
			t.Errorf("n = %d: sum %v, want %v; seconds %v, error %v", n, sum, want, seconds, err)
		}
	}
}

func TestServerSeesNoSettingOfOpenBLAS(t *testing.T) {
	got := serverEnvironment([]string{"PATH=/bin", "OPENBLAS_CORETYPE=Haswell", "OPENBLAS_L2_SIZE=1", "OMP_NUM_THREADS=9"}, 2)
	if want := []string{"PATH=/bin", "OPENBLAS_NUM_THREADS=2"}; !slices.Equal(got, want) {
		t.Errorf("the environment is %q, not %q", got, want)
	}
}

func TestAnswersAreChecked(t *testing.T) {
	sum, seconds, err := parseAnswer("12 0.5 0.25\n", 2)
	if err != nil || sum != 12 || !slices.Equal(seconds, []float64{0.5, 0.25}) {
		t.Error(sum, seconds, err)
	}
	for line, want := range map[string]string{"12 0.5": "answered 2 numbers, not 3", "12 0.5 x": `answered "x", which is no number`} {
		if _, _, err := parseAnswer(line, 2); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", line, err, want)
		}
	}
}

func TestReportShapes(t *testing.T) {
	r := report{
		Schema: "realflops-peers/1", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), CPU: "A CPU", OS: "linux/amd64", Ours: "go-x", Peer: "OpenBLAS 1",
		Rows: []row{{N: 1024, Threads: 2, Ours: 2e11, Peer: 1.6e11, Ratio: 1.25, Paired: 1.26, Lo: 1.2, Hi: 1.3, Rounds: 9, Noisy: true}},
	}
	for name, c := range map[string]struct {
		write func(io.Writer) error
		want  []string
	}{
		"text":     {r.text, []string{"2026-01-02", "CPU: A CPU, linux/amd64", "  1024        2         200.0             160.0  1.250         1.260  1.200-1.300 noisy       9"}},
		"markdown": {r.markdown, []string{"| n | threads |", "|---:|---:|", "| 1024 | 2 | 200.0 | 160.0 | 1.250 | 1.260 | 1.200-1.300 noisy | 9 |"}},
		"json":     {r.json, []string{`"schema": "realflops-peers/1"`, `"ours_flop_per_s": 200000000000`, `"paired_ratio_lo": 1.2`}},
	} {
		var b strings.Builder
		if err := c.write(&b); err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s lacks %q:\n%s", name, w, b.String())
			}
		}
	}
}

func TestBadFlagsAreRefused(t *testing.T) {
	for args, want := range map[string]string{"--rounds=0": "--rounds is 0", "--n=x": "invalid argument", "--n=0": "--n is 0", "--threads=-1": "--threads is -1"} {
		var out strings.Builder
		if err := run([]string{args}, &out, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", args, err, want)
		}
	}
}
