package driver

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// library says which shared library is wanted and where it may lie.
type library struct {
	env     string   // variable that names the one file to open
	sonames []string // in order of preference
	folders []string // where to look after the loader's own places; a pattern of path/filepath
}

// cudaPlaces are where libcuda.so.1 and libnvidia-ml.so.1 lie when the loader does not know
// it: containers of some clouds, distributions, WSL, NixOS, GKE.
var cudaPlaces = []string{
	"/usr/local/nvidia/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/aarch64-linux-gnu",
	"/usr/lib/wsl/lib", "/run/opengl-driver/lib", "/home/kubernetes/bin/nvidia/lib64",
}

var (
	cudaLibrary = library{env: "REALFLOPS_LIBCUDA", sonames: []string{"libcuda.so.1"}, folders: cudaPlaces}
	nvmlLibrary = library{env: "REALFLOPS_LIBNVML", sonames: []string{"libnvidia-ml.so.1"}, folders: cudaPlaces}
	ltLibrary   = library{
		env:     "REALFLOPS_LIBCUBLASLT",
		sonames: []string{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"},
		folders: []string{
			"/usr/local/cuda*/lib64", "/usr/local/cuda-*/targets/*/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
			"$CONDA_PREFIX/lib", "$CONDA_PREFIX/lib/python3*/site-packages/nvidia/*/lib",
			"$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/*/lib",
			"/usr/local/lib/python3*/*-packages/nvidia/*/lib", "/usr/lib/python3*/*-packages/nvidia/*/lib",
			"$HOME/.local/lib/python3*/site-packages/nvidia/*/lib", "/opt/conda/lib/python3*/site-packages/nvidia/*/lib",
			"/opt/conda/lib",
		},
	}
)

// node is what a search reads of the machine: tests give another root and environment.
type node struct {
	root   string // "" or a folder that stands for /
	getenv func(string) string
}

var thisNode = node{getenv: os.Getenv}

// candidates lists the files that may be library l, best first. Each exists and
// passed checkELF; refused says of the others why not. Without a name in l.env, the
// order is: the sonames as the loader would find them (LD_LIBRARY_PATH, ld.so.cache), then l.folders.
func (n node) candidates(l library) (files []string, refused []error) {
	if path := n.getenv(l.env); path != "" {
		if err := checkELF(path); err != nil {
			return nil, []error{fmt.Errorf("%s: %w", l.env, err)}
		}
		return []string{path}, nil
	}
	seen := map[string]bool{}
	for _, name := range l.sonames {
		for _, path := range n.paths(l, name) {
			real, err := filepath.EvalSymlinks(path)
			if errors.Is(err, fs.ErrNotExist) || seen[real] {
				continue
			}
			if err == nil {
				seen[real] = true
				err = checkELF(real)
			}
			if err != nil {
				refused = append(refused, err)
				continue
			}
			files = append(files, path)
		}
	}
	return files, refused
}

// paths are the places of soname name, whether or not there is such a file.
func (n node) paths(l library, name string) []string {
	var paths []string
	for _, dir := range filepath.SplitList(n.getenv("LD_LIBRARY_PATH")) {
		if dir != "" {
			paths = append(paths, n.root+filepath.Join(dir, name))
		}
	}
	for _, path := range loaderCache(n.root+"/etc/ld.so.cache", name) {
		paths = append(paths, n.root+path)
	}
	for _, folder := range l.folders {
		pattern, known := n.expand(folder)
		if !known {
			continue
		}
		matches, err := filepath.Glob(filepath.Join(n.root+pattern, name))
		if err == nil { // a bad pattern comes from a strange $HOME alone
			paths = append(paths, matches...)
		}
	}
	return paths
}

// expand replaces a leading $VARIABLE; known is false where it is not set.
func (n node) expand(folder string) (path string, known bool) {
	if !strings.HasPrefix(folder, "$") {
		return folder, true
	}
	name, rest, _ := strings.Cut(folder[1:], "/")
	value := n.getenv(name)
	return filepath.Join(value, rest), value != ""
}

// loaderCache finds name in a cache of glibc's loader, of the format that it has had since 2.2:
// after the magic word, a count of entries and of bytes of text, each entry being flags, the
// offsets of its name and path, a kernel version and a mask. What cannot be read has no entries.
func loaderCache(path, name string) []string {
	const magic = "glibc-ld.so.cache1.1"
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	start := bytes.Index(data, []byte(magic)) // an older format may lie before it
	if start < 0 {
		return nil
	}
	data = data[start:]
	const head, size = 48, 24
	if len(data) < head {
		return nil
	}
	count := int(binary.NativeEndian.Uint32(data[len(magic):]))
	var found []string
	for i := 0; i < count && head+(i+1)*size <= len(data); i++ {
		entry := data[head+i*size:]
		path := cString(data, binary.NativeEndian.Uint32(entry[8:]))
		if cString(data, binary.NativeEndian.Uint32(entry[4:])) == name && filepath.IsAbs(path) {
			found = append(found, path)
		}
	}
	return found
}

// cString is the text at offset that ends with a NUL byte, or "" outside data.
func cString(data []byte, offset uint32) string {
	if int64(offset) >= int64(len(data)) {
		return ""
	}
	s, _, _ := bytes.Cut(data[offset:], []byte{0})
	return string(s)
}

var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkELF says why the file at path cannot be a shared library of this program: the loader
// does not tell all of this, and mapping a truncated file ends a process by SIGBUS.
func checkELF(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", path)
	}
	ident := make([]byte, elf.EI_NIDENT)
	if _, err := io.ReadFull(f, ident); err != nil || string(ident[:4]) != elf.ELFMAG {
		return fmt.Errorf("%s is not a shared library (no ELF header)", path)
	}
	if elf.Class(ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return fmt.Errorf("%s is a 32-bit or big-endian library, want a 64-bit one", path)
	}
	var h elf.Header64
	if err := binary.Read(io.NewSectionReader(f, 0, info.Size()), binary.LittleEndian, &h); err != nil {
		return fmt.Errorf("%s is truncated: %w", path, err)
	}
	if elf.Machine(h.Machine) != machines[runtime.GOARCH] || elf.Type(h.Type) != elf.ET_DYN {
		return fmt.Errorf("%s is a %s of %s, want a shared library of %s", path, elf.Type(h.Type), elf.Machine(h.Machine), machines[runtime.GOARCH])
	}
	return checkSegments(f, path, h, info.Size())
}

// checkSegments says whether a program header reaches past the end of the file.
func checkSegments(f io.ReaderAt, path string, h elf.Header64, size int64) error {
	for i := range int64(h.Phnum) {
		var p elf.Prog64
		at := io.NewSectionReader(f, int64(h.Phoff)+i*int64(h.Phentsize), int64(binary.Size(p)))
		if err := binary.Read(at, binary.LittleEndian, &p); err != nil {
			return fmt.Errorf("%s is truncated in its program headers: %w", path, err)
		}
		if elf.ProgType(p.Type) != elf.PT_LOAD {
			continue
		}
		if end := p.Off + p.Filesz; end < p.Off || end > uint64(size) {
			return fmt.Errorf("%s is truncated: %d bytes, want at least %d", path, size, end)
		}
	}
	return nil
}

// open offers the candidates for l to try, which opens one, until it takes one, and returns
// that path. The error is one sentence that tells of every file that was looked at.
func (n node) open(l library, try func(path string) error) (string, error) {
	files, refused := n.candidates(l)
	if len(files) == 0 && len(refused) == 0 {
		files = l.sonames // a loader may know of places that are not looked at here
	}
	missing := true
	for _, path := range files {
		err := try(path)
		if err == nil {
			return path, nil
		}
		missing = missing && !strings.Contains(path, "/")
		refused = append(refused, err)
	}
	if missing && len(files) > 0 {
		return "", fmt.Errorf("%s is not on this machine: %w", strings.Join(l.sonames, " or "), errNoLibrary)
	}
	texts := make([]string, len(refused))
	for i, err := range refused {
		texts[i] = err.Error()
	}
	return "", errors.New(strings.Join(texts, "; "))
}

// errNoLibrary says that no file has the name of the library.
var errNoLibrary = errors.New("neither the loader nor the usual folders have it")
