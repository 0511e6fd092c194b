package emulator

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"regexp"
	"strconv"
	"sync"

	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

// isPTX is whether an image is text; binaries start with ELF's or a fat binary's magic.
func isPTX(raw []byte) bool {
	return !bytes.HasPrefix(raw, []byte("\x7fELF")) && !bytes.HasPrefix(raw, []byte{0x50, 0xed, 0x55, 0xba})
}

var ptxVersion = regexp.MustCompile(`(?m)^\s*\.version\s+([0-9]+)\.([0-9]+)`)

// knownPTX is the latest PTX version, times 10, that a driver of a CUDA version (12080) knows: the
// table of the PTX ISA's release notes.
func knownPTX(driver int) int {
	major, minor := driver/1000, driver%1000/10
	switch {
	case major >= 13:
		return 90 + minor + 10*(major-13)
	case major == 12: // 12.6 brought none of its own
		return 80 + minor - min(1, minor/6)
	case major == 11:
		return 70 + minor
	case major >= 9:
		return map[int]int{90: 60, 91: 61, 92: 62, 100: 63, 101: 64, 102: 65}[major*10+minor]
	}
	return 50
}

// load is cuModuleLoadData: of binaries none runs here, PTX if the driver would take it.
func (p *process) load(q request) answer {
	raw, err := q.body()
	if err != nil || len(raw) == 0 {
		return code(errInvalidImage)
	}
	if !isPTX(raw) {
		return code(errNoBinary)
	}
	text := string(bytes.TrimRight(raw, "\x00"))
	v := ptxVersion.FindStringSubmatch(text)
	if v == nil {
		return answer{errInvalidPTX, []byte("ptxas fatal: the text has no .version")}
	}
	major, _ := strconv.Atoi(v[1])
	minor, _ := strconv.Atoi(v[2])
	if known := knownPTX(p.driverVersion()); 10*major+minor > known {
		return answer{errPTXVersion, fmt.Appendf(nil, "ptxas fatal: unsupported .version %d.%d; current version is '%d.%d'", major, minor, known/10, known%10)}
	}
	id := content(maphash.String(contentSeed, text))
	m, err := parse(id, text)
	if err != nil {
		p.logf("device %d: %v", p.dev.index, err)
		return answer{errInvalidPTX, []byte(err.Error())}
	}
	if m.Target > p.dev.Arch {
		return answer{errInvalidPTX, fmt.Appendf(nil, "ptxas fatal: the text is for sm_%d, later than this device's sm_%d", m.Target, p.dev.Arch)}
	}
	h := p.handle()
	p.images[h] = &image{m, id}
	return value(h)
}

// parsed keeps the texts that were parsed last: each worker of a node loads the same. Their .global
// variables are shared then, of which no kernel of kernels/cuda writes any.
var parsed struct {
	sync.Mutex
	modules map[content]*ptxvm.Module
}

const mostParsed = 8

func parse(id content, text string) (*ptxvm.Module, error) {
	parsed.Lock()
	defer parsed.Unlock()
	if m := parsed.modules[id]; m != nil {
		return m, nil
	}
	m, err := ptxvm.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(parsed.modules) >= mostParsed || parsed.modules == nil {
		parsed.modules = map[content]*ptxvm.Module{}
	}
	parsed.modules[id] = m
	return m, nil
}

func (p *process) function(q request) answer {
	name, err := q.body()
	m := p.images[q.word(1)]
	if err != nil || m == nil {
		return code(errInvalidHandle)
	}
	f := m.Functions[string(name)]
	if f == nil {
		return code(errNotFound)
	}
	for _, param := range f.Params {
		if param.Size != 8 || len(f.Params) > 255 {
			p.logf("%s: parameter %s of %d bytes; an emulated launch takes 255 of 8 bytes at most", f.Name, param.Name, param.Size)
			return code(errNotFound)
		}
	}
	h := p.handle()<<8 | uint64(len(f.Params))
	p.functions[h] = &function{Function: f, image: m, shared: max(48<<10-f.SharedBytes, 0)}
	return value(h)
}

// The attributes of a function that are answered, by the numbers of CUfunction_attribute.
const (
	functionMaxThreads = 0
	functionShared     = 1
	functionDynamic    = 8 // bytes of dynamic shared memory it may have
)

func (p *process) functionAttribute(q request) answer {
	f := p.functions[q.word(1)]
	if f == nil {
		return code(errInvalidHandle)
	}
	return value(int32(map[uint64]int{
		functionMaxThreads: f.threads(), functionShared: f.SharedBytes, functionDynamic: f.shared, 5: f.image.Target, 6: p.dev.Arch,
	}[q.word(2)]))
}

// threads is how many threads a block of f may have.
func (f *function) threads() int {
	if f.MaxThreads > 0 {
		return f.MaxThreads
	}
	return 1024
}

func (p *process) setFunctionAttribute(q request) answer {
	f, v := p.functions[q.word(1)], int64(q.word(3))
	switch {
	case f == nil:
		return code(errInvalidHandle)
	case q.word(2) != functionDynamic:
		return answer{} // carve-outs and the like: hints
	case v < 0 || v > int64(p.dev.SharedBytesPerBlock-f.SharedBytes):
		return code(errInvalidValue)
	}
	f.shared = int(v)
	return answer{}
}

func (p *process) occupancy(q request) answer {
	f := p.functions[q.word(1)]
	if f == nil {
		return code(errInvalidHandle)
	}
	return value(int32(p.dev.resident(int(q.word(2)), f.SharedBytes+int(q.word(3)), p.dev.BlocksPerSM)))
}

// launch is cuLaunchKernel.
func (p *process) launch(q request) answer {
	const params = 9
	f := p.functions[q.word(1)]
	if f == nil {
		return code(errInvalidHandle)
	}
	if len(q.words) != params+len(f.Params) {
		return code(errInvalidValue)
	}
	if q.word(2) < 1 || q.word(2) > 1<<31-1 || q.word(3) != 1 || q.word(4) != 1 || q.word(6) != 1 || q.word(7) != 1 {
		p.logf("%s: a grid of %v blocks of %v threads; only x is emulated", f.Name, q.words[2:5], q.words[5:8])
		return code(errInvalidValue)
	}
	l := cuda.Launch{Entry: f.Name, Grid: int(q.word(2)), Block: int(q.word(5)), Shared: int(q.word(8)), Params: q.words[params:]}
	switch {
	case l.Block < 1 || l.Shared > f.shared:
		return code(errInvalidValue)
	case l.Block > f.threads():
		return code(errResources)
	}
	return p.again(f.Name, made(f.Name, q.words...), func(flip bool) (*repeat, int) {
		t, _ := traitsOf(l)
		e, err := cuda.Find(f.Name, f.image.Target)
		if err != nil { // an entry that kernels/cuda does not have: what it touches is not known
			t = traits{linear: -1}
		}
		j := &job{runner: p.runner, ctx: p.ctx, space: p.space, function: f, entry: e, traits: t, launch: l, sms: p.dev.SMs, flip: flip}
		return &repeat{traits: t, tile: e, run: func() (Work, error) {
			n, err := j.run()
			return work(n), err
		}}, 0
	})
}

// repeat is a launch as it comes again and again: as long as nothing is written in between, its
// result is there already and its work is known.
type repeat struct {
	traits traits
	tile   cuda.Entry // how a product is cut up
	run    func() (Work, error)

	writes uint64 // of the memory, when it ran last
	ran    bool
	work   Work // but for memory
}

// mostRepeats is how many different launches of a process are kept in mind.
const mostRepeats = 1024

// again carries out a launch of the kernel, unless a fault of the scenario strikes it. describe is for the first
// launch of that key, or tells the code with which it is refused.
func (p *process) again(kernel string, key content, describe func(flip bool) (*repeat, int)) answer {
	flip := false
	if fault := p.dev.strike(kernel); fault != nil {
		switch fault.Kind {
		case faultBus:
			p.ended = true
			return answer{}
		case faultHang:
			p.hung = true
			return answer{}
		case faultError:
			p.sticky = fault.Code
			return answer{}
		case faultNothing:
			p.dev.launch(Work{})
			return answer{}
		case faultFlip:
			flip, key = true, made("flip", uint64(key))
		}
	}
	r := p.repeats[key]
	if r == nil {
		if len(p.repeats) >= mostRepeats {
			clear(p.repeats)
		}
		var refused int
		if r, refused = describe(flip); refused != 0 {
			return code(refused)
		}
		p.repeats[key] = r
	}
	if !r.ran || r.writes != p.space.writes || r.traits.operands == nil {
		w, err := r.run()
		if err != nil {
			p.logf("device %d: %v", p.dev.index, err)
			p.sticky = launchCode(err)
			return answer{}
		}
		r.ran, r.work, r.writes = true, w, p.space.writes
	}
	w := r.work
	w.MemoryBytes = w.L2Bytes
	if r.traits.operands != nil {
		w.MemoryBytes = p.dev.traffic(&p.l2, r.traits, r.tile)
	}
	p.dev.launch(w)
	return answer{}
}
