package bench

// PlaceKind says of which parts of a machine a row is measured.
type PlaceKind int

// The kinds of places. A machine of one memory node has no NodePair, and one whose cores are all of
// one kind no CoreKind: rows of these are left out there.
const (
	WholeMachine PlaceKind = iota // threads and memory where they are best put
	NodePair                      // threads on one memory node, their operands on one, each with each and with itself
	CoreKind                      // threads on the cores of one kind
)

// Place is a part of a machine that is measured on its own.
type Place struct {
	Name        string // as [Result.Placement] has it
	Kind        PlaceKind
	Threads     int   // that run there at once
	Cores       int   // that they run on
	MemoryBytes int64 // of the node that the operands are on; 0 if unknown or any
}

// places are those that a row of this kind is measured on.
func (m PlanInput) places(kind PlaceKind) []Place {
	if kind == WholeMachine {
		return []Place{{Threads: m.Threads, Cores: m.Cores}}
	}
	var all []Place
	for _, p := range m.Places {
		if p.Kind == kind {
			all = append(all, p)
		}
	}
	return all
}

// at is m as far as p reaches.
func (m PlanInput) at(p Place) PlanInput {
	m.Threads, m.Cores = p.Threads, p.Cores
	if p.MemoryBytes > 0 && (m.MemoryBytes == 0 || p.MemoryBytes < m.MemoryBytes) {
		m.MemoryBytes = p.MemoryBytes
	}
	return m
}

// counts are the thread counts of a mode at p. Of a part AllThreads is never left out: it stands for no other row.
func (p Place) counts(mode ThreadMode) []int {
	if p.Kind != WholeMachine && mode == AllThreads {
		return []int{p.Threads}
	}
	return mode.counts(p.Threads, p.Cores)
}
