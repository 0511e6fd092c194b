package detect

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A dump comes from elsewhere, so what it may hold is bounded. A machine with 448 CPUs
// gives about 10,000 files and a few MB.
const (
	maxDumpFiles = 30_000
	maxDumpBytes = 64 << 20
)

// Open opens a dump, a gzipped tar or a directory, for replay. Links, paths that leave
// the dump, and more than 30,000 files or 64 MiB are refused. Close it after use.
func Open(name string) (*Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("opening the dump: %w", err)
	}
	s := &Source{dir: name}
	if info.IsDir() {
		err = checkDir(name)
	} else {
		s.temp = true
		s.dir, err = unpackFile(name)
	}
	if err == nil {
		s.record, err = readRecord(s)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("dump %s: %w", name, err), s.Close())
	}
	return s, nil
}

// checkDir holds a dump directory to the same rules as an archive.
func checkDir(root string) error {
	var b budget
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == root {
			return nil
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a directory; a dump holds no links or devices", name)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return b.spend(info.Size())
	})
}

// unpackFile unpacks an archive into a new directory, which it removes if it fails.
func unpackFile(name string) (dir string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	dir, err = os.MkdirTemp("", "realflops-dump-")
	if err != nil {
		return "", err
	}
	err = unpack(f, func(name string, isDir bool, data []byte) error {
		target := filepath.Join(dir, filepath.FromSlash(name))
		if isDir {
			return os.MkdirAll(target, 0o700)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return writeNew(target, data)
	})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// writeNew writes a file that must not be there yet: a dump names each file once.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// unpack reads a gzipped tar and hands each entry to put, with a name that stays below
// the directory it is joined to.
func unpack(r io.Reader, put func(name string, isDir bool, data []byte) error) error {
	z, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("not a gzipped tar: %w", err)
	}
	var b budget
	// Padding and headers count too, or an archive of nothing but them would never end.
	t := tar.NewReader(io.LimitReader(z, maxDumpBytes+2048*maxDumpFiles))
	for {
		header, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("damaged archive: %w", err)
		}
		name := strings.TrimSuffix(header.Name, "/")
		if !filepath.IsLocal(filepath.FromSlash(name)) || strings.ContainsAny(name, "\\\x00") {
			return fmt.Errorf("entry %.80q leaves the dump", header.Name)
		}
		isDir := header.Typeflag == tar.TypeDir
		if !isDir && header.Typeflag != tar.TypeReg {
			return fmt.Errorf("entry %.80q is neither a file nor a directory", header.Name)
		}
		if err := b.spend(header.Size); err != nil {
			return err
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return fmt.Errorf("damaged archive at %.80q: %w", name, err)
		}
		if err := put(name, isDir, data); err != nil {
			return err
		}
	}
}

// budget counts what a dump has used of its bounds.
type budget struct {
	files int
	bytes int64
}

func (b *budget) spend(size int64) error {
	b.files++
	b.bytes += max(size, 0)
	if b.files > maxDumpFiles || b.bytes > maxDumpBytes || size > maxDumpBytes {
		return fmt.Errorf("it holds more than %d files or %d MiB, which no dump needs", maxDumpFiles, maxDumpBytes>>20)
	}
	return nil
}

func readRecord(s *Source) (Record, error) {
	data, ok := s.read(recordFile)
	if !ok {
		return Record{}, fmt.Errorf("%s is missing, so this is no dump of realflops", recordFile)
	}
	return parseRecord(data)
}

// parseRecord reads record.json and refuses counts that no machine has.
func parseRecord(data []byte) (Record, error) {
	var r Record
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&r); err != nil {
		return Record{}, fmt.Errorf("%s: %w", recordFile, err)
	}
	if r.Schema != DumpSchema {
		return Record{}, fmt.Errorf("%s has the schema %.40q, this program reads %s", recordFile, r.Schema, DumpSchema)
	}
	for _, n := range []int{r.CPUID.Cores, r.CPUID.Threads, r.CPUID.Logical} {
		if n < 0 || n > maxCPU {
			return Record{}, fmt.Errorf("%s counts %d CPUs, possible are 0 to %d", recordFile, n, maxCPU)
		}
	}
	return r, nil
}
