package detect

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// anonymous is h without what a dump replaces.
func anonymous(h *Host) Host {
	a := *h
	a.ID, a.Name, a.Devices = "", "", nil
	for _, d := range h.Devices {
		if gpuUUID.MatchString(d.ID) {
			d.ID = "GPU"
		}
		a.Devices = append(a.Devices, d)
	}
	return a
}

// redump dumps src to a file and opens it.
func redump(t *testing.T, src *Source) (dump *Source, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "dump.tar.gz")
	if err := DumpFile(context.Background(), src, file); err != nil {
		t.Fatal(err)
	}
	dump, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dump.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dump.dir); !os.IsNotExist(err) {
			t.Errorf("Close left %s behind", dump.dir)
		}
	})
	return dump, file
}

// TestDumpReplaysTheSameHost: a dump of a machine is seen as that machine, by detect and
// by doctor; so the dump holds every file that either reads.
func TestDumpReplaysTheSameHost(t *testing.T) {
	sources := map[string]*Source{"this machine": Live(), "secretive": secretive(t)}
	for name := range facts {
		sources[name] = replay(t, name)
	}
	for name, src := range sources {
		t.Run(name, func(t *testing.T) {
			dump, _ := redump(t, src)
			h, again := detect(t, src), detect(t, dump)
			before, after := anonymous(h), anonymous(again)
			for _, x := range []*Host{&before, &after} { // it moves between two readings
				if x.CPUDevice().CPU.CurrentHz != nil && name == "this machine" {
					*x.CPUDevice().CPU.CurrentHz = 1
				}
			}
			if !reflect.DeepEqual(before, after) {
				t.Errorf("the dump replays as\n%+v\nbut the machine is\n%+v", after, before)
			}
			if got, want := Doctor(dump, again), Doctor(src, h); !reflect.DeepEqual(got, want) {
				t.Errorf("doctor says of the dump\n%+v\nbut of the machine\n%+v", got, want)
			}
			if again.ID == h.ID {
				t.Errorf("the dump keeps the host id %s", h.ID)
			}
		})
	}
}

// secrets are strings of a machine that must not get into a dump.
var secrets = map[string]string{
	"machine id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "host name": "payroll-db-07", "serial": "000000007a1b2c3d",
	"user": "alice", "asset tag": "ACME-4711", "job": "merger-with-globex", "container": "9c8b7a6f5e4d",
	"pod": "2b1f8a3e-77aa", "mount": "nas.acme.example", "GPU UUID": "GPU-5f4c2a10-0b1e-4c3d-9e8f-0123456789ab",
	"builder": "dvs-builder", "slot": "PCI_SLOT_NAME", "home": "https://acme.example", "token": "s3cr3t-token",
}

// secretive is a machine that has all the secrets where machines have them.
func secretive(t *testing.T) *Source {
	x := secrets
	gpu := pciRoot + "0000:3b:00.0/"
	cgroup := fmt.Sprintf("/user.slice/user-%s.slice/%s/docker-%s.scope", x["user"], x["job"], x["container"])
	return openFiles(t, map[string]string{
		recordFile:                 record,
		"etc/machine-id":           x["machine id"] + "\n",
		"proc/sys/kernel/hostname": x["host name"] + "\n",
		"proc/cpuinfo":             "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\nCPU revision\t: 1\n\nSerial\t\t: " + x["serial"] + "\nModel\t\t: of " + x["user"] + "\n",
		"proc/meminfo":             "MemTotal: 1024 kB\nHugePages_Free: 2\n",
		"proc/self/status":         "Name:\t" + x["job"] + "\nCpus_allowed_list:\t0\n",
		"proc/self/cgroup":         "0::" + cgroup + "\n3:memory:/kubepods.slice/kubepods-pod" + x["pod"] + ".slice\n1:name=systemd:/" + x["job"] + "\n",
		"proc/self/mountinfo": "9 0 0:9 / /home rw - nfs " + x["mount"] + ":/home rw\n" +
			"2 0 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" +
			"3 0 0:3 / /mnt/" + x["user"] + "/memory rw - cgroup cgroup rw,memory,release_agent=/" + x["job"] + "\n" +
			"4 0 0:4 / /mnt/" + x["user"] + "/pids rw - cgroup cgroup rw,pids\n",
		"sys/fs/cgroup" + cgroup + "/cpu.max":                                                                  "150000 100000\n",
		"sys/fs/cgroup/user.slice/user-" + x["user"] + ".slice/memory.max":                                     "4096000\n",
		"mnt/" + x["user"] + "/memory/kubepods.slice/kubepods-pod" + x["pod"] + ".slice/memory.limit_in_bytes": "2048000\n",
		"etc/os-release":       "PRETTY_NAME=\"X 1\"\nHOME_URL=\"" + x["home"] + "\"\n",
		dmiVendor:              "Dell Inc.\n",
		dmiAssetTag:            x["asset tag"] + "\n",
		gpu + "vendor":         "0x10de\n",
		gpu + "class":          "0x030200\n",
		gpu + "device":         "0x20b5\n",
		gpu + "uevent":         "DRIVER=nvidia\n" + x["slot"] + "=0000:3b:00.0\n",
		nvidiaProc + "version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat\nGCC version: " + x["builder"] + "\n",
		nvidiaProc + "gpus/0000:3b:00.0/information":     "Model: A100\nGPU UUID: " + x["GPU UUID"] + "\nVideo BIOS: 1\n",
		"run/.containerenv":                              "name=\"" + x["user"] + "\"\n",
		"run/secrets/kubernetes.io/serviceaccount/token": x["token"],
	})
}

func TestDumpHoldsNothingPrivate(t *testing.T) {
	_, file := redump(t, secretive(t))
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	files := 0
	err = unpack(f, func(name string, _ bool, data []byte) error {
		files++
		for what, secret := range secrets {
			if strings.Contains(name+"\n"+string(data), secret) {
				t.Errorf("%s gives away the %s", name, what)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestDumpLeavesOutWhatNoRuleNames: a file that detection learns to read stays private
// until a rule lets it pass.
func TestDumpLeavesOutWhatNoRuleNames(t *testing.T) {
	files := scrub(map[string][]byte{"etc/shadow": []byte("x"), "proc/sys/kernel/osrelease": []byte("6.1\n")})
	if _, ok := files["etc/shadow"]; ok {
		t.Error("a file without a rule is in the dump")
	}
	want(t, "a file with a rule", string(files["proc/sys/kernel/osrelease"]), "6.1\n")
}

func TestDumpFileIsPrivateAndNew(t *testing.T) {
	src := replay(t, "graviton3")
	_, file := redump(t, src)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "mode", info.Mode().Perm(), os.FileMode(0o600))
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := DumpFile(context.Background(), src, file); err == nil {
		t.Error("a file that exists was overwritten")
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file that existed has changed (%v)", err)
	}
	if err := DumpFile(context.Background(), src, filepath.Join(t.TempDir(), "no", "x")); err == nil {
		t.Error("no error for a folder that is not there")
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	gone := filepath.Join(t.TempDir(), "x.tar.gz")
	if err := DumpFile(canceled, src, gone); err == nil {
		t.Error("no error from a context that has ended")
	}
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Error("a failed dump leaves its file behind")
	}
}

func TestDumpTellsOfAFullDisk(t *testing.T) {
	err := Dump(context.Background(), replay(t, "graviton3"), &fullWriter{left: 100})
	if err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("got %v", err)
	}
}

type fullWriter struct{ left int }

func (w *fullWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, fmt.Errorf("disk is full")
	}
	return len(p), nil
}

// archive makes a gzipped tar of these entries.
func archive(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		content := e.PAXRecords["content"]
		e.PAXRecords = nil
		e.Size, e.Mode = int64(len(content)), 0o600
		if err := w.WriteHeader(&e); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, PAXRecords: map[string]string{"content": content}}
}

func TestOpenRefuses(t *testing.T) {
	good := archive(t, file(recordFile, record))
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "big", Typeflag: tar.TypeReg, Size: maxDumpBytes + 1}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":          {nil, "not a gzipped tar"},
		"text":           {[]byte("hello"), "not a gzipped tar"},
		"cut off":        {good[:len(good)/2], "damaged archive"},
		"parent":         {archive(t, file("../x", "")), "leaves the dump"},
		"hidden parent":  {archive(t, file("a/../../x", "")), "leaves the dump"},
		"absolute":       {archive(t, file("/etc/passwd", "")), "leaves the dump"},
		"symbolic link":  {archive(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}), "neither a file"},
		"hard link":      {archive(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}), "neither a file"},
		"device":         {archive(t, tar.Header{Name: "a", Typeflag: tar.TypeChar}), "neither a file"},
		"twice":          {archive(t, file("a", "1"), file("a", "2")), "exists"},
		"large":          {bomb.Bytes(), "more than"},
		"no record":      {archive(t, file("proc/cpuinfo", "")), "record.json is missing"},
		"damaged record": {archive(t, file(recordFile, "{")), "record.json"},
		"other schema":   {archive(t, file(recordFile, `{"schema": "x/9"}`)), `"x/9", this program reads realflops-dump/1`},
		"absurd counts":  {archive(t, file(recordFile, `{"schema": "realflops-dump/1", "cpuid": {"logical": 1000000000}}`)), "possible are"},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			path := filepath.Join(t.TempDir(), "x.tar.gz")
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got the error %v, want one line with %q", err, c.want)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
				t.Errorf("%v is left in the temporary folder (%v)", left, err)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("no error for a file that is not there")
	}
}

func TestUnpackRefusesTooManyFiles(t *testing.T) {
	many := make([]tar.Header, maxDumpFiles+1)
	for i := range many {
		many[i] = tar.Header{Name: "d/", Typeflag: tar.TypeDir}
	}
	taken := 0
	err := unpack(bytes.NewReader(archive(t, many...)), func(string, bool, []byte) error { taken++; return nil })
	if err == nil || taken != maxDumpFiles {
		t.Errorf("%d entries were taken, and the error is %v", taken, err)
	}
}

func TestOpenRefusesLinksInADirectory(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{recordFile: record, "etc/": ""})
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "etc", "machine-id")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "no links") {
		t.Errorf("got %v", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, file(recordFile, record), tar.Header{Name: "d/", Typeflag: tar.TypeDir}))
	f.Add(archive(f, file("../x", "y")))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		_ = unpack(bytes.NewReader(data), func(name string, _ bool, content []byte) error {
			total += len(content)
			if !filepath.IsLocal(name) {
				t.Errorf("%q leaves the dump", name)
			}
			return nil
		})
		if total > maxDumpBytes {
			t.Errorf("%d bytes unpacked", total)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(record))
	f.Add([]byte(`{"schema": "realflops-dump/1", "cpuid": {"threads": -1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err == nil && (r.Schema != DumpSchema || r.CPUID.Threads < 0 || r.CPUID.Logical > maxCPU) {
			t.Errorf("%+v was let through", r)
		}
	})
}
