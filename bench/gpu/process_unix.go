//go:build unix && !linux

package gpu

import (
	"os"
	"syscall"
)

// attributes: a group of its own. A worker here ends with its standard input.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// ownGroup keeps a process from the signals of a terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminate asks a process to end; a stopped one is continued, so that it hears it.
var terminate = []os.Signal{syscall.SIGTERM, syscall.SIGCONT}

// bootID is not known here.
func bootID() string { return "" }
