//go:build worker

package driver

// #cgo CFLAGS: -I${SRCDIR}/include
// #cgo LDFLAGS: -lcuda -ldl
// #include <cuda.h>
// #include <open.h>
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	"gorgonia.org/cu"
)

var opened = sync.OnceValue(func() Status { return open(thisNode) })

// Open opens the CUDA driver and initializes it, once a process: later calls return the
// first one's answer. It may hang where the driver does.
func Open() Status { return opened() }

func open(n node) Status {
	var s Status
	var init C.int
	path, err := n.open(cudaLibrary, func(path string) error {
		name := C.CString(path)
		defer C.free(unsafe.Pointer(name))
		var text [512]C.char
		switch C.rf_cuda_open(name, &init, &text[0], C.size_t(len(text))) {
		case C.RF_SYMBOLS:
			return fmt.Errorf("%s lacks %s: it is no CUDA driver, or one older than 450", path, C.GoString(&text[0]))
		case C.RF_DLOPEN:
			return fmt.Errorf("%s cannot be loaded: %s", path, C.GoString(&text[0]))
		}
		if init == codeStubLibrary {
			return newError("cuInit of "+path, codeStubLibrary, "")
		}
		return nil
	})
	s.InitCode = int(init)
	if err != nil {
		s.Err = notOpened(err)
		return s
	}
	s.Library, s.Loaded = path, true
	s.Absent = absent()
	s.DriverVersion = max(cu.Version(), 0)
	if s.InitCode != 0 {
		s.Err = newError("cuInit of "+path, s.InitCode, errorName(s.InitCode)).Error()
	}
	return s
}

// absent lists the symbols that would be used and that the open library lacks.
func absent() []string {
	var names []string
	for i := range int(C.rf_entry_count) {
		e := (*C.rf_entry)(unsafe.Add(unsafe.Pointer(&C.rf_entries), i*C.sizeof_rf_entry))
		if e.need != C.RF_LINKED && e.address == nil {
			names = append(names, C.GoString(e.symbol))
		}
	}
	return names
}
