package influx_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/realflops/realflops/agent/influx"
)

// TestNoLineIsLostWhateverTheServerDoes drains against servers that answer by chance, and then a sane one.
func TestNoLineIsLostWhateverTheServerDoes(t *testing.T) {
	answers := []http.HandlerFunc{
		refuseLines(400), refuseLines(422), atMost(1), atMost(3), accept, reset, lost, status(503, "down"),
		status(429, "quota", "Retry-After", "1"), status(401, "no"), status(404, "no"), html(200), status(302, "", "Location", "/x"),
	}
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 5))
		server := newScripted(t)
		box := newBox(t)
		var lines []string
		for i := range 1 + rng.IntN(12) {
			line := fmt.Sprintf("l%d", i)
			if rng.IntN(4) == 0 {
				line = fmt.Sprintf("bad%d", i)
			}
			lines = append(lines, line)
			box.add(t, fullResult(i), line)
		}
		total := influx.Report{}
		for range 5 {
			for range rng.IntN(12) {
				server.answers = append(server.answers, answers[rng.IntN(len(answers))])
			}
			server.answers = append(server.answers, status(401, "no")) // ends each drain early
			total = add(t, total, server, box)
		}
		// A later run's point, without which lines at fault alone would be held.
		lines = append(lines, "last")
		box.add(t, fullResult(99), "last")
		server.answers = times(99, refuseLines(400))
		total = add(t, total, server, box)
		if total.Pending != 0 || total.Delivered+total.Rejected != len(lines) {
			t.Errorf("seed %d: %+v of %d lines", seed, total, len(lines))
		}
		var rejected []string
		for line := range box.rejected(t) {
			rejected = append(rejected, line)
		}
		wantAccounts(t, box, lines, server.accepted, rejected)
		for _, line := range rejected {
			if line[0] != 'b' {
				t.Errorf("seed %d: the good line %s was rejected", seed, line)
			}
		}
		server.Close()
	}
}

func add(t *testing.T, total influx.Report, server *scripted, b box) influx.Report {
	t.Helper()
	o := (&clock{now: start}).options()
	o.BatchSize = 5
	got, err := influx.Drain(t.Context(), config(server.URL), b, o)
	must(t, err)
	return influx.Report{Delivered: total.Delivered + got.Delivered, Rejected: total.Rejected + got.Rejected, Pending: got.Pending}
}
