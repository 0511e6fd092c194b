package ptxvm

import "fmt"

// The kinds of [Fault].
const (
	FaultGlobal      = "global-bounds"      // an access outside every allocation
	FaultGlobalRace  = "global-race"        // two blocks store to one byte, where the launch forbids it
	FaultMisaligned  = "misaligned"         // an address that is no multiple of the access
	FaultShared      = "shared-bounds"      // an access outside the block's shared memory
	FaultUnwritten   = "shared-unwritten"   // a read of shared memory that nobody wrote
	FaultRace        = "shared-race"        // two warps, no barrier between, one of them writes
	FaultPending     = "async-pending"      // shared memory touched before its cp.async was waited for
	FaultBarrier     = "barrier"            // a barrier that not all threads of a warp, or no other warp, reach
	FaultCollective  = "collective"         // shfl.sync, mma.sync, ldmatrix ... by a part of their threads
	FaultRegister    = "register-unwritten" // a register read before it was written
	FaultBudget      = "budget"             // more instructions than the launch allows
	FaultLaunch      = "launch"             // a launch that no GPU would take
	FaultLocal       = "local-bounds"       // an access outside the thread's local memory
	FaultUnsupported = "unsupported"        // lawful PTX that the interpreter does not follow
	FaultTrap        = "trap"               // the trap instruction
)

// Fault is a misuse that a kernel is guilty of: what, where in the PTX, and by which thread.
type Fault struct {
	Kind     string
	Function string
	Line     int // of the PTX; 0 for [FaultLaunch]
	Source   string
	Block    int
	Thread   int
	Text     string
}

func (f *Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.Function, f.Kind, f.Text)
	}
	return fmt.Sprintf("%s: %s: %s (block %d, thread %d, ptx line %d: %s)",
		f.Function, f.Kind, f.Text, f.Block, f.Thread, f.Line, f.Source)
}

// fail ends the block: what runs it recovers the fault. lane is of the warp, or -1.
func (w *warp) fail(kind string, lane int, format string, args ...any) {
	panic(&Fault{Kind: kind, Thread: w.id*32 + max(lane, 0), Text: fmt.Sprintf(format, args...)})
}
