package gpu

import (
	"os"
	"strings"
	"syscall"
)

// attributes: a group of its own, and a worker dies with this process, however that ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// ownGroup keeps a process from the signals of a terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminate asks a process to end; a stopped one is continued, so that it hears it.
var terminate = []os.Signal{syscall.SIGTERM, syscall.SIGCONT}

// bootID names this boot of the machine; "" if unknown.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
