package detect

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// DumpSchema names the version of the dump format.
//
// A dump is a machine on file: what [Detect] and [Doctor] read of it, so that a bug seen
// there can be replayed here. It is a gzipped tar of plain files and directories, named by
// their paths without the leading slash (proc/cpuinfo), or a directory of the same:
//
//	record.json   [Record]: schema, GOARCH, cpuid, environment variables that were set
//	proc/ sys/    the files that were read, cut down to the lines that are used
//	etc/ run/ ... likewise; a marker (.dockerenv) is empty, a marker directory too
//
// Nothing in it names the machine or its owner: the machine id and GPU UUIDs are replaced
// by random ones, the host name by "host", names of cgroups by numbers (unless they only
// name the container manager), and what no rule in scrub.go lets pass is left out.
// Replaying it gives the same [Host] but for ID, Name and GPU UUIDs.
const DumpSchema = "realflops-dump/1"

const recordFile = "record.json"

// Dump writes what detection reads from src as a gzipped tar.
func Dump(ctx context.Context, src *Source, w io.Writer) error {
	seen := map[string][]byte{}
	recording := *src
	recording.temp = false
	recording.seen = func(name string, data []byte) { seen[name] = data }
	h, err := Detect(ctx, &recording)
	if err != nil {
		return err
	}
	Doctor(&recording, h)

	files := scrub(seen)
	record, err := json.MarshalIndent(src.record, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the dump's record: %w", err)
	}
	files[recordFile] = append(record, '\n')

	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(files[name]))}
		if strings.HasSuffix(name, "/") {
			header.Typeflag, header.Mode = tar.TypeDir, 0o700
		}
		if err := t.WriteHeader(header); err != nil {
			return fmt.Errorf("writing %s to the dump: %w", name, err)
		}
		if _, err := t.Write(files[name]); err != nil {
			return fmt.Errorf("writing %s to the dump: %w", name, err)
		}
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("writing the dump: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("writing the dump: %w", err)
	}
	return nil
}

// DumpFile is Dump into a new file that only its owner can read. A file that exists is
// not overwritten.
func DumpFile(ctx context.Context, src *Source, name string) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("creating the dump: %w", err)
	}
	defer func() {
		if errClose := f.Close(); err == nil && errClose != nil {
			err = fmt.Errorf("writing the dump: %w", errClose)
		}
		if err != nil {
			_ = os.Remove(name)
		}
	}()
	return Dump(ctx, src, f)
}
