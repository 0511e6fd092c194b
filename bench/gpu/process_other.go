//go:build !unix

package gpu

import (
	"os"
	"syscall"
)

// attributes: none. A worker here ends with its standard input.
func attributes() *syscall.SysProcAttr { return nil }

// ownGroup is not known here.
func ownGroup() *syscall.SysProcAttr { return nil }

// terminate: nothing but an end can be asked for.
var terminate = []os.Signal{os.Kill}

// bootID is not known here.
func bootID() string { return "" }
