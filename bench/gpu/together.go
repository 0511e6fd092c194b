package gpu

import (
	"context"
	"sync"

	"github.com/realflops/realflops/bench"
)

// Together measures the same case on all devices at once: they begin when each has prepared it,
// or failed to, and all sample for c.MinS. The results, in the order of the runners, say how
// many devices took part and what share of its own rate alone, measured before in this run, each
// kept. A device that fails has a failed result, and the others go on without it.
func Together(ctx context.Context, runners []*Runner, c bench.Case) []bench.Result {
	c.MaxS = c.MinS
	results := make([]bench.Result, len(runners))
	all := newMeeting(len(runners))
	var wg sync.WaitGroup
	for i, r := range runners {
		wg.Go(func() { results[i], _ = r.run(ctx, c, &meeting{gathering: all}) })
	}
	wg.Wait()
	return results
}

// gathering is where runners wait for each other.
type gathering struct {
	mu      sync.Mutex
	missing int           // that have neither come nor left
	here    int           // that have come
	begin   chan struct{} // closed when nobody is missing
}

func newMeeting(runners int) *gathering {
	return &gathering{missing: runners, begin: make(chan struct{})}
}

func (g *gathering) answer(come bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if come {
		g.here++
	}
	if g.missing--; g.missing == 0 {
		close(g.begin)
	}
}

// meeting is one runner's part in a gathering; nil where it measures alone.
type meeting struct {
	*gathering
	answered bool
}

// meet waits until each runner has come or left, and returns how many came.
func (m *meeting) meet(ctx context.Context) int {
	m.answered = true
	m.answer(true)
	select {
	case <-m.begin:
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.here
}

// leave lets the others begin without this runner, unless it came.
func (m *meeting) leave() {
	if m != nil && !m.answered {
		m.answered = true
		m.answer(false)
	}
}
