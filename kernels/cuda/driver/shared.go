//go:build worker

package driver

// #include <dlfcn.h>
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"unsafe"
)

// handle is a shared library that was opened at run time. It stays open until the process ends.
type handle struct{ h unsafe.Pointer }

// load opens the library at path.
func load(path string) (handle, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	h := C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL)
	if h == nil {
		return handle{}, fmt.Errorf("%s cannot be loaded: %s", path, C.GoString(C.dlerror()))
	}
	return handle{h}, nil
}

// symbol is the address of the first of names that the library has, or nil.
func (l handle) symbol(names ...string) unsafe.Pointer {
	for _, n := range names {
		name := C.CString(n)
		p := C.dlsym(l.h, name)
		C.free(unsafe.Pointer(name))
		if p != nil {
			return p
		}
	}
	return nil
}
