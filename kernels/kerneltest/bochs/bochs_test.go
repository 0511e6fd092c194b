//go:build linux && amd64

package bochs

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// routine is machine code at an address of its own.
func routine(code ...byte) uintptr {
	codes = append(codes, code)
	return uintptr(unsafe.Pointer(unsafe.SliceData(code)))
}

var codes [][]byte // that an address alone would not keep

// pages is memory of n whole pages.
func pages(n int) []byte {
	b := make([]byte, (n+1)*pageBytes)
	return b[-uintptr(unsafe.Pointer(&b[0]))%pageBytes:][:n*pageBytes]
}

func region(b []byte, write bool) Region {
	return Region{unsafe.Pointer(unsafe.SliceData(b)), len(b), write}
}

// addOne is addl $1, (%rdi); ret.
var addOne = routine(0x83, 0x07, 0x01, 0xc3)

func TestWhatARoutineWritesIsInTheCallersMemory(t *testing.T) {
	m := Start(t)
	b := pages(3)
	for i := range 3 {
		b[0], b[4] = byte(10*i), byte(i) // what changes here is seen there
		if err := m.Call(addOne, unsafe.Pointer(&b[0]), region(b[:4], true)); err != nil {
			t.Fatal(err)
		}
		if b[0] != byte(10*i+1) || b[4] != byte(i) {
			t.Fatalf("call %d left % x", i, b[:8])
		}
		if i == 1 {
			m.memory.next = memoryEnd // full: it starts anew
		}
	}
	// Across pages: movb $7, 0x1000(%rdi); movb $8, 0x2fff(%rdi); ret.
	far := routine(0xc6, 0x87, 0x00, 0x10, 0, 0, 7, 0xc6, 0x87, 0xff, 0x2f, 0, 0, 8, 0xc3)
	if err := m.Call(far, unsafe.Pointer(&b[0]), region(b[100:], true)); err != nil {
		t.Fatal(err)
	}
	if b[0x1000] != 7 || b[0x2fff] != 8 {
		t.Errorf("what was written to the second page is %d, to the third %d", b[0x1000], b[0x2fff])
	}
}

func TestWhatARoutineDoesWrongIsAnError(t *testing.T) {
	m := Start(t)
	b := pages(2)
	for _, c := range []struct {
		name    string
		code    uintptr
		xcr0    uint64
		regions []Region
		want    string
	}{
		{"a write behind the region", addOne, AMX, []Region{region(b[8:16], true), region(b[100:104], true)}, "8 bytes before region 0 of 8 bytes"},
		{"a write to what may be read", addOne, AMX, []Region{region(b, false)}, "wrote to"},
		{"memory that was not named", addOne, AMX, nil, "and no region was named (#PF)"},
		{"a read behind the region's page", routine(0x8a, 0x87, 0, 0x10, 0, 0, 0xc3), AMX, []Region{region(b[:pageBytes], false)}, "read 0x"},
		{"ud2", routine(0x0f, 0x0b), AMX, nil, "0x0 bytes into the routine raised an invalid instruction"},
		{"vmovups (%rdi), %zmm0 without AVX-512", routine(0x62, 0xf1, 0x7c, 0x48, 0x10, 0x07, 0xc3), 7, []Region{region(b, false)}, "(#UD)"},
		{"tilerelease where AMX is not enabled", routine(0xc4, 0xe2, 0x78, 0x49, 0xc0, 0xc3), AVX512, nil, "(#UD)"},
		{"vmovaps 4(%rdi), %zmm0", routine(0x62, 0xf1, 0x7c, 0x48, 0x28, 0x87, 4, 0, 0, 0, 0xc3), AMX, []Region{region(b, false)}, "(#GP)"},
		{"xorl %ebp, %ebp", routine(0x31, 0xed, 0xc3), AMX, nil, "another SP or BP"},
		{"a division by zero", routine(0x31, 0xc9, 0xf7, 0xf1, 0xc3), AMX, nil, "0x2 bytes into the routine raised a division error (#DE)"},
		{"more memory than the machine has", addOne, AMX, []Region{region(make([]byte, (maxPages+1)*pageBytes), true)}, "at most 4096 can be"},
		{"memory that is not there", addOne, AMX, []Region{{nil, 8, false}}, "memory at 0x0"},
	} {
		clear(b)
		m.XCR0 = c.xcr0
		err := m.Call(c.code, unsafe.Pointer(&b[0]), c.regions...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, it should say %q", c.name, err, c.want)
		}
		if b[0] != 0 {
			t.Errorf("%s: it wrote to the caller's memory", c.name)
		}
	}
	m.XCR0 = AMX
	if err := m.Call(addOne, unsafe.Pointer(&b[0]), region(b[:4], true)); err != nil || b[0] != 1 {
		t.Errorf("after all of these, a routine that does nothing wrong: error %v, and %d for 1", err, b[0])
	}
	var e *Exception
	if err := m.Call(routine(0x90, 0x0f, 0x0b), nil); !errors.As(err, &e) || e.Vector != invalidOpcode {
		t.Errorf("error is %v, it should be an exception of vector %d", err, invalidOpcode)
	}
}

// TestAMachineThatIsLostIsAnError, and so is every later call.
func TestAMachineThatIsLostIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		code uintptr
		want string
	}{
		"an endless loop": {routine(0xeb, 0xfe), "no answer within 2s"},
		// xorl %esp, %esp; ud2: the exception has no stack to go to.
		"a triple fault": {routine(0x31, 0xe4, 0x0f, 0x0b), "the emulator has ended"},
	} {
		m := Start(t)
		m.patience = 2 * time.Second
		for range 2 {
			if err := m.Call(c.code, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error is %v, it should say %q", name, err, c.want)
			}
		}
	}
}

// TestTheEmulatorEndsWithItsProgram, also with one that has no time to say so.
func TestTheEmulatorEndsWithItsProgram(t *testing.T) {
	m := Start(t)
	if err := m.signal.Close(); err != nil { // as the kernel does for a program that is killed
		t.Fatal(err)
	}
	state, err := m.cmd.Process.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if status := state.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGPIPE {
		t.Errorf("it ended by %v, not by the pipe that it writes to", state)
	}
}

func TestAMissingEmulatorIsNamed(t *testing.T) {
	t.Setenv("REALFLOPS_TEST_BOCHS", "/nowhere")
	if _, err := start(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no emulator in /nowhere: `make tools`") {
		t.Errorf("error is %v", err)
	}
}
