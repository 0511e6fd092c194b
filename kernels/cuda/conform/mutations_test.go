package conform

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/ptxvm"
)

var update = flag.Bool("update", false, "write the table of mutations to docs/gpu-conformance.md")

// mutation is a bug put into the PTX of one kernel: at is a regular expression, the place-th match
// of it (from the end if negative) becomes instead. Where place is everywhere, every match does.
type mutation struct {
	bug     string
	arch    int
	entry   string
	at      string
	place   int
	instead string
}

const everywhere = 1 << 30

// Parts of instructions as the compiler writes them.
const (
	barrier  = `bar\.sync\s+0;`
	quad     = `\{(%\w+), ?(%\w+), ?(%\w+), ?(%\w+)\}`
	pair     = `\{(%\w+), ?(%\w+)\}`
	tensor16 = `(mma\.sync\.aligned\.m16n8k\w+\.row\.col\.\S+) ` + quad + `, ` + quad + `, ` + pair + `, `
	volta    = `(mma\.sync\.aligned\.m8n8k4\.row\.row\.\S+ \{[^}]*\}), ` + pair + `, ` + pair + `, `
)

var mutations = []mutation{
	{bug: "the barrier of the loop is missing", arch: 80, entry: "gemm_fp16_fp32", at: barrier, place: -1},
	{bug: "the barrier before the loop is missing", arch: 80, entry: "gemm_tf32_fp32", at: barrier, place: 0},
	{bug: "the barrier of the loop is missing", arch: 75, entry: "gemm_fp16_fp16", at: barrier, place: -1},
	{bug: "the barrier of the loop is missing", arch: 50, entry: "gemm_fp32_fp32", at: barrier, place: -1},
	{bug: "cp.async waits for one group too few, in the loop", arch: 80, entry: "gemm_bf16_fp32", at: `cp\.async\.wait_group 1;`, place: -1, instead: "cp.async.wait_group 2;"},
	{bug: "cp.async waits for one group too few, before the loop", arch: 80, entry: "gemm_fp16_fp32_wide", at: `cp\.async\.wait_group (2);`, place: 0, instead: "cp.async.wait_group 3;"},
	{bug: "a group of copies is not committed", arch: 80, entry: "gemm_int8_int32", at: `cp\.async\.commit_group;`, place: 0},
	{bug: "fragments are read one stage on", arch: 80, entry: "gemm_fp16_fp16", at: `(ldmatrix\.sync\S+) (\{[^}]*\}), \[(%r\d+)\];`, place: -1, instead: "$1 $2, [$3+16384];"},
	{bug: "two registers of A's fragment are swapped", arch: 80, entry: "gemm_tf32_fp32", at: tensor16, place: 5, instead: "$1 {$2, $3, $4, $5}, {$6, $8, $7, $9}, {$10, $11}, "},
	{bug: "the registers of B's fragment are swapped", arch: 80, entry: "gemm_bf16_fp32", at: tensor16, place: -1, instead: "$1 {$2, $3, $4, $5}, {$6, $7, $8, $9}, {$11, $10}, "},
	{bug: "two accumulators are swapped", arch: 80, entry: "gemm_fp16_fp32_any", at: tensor16, place: 0, instead: "$1 {$4, $3, $2, $5}, {$6, $7, $8, $9}, {$10, $11}, "},
	{bug: "the registers of A's fragment are swapped", arch: 70, entry: "gemm_fp16_fp32", at: volta, place: 3, instead: "$1, {$3, $2}, {$4, $5}, "},
	{bug: "accumulators are swapped", arch: 75, entry: "gemm_int8_int32", at: `(mma\.sync\.aligned\.m8n8k16\S+) ` + pair, place: 7, instead: "$1 {$3, $2}"},
	{bug: "ldmatrix does not transpose", arch: 80, entry: "gemm_fp16_fp32", at: `\.x4\.trans`, place: 1, instead: ".x4"},
	{bug: "the swizzle is off by one chunk", arch: 80, entry: "gemm_fp16_fp32", at: `(xor\.b32\s+%r\d+, %r\d+), 64;`, place: 0, instead: "$1, 80;"},
	{bug: "the stride between fragments in shared memory is wrong", arch: 80, entry: "gemm_int8_int32_any", at: `(add\.s32\s+%r\d+, %r\d+), 2048;`, place: -1, instead: "$1, 2064;"},
	{bug: "the stride of A's transposed tile is wrong", arch: 50, entry: "gemm_fp32_fp32", at: `\+1056\], %f`, place: 0, instead: "+1060], %f"},
	{bug: "copies at the edge are not filled up with zeros", arch: 80, entry: "gemm_fp16_fp32", at: `selp\.b32\s+(%r\d+), 16, 0, %p\d+;`, place: 1, instead: "mov.b32 $1, 16;"},
	{bug: "loads beyond the edge are not masked", arch: 50, entry: "gemm_fp32_fp32_any", at: `@%p\d+ bra\s+\$L__BB\d+_\d+;`, place: 1},
	{bug: "stores beyond the last row are not masked", arch: 80, entry: "gemm_bf16_fp32", at: `setp\.ge\.u64\s+(%p\d+), (%rd\d+), %rd\d+;`, place: 0, instead: "setp.ne.u64 $1, $2, $2;"},
	{bug: "the last, partial step of k is left out", arch: 80, entry: "gemm_fp16_fp32_any", at: `(add\.s64\s+%rd\d+, %rd\d+), 31;`, place: -1, instead: "$1, 0;"},
	{bug: "the last group of tiles is as high as the others", arch: 80, entry: "gemm_tf32_fp32_any", at: `min\.u32\s+(%r\d+), %r\d+, (%r\d+);`, place: 0, instead: "mov.u32 $1, $2;"},
	{bug: "C is truncated, not rounded", arch: 80, entry: "gemm_fp16_fp32", at: `cvt\.rn\.f16x2\.f32`, place: everywhere, instead: "cvt.rz.f16x2.f32"},
	{bug: "the scale of exp's argument is off by 2 ulp", arch: 80, entry: "sigmoid_fp32", at: `0fBFB8AA3B`, place: everywhere, instead: "0fBFB8AA3D"},
	{bug: "NaN becomes 0", arch: 80, entry: "relu_fp16", at: `setp\.le\.f32`, place: -1, instead: "setp.leu.f32"},
	{bug: "the tail uses another constant than vectors", arch: 80, entry: "silu_fp32", at: `0fBFB8AA3B`, place: 0, instead: "0fBFB8AA3C"},
	{bug: "the tail rounds in another order", arch: 80, entry: "sigmoid_fp32", at: `0fB2A57060`, place: 0, instead: "0fB2957060"},
	{bug: "the loop over the tail does not end with it", arch: 80, entry: "tanh_bf16", at: `setp\.lt\.u64\s+(%p\d+), (%rd\d+), %rd\d+;`, place: -1, instead: "setp.eq.u64 $1, $2, $2;"},
	{bug: "product and sum are rounded apart", arch: 80, entry: "triad_fp64", at: `fma\.rn\.f64\s+(%fd\d+), (%fd\d+), (%fd\d+), (%fd\d+);`, place: -1, instead: "mul.rn.f64 $1, $2, $3;\n\tadd.rn.f64 $1, $1, $4;"},
	{bug: "one step of the sum over a warp is skipped", arch: 80, entry: "read_fp64", at: `shfl\.sync\.(\w+)\.b32\s+(%r\d+)\|(%p\d+), (%r\d+), (%r\d+),`, place: 0, instead: "shfl.sync.$1.b32 $2|$3, $4, 0,"},
	{bug: "the weights are those of another generator", arch: 80, entry: "fold_bits_2", at: `-4658895280553007687`, place: 1, instead: "-4658895280553007689"},
	{bug: "halves are rounded up", arch: 80, entry: "fold_int_fp32", at: `cvt\.rni\.s64\.f32`, place: 0, instead: "cvt.rpi.s64.f32"},
	{bug: "one bit less of the random number is used", arch: 80, entry: "fill_4", at: `(shr\.u64\s+%rd\d+, %rd\d+), 46;`, place: -1, instead: "$1, 47;"},
	{bug: "one multiply-add is left out", arch: 80, entry: "fma_fp32", at: `fma\.rn\.f32\s+(%f\d+), (%f\d+), (%f\d+), (%f\d+);`, place: 17, instead: "mov.f32 $1, $2;"},
	{bug: "fp16 sums outgrow what fp16 counts", arch: 80, entry: "fma_fp16", at: `(min\.u64\s+%rd\d+, %rd\d+), 128;`, place: 0, instead: "$1, 256;"},
	{bug: "one matrix instruction is left out", arch: 80, entry: "mma_fp16_fp32", at: `mma\.sync[^;]*;`, place: 1},
	{bug: "fp16 sums outgrow what fp16 counts", arch: 70, entry: "mma_fp16_fp16", at: `(min\.u64\s+%rd\d+, %rd\d+), (\d+);`, place: 0, instead: "$1, 9$2;"},
}

// apply returns the module with the bug, and of other entry points only what the kernel needs.
func (m mutation) apply(ptx string) (string, error) {
	module, body, err := cut(ptx, m.entry)
	if err != nil {
		return "", err
	}
	re := regexp.MustCompile(m.at)
	matches := re.FindAllStringSubmatchIndex(body, -1)
	first, last := m.place, m.place+1
	switch {
	case m.place == everywhere:
		first, last = 0, len(matches)
	case m.place < 0:
		first, last = len(matches)+m.place, len(matches)+m.place+1
	}
	if first < 0 || last > len(matches) || first == last {
		return "", fmt.Errorf("%d matches of %s in %s; want number %d", len(matches), m.at, m.entry, m.place)
	}
	instead := strings.NewReplacer("$10", "${10}", "$11", "${11}").Replace(m.instead)
	changed, end := "", 0
	for _, at := range matches[first:last] {
		changed += body[end:at[0]] + string(re.ExpandString(nil, instead, body, at))
		end = at[1]
	}
	changed += body[end:]
	if changed == body {
		return "", fmt.Errorf("the mutation changes nothing")
	}
	return module + changed, nil
}

// cut splits PTX into what is outside of any entry point, and the named entry point.
func cut(ptx, entry string) (outside, body string, err error) {
	parts := regexp.MustCompile(`(?ms)^\.visible \.entry (\w+)\(.*?^\}$`).FindAllStringSubmatchIndex(ptx, -1)
	end := 0
	for _, p := range parts {
		outside += ptx[end:p[0]]
		end = p[1]
		if ptx[p[2]:p[3]] == entry {
			body = ptx[p[0]:p[1]]
		}
	}
	outside += strings.TrimRight(ptx[end:], "\x00")
	if body == "" {
		return "", "", fmt.Errorf("no entry point %s", entry)
	}
	return outside + "\n", body, nil
}

// caught runs the suite on one kernel and says what turned red first; "" if nothing did.
func caught(t *testing.T, arch int, entry, ptx string) string {
	t.Helper()
	dev := interpreter(t, cuda.Image{Name: "mutant", Arch: arch, PTX: true, Data: []byte(ptx + "\x00")}, 1)
	outcomes, err := Check(dev, Options{Arch: arch, Thin: true, Nearest: true, First: true, Select: func(e cuda.Entry) bool { return e.Name == entry }})
	if len(outcomes) == 0 {
		t.Fatalf("nothing of %s was checked: %v", entry, err)
	}
	last := outcomes[len(outcomes)-1]
	if last.Err == nil {
		return ""
	}
	t.Logf("%s: %.300v", last.Check, last.Err)
	var fault *ptxvm.Fault
	if errors.As(last.Err, &fault) {
		return fmt.Sprintf("%s; the interpreter: %s", last.Check, fault.Kind)
	}
	return last.Check
}

// page is docs/gpu-conformance.md; the table between the marks is held to what the mutations do.
const (
	page  = "../../../docs/gpu-conformance.md"
	start = "<!-- mutations -->\n"
	stop  = "<!-- end -->\n"
)

func TestEveryMutationIsCaught(t *testing.T) {
	todo := mutations
	if testing.Short() {
		todo = todo[:3]
	}
	images := map[int]string{}
	table := "| bug | kernel | image | what caught it |\n|---|---|---|---|\n"
	for _, m := range todo {
		t.Run(fmt.Sprintf("%s/%d/%s", m.entry, m.arch, m.bug), func(t *testing.T) {
			if images[m.arch] == "" {
				image, err := cuda.PTX(m.arch)
				if err != nil {
					t.Fatal(err)
				}
				images[m.arch] = string(image.Data)
			}
			mutant, err := m.apply(images[m.arch])
			if err != nil {
				t.Fatal(err)
			}
			by := caught(t, m.arch, m.entry, mutant)
			if by == "" {
				t.Fatal("the suite passes")
			}
			table += fmt.Sprintf("| %s | %s | compute_%d | %s |\n", m.bug, m.entry, m.arch, by)
		})
	}
	if t.Failed() || len(todo) < len(mutations) {
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), start)
	old, after, ok2 := strings.Cut(rest, stop)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", page, start, stop)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+start+table+stop+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table {
		t.Errorf("%s is not what the mutations do; go test ./kernels/cuda/conform -run EveryMutation -update writes it", page)
	}
}
