package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// caches lists the caches, one entry for each level, type, size and sharing (so two of a
// level where big and little cores differ), data before instruction before unified.
func (s *Source) caches(t topology) []Cache {
	type instance struct {
		level  int64
		kind   string
		shared string
	}
	seen := map[instance]bool{}
	caches := []Cache{}
	for _, c := range t.online {
		dir := fmt.Sprintf(cpuRoot+"cpu%d/cache", c)
		for _, index := range s.list(dir) {
			if !strings.HasPrefix(index, "index") {
				continue
			}
			level, okLevel := s.number(dir + "/" + index + "/level")
			kind, _ := s.text(dir + "/" + index + "/type")
			shared, okShared := s.text(dir + "/" + index + "/shared_cpu_list")
			i := instance{level, strings.ToLower(kind), shared}
			if !okLevel || !okShared || seen[i] {
				continue // another CPU has shown this instance
			}
			seen[i] = true
			if cache, ok := s.cache(dir + "/" + index); ok {
				cache.Level, cache.Type = int(level), i.kind
				caches = addCache(caches, cache)
			}
		}
	}
	if len(caches) == 0 {
		caches = s.cpuidCaches(t)
	}
	slices.SortStableFunc(caches, func(a, b Cache) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Type, b.Type), cmp.Compare(b.Bytes, a.Bytes))
	})
	return caches
}

// cache reads one instance; ok is false without a size (some arm64 firmware tells none).
func (s *Source) cache(dir string) (c Cache, ok bool) {
	size, _ := s.text(dir + "/size")
	bytes, err := parseSize(size)
	if err != nil {
		return Cache{}, false
	}
	cpus, _ := s.cpuList(dir + "/shared_cpu_list")
	line, _ := s.number(dir + "/coherency_line_size")
	return Cache{Bytes: bytes, Instances: 1, SharedBy: max(len(cpus), 1), LineBytes: int(line)}, true
}

// addCache counts c as a further instance of an entry that it equals, or appends it.
func addCache(caches []Cache, c Cache) []Cache {
	for i := range caches {
		e := caches[i]
		e.Instances = c.Instances
		if e == c {
			caches[i].Instances++
			return caches
		}
	}
	return append(caches, c)
}

// cpuidCaches is for systems that hide sysfs: cpuid gives the sizes; the first two levels
// are taken to belong to a core and the third to a package, as on most processors.
func (s *Source) cpuidCaches(t topology) []Cache {
	id := s.record.CPUID
	caches := []Cache{}
	for _, c := range []Cache{
		{Level: 1, Type: "data", Bytes: id.L1DBytes, Instances: t.cores},
		{Level: 1, Type: "instruction", Bytes: id.L1IBytes, Instances: t.cores},
		{Level: 2, Type: "unified", Bytes: id.L2Bytes, Instances: t.cores},
		{Level: 3, Type: "unified", Bytes: id.L3Bytes, Instances: t.packages},
	} {
		if c.Bytes > 0 {
			c.SharedBy, c.LineBytes = max(len(t.online)/c.Instances, 1), id.LineBytes
			caches = append(caches, c)
		}
	}
	return caches
}
