// Package bochs runs routines of machine code on an emulated CPU, for instruction sets that the machine at hand
// lacks. Bochs emulates a Sapphire Rapids (AMX, AVX512-FP16) without an operating system; a ROM of our own (machine.gas) serves
// calls. A routine gets the virtual addresses that it would have here: the machine's page tables show it the
// memory that the caller names, and nothing else, so that a touch of anything else is an exception, and a
// write beside what may be written is found.
//
// The package refuses to run what needs an operating system, interrupts or a second CPU.
package bochs

import (
	"bytes"
	_ "embed" // the ROM
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// Version is the Bochs that scripts/bochs.sh installs.
const Version = "3.0"

// A call may take patience; the longest of the conformance suite takes a second.
const patience = 30 * time.Second

// The bits of XCR0: what an operating system has enabled.
const (
	AVX512 = 0xe7             // x87, SSE, AVX and the three parts of AVX-512
	AMX    = 0x60000 | AVX512 // and tiles
)

// Region is memory that a routine may read, and write if Write says so.
type Region struct {
	Start unsafe.Pointer
	Bytes int
	Write bool
}

// Machine is one emulated CPU. Its registers and tiles keep their state from call to call. It is used by
// one goroutine at a time.
type Machine struct {
	// XCR0 is what is enabled from the next call on.
	XCR0 uint64

	said     bytes.Buffer // on its standard error; complete once the command has been waited for
	cmd      *exec.Cmd
	folder   string   // where Bochs is installed
	dir      string   // of this machine's files
	signal   *os.File // a byte when the machine has started, and for each answer
	disk     *os.File
	self     *os.File // this process's memory
	memory   memory
	calls    uint64
	patience time.Duration
	program  map[uint64]bool // pages of this program that routines have touched
	readOnly [][2]uint64     // where this program has its code and constants
	failed   error           // why no more calls can be made
}

// Start starts a machine, which ends with the test. It fails the test where Bochs is not installed or does not start.
func Start(t testing.TB) *Machine {
	t.Helper()
	m, err := start(t.TempDir())
	if err != nil {
		t.Fatalf("bochs: %v", err)
	}
	t.Cleanup(m.close)
	return m
}

// installed is the folder of Bochs: REALFLOPS_TEST_BOCHS, or .tools/bochs@VERSION of this repository.
func installed() (string, error) {
	folder := os.Getenv("REALFLOPS_TEST_BOCHS")
	if folder == "" {
		root, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			return "", fmt.Errorf("the repository's folder: %w", err)
		}
		folder = filepath.Join(filepath.Dir(string(root)), ".tools", "bochs@"+Version)
	}
	if _, err := os.Stat(filepath.Join(folder, "bochs")); err != nil {
		return "", fmt.Errorf("no emulator in %s: `make tools` installs it", folder)
	}
	return folder, nil
}

func start(dir string) (*Machine, error) {
	m := &Machine{XCR0: AMX, dir: dir, memory: newMemory(memoryStart), patience: patience, program: map[uint64]bool{}}
	err := m.prepare()
	if err == nil {
		err = m.launch()
	}
	if err == nil {
		err = m.await(started)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// prepare lays out in the machine's folder what the emulator reads.
func (m *Machine) prepare() (err error) {
	if m.folder, err = installed(); err != nil {
		return err
	}
	if m.readOnly, err = readOnly(); err != nil {
		return err
	}
	if m.self, err = os.OpenFile("/proc/self/mem", os.O_RDWR, 0); err != nil {
		return err
	}
	if err := m.openDisk(); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"bochsrc":     []byte(configuration),
		"machine.gas": rom,
		"vga":         make([]byte, 512), // a display that draws nothing wants a ROM
	} {
		if err := os.WriteFile(filepath.Join(m.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	for _, c := range []string{"as --64 -o machine.o machine.gas", "ld -Ttext=0 -e 0 --oformat binary -o rom machine.o"} {
		words := strings.Fields(c)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir = m.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s, of binutils: %w\n%s", words[0], err, out)
		}
	}
	return nil
}

func (m *Machine) launch() error {
	signal, write, err := os.Pipe()
	if err != nil {
		return err
	}
	m.signal = signal
	cmd := exec.Command(filepath.Join(m.folder, "bochs"), "-q", "-unlock", "-f", "bochsrc")
	cmd.Dir = m.dir
	cmd.Env = []string{"TERM=vt100", "PATH=" + os.Getenv("PATH")}
	cmd.ExtraFiles = []*os.File{write} // the configuration's /dev/fd/3
	cmd.Stderr = &m.said
	err = cmd.Start()
	_ = write.Close() // else nobody would see that the emulator has ended
	if err != nil {
		return err
	}
	m.cmd = cmd
	return nil
}

// configuration is Bochs's: a CPU of which a second of its time has so few instructions that no device makes it wait.
const configuration = `config_interface: textconfig
display_library: term
plugin_ctrl: biosdev=0, extfpuirq=0, gameport=0, iodebug=0, parallel=0, speaker=0, unmapped=1, serial=1
cpu: model=sapphire_rapids, count=1, ips=1000000, reset_on_triple_fault=0
memory: guest=128, host=128
romimage: file=rom
vgaromimage: file=vga
vga: extension=none, update_freq=1, realtime=0
clock: sync=none
pci: enabled=0
com1: enabled=1, mode=file, dev=/dev/fd/3
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=disk, mode=flat, cylinders=132, heads=16, spt=63
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
log: log
`

// rom is the source of what the machine starts from, in the syntax of the GNU assembler.
//
//go:embed machine.gas
var rom []byte

// close ends the emulator.
func (m *Machine) close() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	}
	for _, f := range []*os.File{m.signal, m.disk, m.self} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// What the machine says on its serial port.
const (
	started  = 'B'
	answered = 'R'
	diskless = 'F'
	waiting  = '.'
)

// await waits for the given byte. Every other outcome is an error, and the last of this machine.
func (m *Machine) await(want byte) error {
	_ = m.signal.SetReadDeadline(time.Now().Add(m.patience))
	got := [1]byte{waiting}
	var err error
	for err == nil && got[0] == waiting {
		_, err = m.signal.Read(got[:])
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		m.failed = fmt.Errorf("no answer within %v; the machine is given up", m.patience)
	case err != nil:
		m.failed = fmt.Errorf("the emulator has ended: %s", m.lastWords())
	case got[0] == diskless:
		m.failed = errors.New("the machine could not read or write its disk")
	case got[0] != want:
		m.failed = fmt.Errorf("the machine said %q, not %q", got[0], want)
	}
	return m.failed
}

// lastWords are the last lines of the emulator's log, or what it said before it had one.
func (m *Machine) lastWords() string {
	_ = m.cmd.Wait()
	said, err := os.ReadFile(filepath.Join(m.dir, "log"))
	if err != nil || len(said) == 0 {
		said = m.said.Bytes()
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
