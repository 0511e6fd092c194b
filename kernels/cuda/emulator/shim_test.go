package emulator

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// compile builds the shim and the program that goes through it.
func compile(t *testing.T) (shim, smoke string) {
	t.Helper()
	dir := t.TempDir()
	shim, smoke = filepath.Join(dir, "shim.so"), filepath.Join(dir, "smoke")
	sources, err := filepath.Glob("shim/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of the shim: %v", err)
	}
	flags := []string{"-O1", "-Wall", "-Wextra", "-Werror"}
	gcc(t, append(append(flags, "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,defs", "-o", shim), append(sources, "-lpthread")...)...)
	gcc(t, append(flags, "-o", smoke, "testdata/smoke.c", "-ldl")...)
	return shim, smoke
}

func gcc(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := exec.Command("gcc", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("gcc %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
}

func TestACProgramGoesThroughTheShim(t *testing.T) {
	shim, smoke := compile(t)
	n := start(t, "a100:busy")
	text := filepath.Join(t.TempDir(), "kernels.ptx")
	if err := os.WriteFile(text, []byte(strings.TrimRight(string(ptx(t, 50)), "\x00")), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(socket string, arguments ...string) {
		t.Helper()
		cmd := exec.Command(smoke, append([]string{shim}, arguments...)...)
		cmd.Env = []string{}
		if socket != "" {
			cmd.Env = append(cmd.Env, "REALFLOPS_EMULATOR="+socket)
		}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ok\n" {
			t.Errorf("%v: %v: %s (log %q)", arguments, err, out, n.log)
		}
	}
	run(n.socket, text, uuidText(uuid(find1(t, "a100"), 0)))
	run("", "absent", "100", "9")
	run(n.socket+"-not", "absent", "999", "15")
	run(strings.Repeat("x", 200), "absent", "999", "15")
}

// A process whose emulator dies has lost its devices, and lives.
func TestAProcessOutlivesItsEmulator(t *testing.T) {
	shim, smoke := compile(t)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	n, err := ParseNode("a100")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, n) }()

	cmd := exec.Command(smoke, shim, "gone")
	cmd.Env = []string{"REALFLOPS_EMULATOR=" + socket}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	line, _ := r.ReadString('\n')
	if err := cmd.Wait(); err != nil || line != "ok\n" {
		t.Errorf("%v: %s", err, line)
	}
}
