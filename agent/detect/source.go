package detect

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/common"
)

// Source is where detection reads from: this machine ([Live]) or a dump of another
// ([Open]). It is a root path, under which lie /proc, /sys, /etc and a few markers, and
// the [Record] of what no file tells.
type Source struct {
	dir    string
	record Record
	temp   bool // dir is ours, and Close removes it

	// seen, if set, is told of every file read (its content) and of every marker
	// found (a directory's name ends in a slash): this is how a dump is made.
	seen func(name string, data []byte)
}

// Live is this machine.
func Live() *Source {
	return &Source{dir: "/", record: liveRecord()}
}

// Close removes what Open unpacked. The live source needs none.
func (s *Source) Close() error {
	if !s.temp {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// maxFile bounds one file: /proc/cpuinfo, the largest, has about 1.5 kB a CPU.
const maxFile = 16 << 20

// read returns the content of a file under the root; ok is false if it cannot be read,
// which is ordinary: what is not there is unknown.
func (s *Source) read(name string) (data []byte, ok bool) {
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }()
	data, err = io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, false
	}
	if s.seen != nil {
		s.seen(name, data)
	}
	return data, true
}

// text is read for a file of one value: trimmed, and not ok if nothing is left.
func (s *Source) text(name string) (string, bool) {
	data, _ := s.read(name)
	t := strings.TrimSpace(string(data))
	return t, t != ""
}

// number is text for a file of one integer.
func (s *Source) number(name string) (int64, bool) {
	t, _ := s.text(name)
	n, err := strconv.ParseInt(t, 0, 64)
	return n, err == nil
}

// cpuList is text for a file that holds a CPU list, which may be empty.
func (s *Source) cpuList(name string) ([]int, bool) {
	data, ok := s.read(name)
	if !ok {
		return nil, false
	}
	cpus, err := parseCPUList(string(data))
	return cpus, err == nil
}

// exists reports whether a marker, file or directory, is there; its content is not read.
func (s *Source) exists(name string) bool {
	info, err := os.Stat(s.path(name))
	if err != nil {
		return false
	}
	if s.seen != nil {
		if info.IsDir() {
			name += "/"
		}
		s.seen(name, nil)
	}
	return true
}

// list returns the names in a directory in order, none if it cannot be read.
func (s *Source) list(name string) []string {
	entries, err := os.ReadDir(s.path(name))
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

func (s *Source) path(name string) string {
	return filepath.Join(s.dir, filepath.FromSlash(name))
}

// gopsutil makes gopsutil read below this source's root.
func (s *Source) gopsutil(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{
		common.HostProcEnvKey: s.path("proc"),
		common.HostSysEnvKey:  s.path("sys"),
		common.HostEtcEnvKey:  s.path("etc"),
	})
}
