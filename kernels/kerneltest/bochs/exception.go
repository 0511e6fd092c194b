package bochs

import "fmt"

// Outcomes of a call, as machine.gas gives them.
const (
	returned      = 0
	unrestored    = 1
	firstVector   = 2
	invalidOpcode = 6
	deviceNot     = 7
	protection    = 13
	pageFault     = 14
)

// names are those of the exceptions by vector (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, table 6-1).
var names = map[uint64]string{
	0: "a division error (#DE)", 1: "a debug exception (#DB)", 3: "a breakpoint (#BP)", 4: "an overflow (#OF)", 5: "a bound (#BR)",
	invalidOpcode: "an invalid instruction, or one whose registers are not enabled (#UD)", deviceNot: "a device that is not available (#NM)",
	8: "a double fault (#DF)", 10: "an invalid TSS (#TS)", 11: "a segment that is not present (#NP)", 12: "a fault of the stack (#SS)",
	protection: "a violation of protection (#GP)", 16: "an x87 error (#MF)", 17: "an access that is not aligned (#AC)", 18: "a machine check (#MC)",
	19: "a SIMD exception (#XM)",
}

// Exception is what a routine raised.
type Exception struct {
	Vector, ErrorCode uint64
	IP                uint64 // of the instruction
	Address           uint64 // that it touched, of a page fault
	routine           uint64
	place             string // where the address lies beside the regions
}

func (e *Exception) Error() string {
	where := fmt.Sprintf("the instruction %#x bytes into the routine", e.IP-e.routine)
	if e.Vector != pageFault {
		name, ok := names[e.Vector]
		if !ok {
			name = fmt.Sprintf("exception %d", e.Vector)
		}
		return fmt.Sprintf("%s raised %s", where, name)
	}
	touch := "read"
	switch {
	case e.ErrorCode&16 != 0:
		touch = "fetched from"
	case e.ErrorCode&2 != 0:
		touch = "wrote to"
	}
	return fmt.Sprintf("%s %s %#x, %s (#PF)", where, touch, e.Address, e.place)
}

// err is what is wrong with an outcome.
func (r reply) err(routine uint64, regions []Region) error {
	switch r.Outcome {
	case returned:
		return nil
	case unrestored:
		return fmt.Errorf("the routine returned with another SP or BP than it was called with")
	}
	return &Exception{
		Vector: r.Outcome - firstVector, ErrorCode: r.ErrorCode, IP: r.IP, Address: r.Address,
		routine: routine, place: nearest(r.Address, regions),
	}
}
