package gen

import (
	"fmt"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Routine begins a routine that package cpu reaches by its address, through its function call: file-local, without
// a Go declaration, its arguments a struct that DI points to. The lines of doc become its comment.
func Routine(name string, doc ...string) {
	build.TEXT(name+"<>", build.NOSPLIT, "func()")
	build.Doc(doc...)
}

// Field is the argument at an offset of the struct that DI points to.
func Field(offset int) operand.Mem { return operand.Mem{Base: reg.RDI, Disp: offset} }

// Load loads the argument at an offset.
func Load(offset int) reg.GPVirtual {
	r := build.GP64()
	build.MOVQ(Field(offset), r)
	return r
}

// Table emits the function of the given name, func(table *[n]uintptr), which fills a table with the addresses of
// routines.
func Table(name string, routines []string) {
	build.TEXT(name, build.NOSPLIT, fmt.Sprintf("func(table *[%d]uintptr)", len(routines)))
	table := build.Load(build.Param("table"), build.GP64())
	address := build.GP64()
	for i, r := range routines {
		build.LEAQ(operand.Mem{Symbol: operand.Symbol{Name: "·" + r, Static: true}, Base: reg.StaticBase}, address)
		build.MOVQ(address, operand.Mem{Base: table, Disp: 8 * i})
	}
	build.RET()
}
