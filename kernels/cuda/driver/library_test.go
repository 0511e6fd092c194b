package driver

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// object is an ELF file with one loaded segment of the given size.
func object(t *testing.T, change func(*elf.Header64), segment uint64) []byte {
	t.Helper()
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1},
		Type:  uint16(elf.ET_DYN), Machine: uint16(machines[runtime.GOARCH]), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	if change != nil {
		change(&h)
	}
	var b bytes.Buffer
	for _, part := range []any{h, elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: segment}, make([]byte, 100)} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyWholeLibrariesOfThisMachineAreOpened(t *testing.T) {
	good := object(t, nil, 220)
	other := func(h *elf.Header64) { h.Machine = uint16(elf.EM_386) }
	for _, c := range []struct {
		name string
		data []byte
		want string // "" if the file is right
	}{
		{"whole", good, ""},
		{"segment beyond the end", object(t, nil, 221), "is truncated: 220 bytes, want at least 221"},
		{"segment that wraps around", object(t, nil, 1<<63+1<<62), "is truncated"},
		{"cut in the program headers", good[:100], "truncated in its program headers"},
		{"cut in the header", good[:30], "is truncated"},
		{"cut in the first bytes", good[:3], "no ELF header"},
		{"empty", nil, "no ELF header"},
		{"linker script", []byte("/* GNU ld script */ INPUT(libcuda.so.1)"), "no ELF header"},
		{"32-bit", object(t, func(h *elf.Header64) { h.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS32) }, 220), "32-bit"},
		{"another machine", object(t, other, 220), "EM_386"},
		{"program", object(t, func(h *elf.Header64) { h.Type = uint16(elf.ET_EXEC) }, 220), "ET_EXEC"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lib.so")
			write(t, path, c.data)
			err := checkELF(path)
			if c.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)) {
				t.Errorf("error %v, want one with %q and the path", err, c.want)
			}
		})
	}
	if err := checkELF(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("error %v for a folder", err)
	}
}

// cache is a loader's cache with the given (soname, path) pairs; prefix lies before it.
func cache(prefix string, pairs ...string) []byte {
	entries, texts := []byte{}, []byte{}
	base := 48 + len(pairs)/2*24
	for i := 0; i < len(pairs); i += 2 {
		e := make([]byte, 24)
		for j, text := range pairs[i : i+2] {
			binary.NativeEndian.PutUint32(e[4+4*j:], uint32(base+len(texts)))
			texts = append(append(texts, text...), 0)
		}
		entries = append(entries, e...)
	}
	head := make([]byte, 48)
	copy(head, "glibc-ld.so.cache1.1")
	binary.NativeEndian.PutUint32(head[20:], uint32(len(pairs)/2))
	return slices.Concat([]byte(prefix), head, entries, texts)
}

func TestLoaderCacheIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ld.so.cache")
	whole := cache("ld.so-1.7.0 and what it held", "libc.so.6", "/lib/libc.so.6", "libcuda.so.1", "/usr/lib64/libcuda.so.1", "libcuda.so.1", "/usr/lib/libcuda.so.1")
	write(t, path, whole)
	if got, want := loaderCache(path, "libcuda.so.1"), []string{"/usr/lib64/libcuda.so.1", "/usr/lib/libcuda.so.1"}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
	for n := range whole { // whatever is cut off, nothing is made up
		write(t, path, whole[:n])
		for _, found := range loaderCache(path, "libcuda.so.1") {
			if !strings.HasPrefix("/usr/lib64/libcuda.so.1", found) && !strings.HasPrefix("/usr/lib/libcuda.so.1", found) {
				t.Fatalf("%q in the first %d bytes", found, n)
			}
		}
	}
	if got := loaderCache(filepath.Join(t.TempDir(), "none"), "libc.so.6"); got != nil {
		t.Errorf("found %v without a cache", got)
	}
}

// TestLibrariesAreLookedForInOrder: the loader's own order, then the usual folders, each file once,
// and what cannot be opened is passed over with a reason.
func TestLibrariesAreLookedForInOrder(t *testing.T) {
	root := t.TempDir()
	good := object(t, nil, 220)
	for _, path := range []string{"/first/libx.so.2", "/cached/libx.so.2", "/opt/app-1/lib/libx.so.2", "/home/me/lib/libx.so.1", "/first/libx.so.1"} {
		write(t, root+path, good)
	}
	write(t, root+"/bad/libx.so.2", []byte("text"))
	write(t, root+"/etc/ld.so.cache", cache("", "libx.so.2", "/cached/libx.so.2", "libx.so.2", "/gone/libx.so.2"))
	if err := os.MkdirAll(root+"/alias", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root+"/first/libx.so.2", root+"/alias/libx.so.2"); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"LD_LIBRARY_PATH": "/bad::/first:/alias", "HOME": "/home/me"}
	n := node{root: root, getenv: func(name string) string { return variables[name] }}
	l := library{env: "LIBX", sonames: []string{"libx.so.2", "libx.so.1"}, folders: []string{"/cached", "/opt/app-*/lib", "$HOME/lib", "$UNSET/first"}}
	files, refused := n.candidates(l)
	for i := range files {
		files[i] = strings.TrimPrefix(files[i], root)
	}
	want := []string{"/first/libx.so.2", "/cached/libx.so.2", "/opt/app-1/lib/libx.so.2", "/first/libx.so.1", "/home/me/lib/libx.so.1"}
	if !slices.Equal(files, want) {
		t.Errorf("candidates\n%v, want\n%v", files, want)
	}
	if len(refused) != 1 || !strings.Contains(refused[0].Error(), "/bad/libx.so.2") {
		t.Errorf("refused %v, want the text file alone", refused)
	}
	variables["LIBX"] = root + "/home/me/lib/libx.so.1"
	if files, _ := n.candidates(l); !slices.Equal(files, []string{variables["LIBX"]}) {
		t.Errorf("candidates %v, want the one that LIBX names", files)
	}
}

func TestOpenTellsOfEveryFile(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/a", "/b"} {
		write(t, root+dir+"/libx.so.1", object(t, nil, 220))
	}
	write(t, root+"/c/libx.so.1", []byte("text"))
	n := node{root: root, getenv: func(string) string { return "" }}
	l := library{env: "LIBX", sonames: []string{"libx.so.1"}, folders: []string{"/a", "/b", "/c"}}
	var tried []string
	path, err := n.open(l, func(path string) error {
		tried = append(tried, path)
		if len(tried) == 1 {
			return errors.New("the first will not do")
		}
		return nil
	})
	if err != nil || path != root+"/b/libx.so.1" || len(tried) != 2 {
		t.Errorf("opened %q after %v (%v), want the second", path, tried, err)
	}
	_, err = n.open(l, func(path string) error { return errors.New(path + " will not do") })
	for _, want := range []string{"/a/libx.so.1 will not do", "/b/libx.so.1 will not do", "/c/libx.so.1 is not a shared library"} {
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, errNoLibrary) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	l.folders = nil
	_, err = n.open(l, func(path string) error { return errors.New(path + ": the loader does not know it") })
	if !errors.Is(err, errNoLibrary) || !strings.Contains(err.Error(), "libx.so.1 is not on this machine") {
		t.Errorf("error %v, want errNoLibrary", err)
	}
}
