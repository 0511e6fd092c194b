package ptxvm

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	m, err := Parse("//\n// Made by hand\n/* over\n lines */ .version 8.8\n.target sm_90a, debug\n.address_size 64\n" +
		".visible .entry first(\n\t.param .u64 .ptr .global .align 16 first_param_0,\n\t.param .u32 first_param_1,\n\t.param .align 8 .b8 first_param_2[24]\n)\n.maxntid 16, 16, 1\n.minnctapersm 2\n{\n" +
		"\t.reg .b32 \t%r<3>;\n\t.loc\t1 20 5\n\t.pragma \"nounroll\";\n$L__BB0_1:\n\tret;\n}\n.entry second { }\n\x00 this is not read")
	if err != nil {
		t.Fatal(err)
	}
	if m.Version != "8.8" || m.Target != 90 || len(m.Functions) != 2 {
		t.Errorf("version %q, target %d, %d functions", m.Version, m.Target, len(m.Functions))
	}
	f := m.Functions["first"]
	want := []Param{{"first_param_0", 0, 8}, {"first_param_1", 8, 4}, {"first_param_2", 16, 24}}
	if f.ParamBytes != 40 || f.MaxThreads != 256 || len(f.Params) != 3 {
		t.Fatalf("%+v", f)
	}
	for i, p := range f.Params {
		if p != want[i] {
			t.Errorf("parameter %d is %+v, want %+v", i, p, want[i])
		}
	}
	if _, err := f.PackParams([]uint64{1, 2, 3}); err == nil || !strings.Contains(err.Error(), "first_param_1 of first has 4 bytes, not 8") {
		t.Errorf("got %v", err)
	}
}

// TestParseErrors checks that each fault of a text is named, with its line.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ statement, want string }{
		{"frobnicate.u32 %r1, %r2;", "line 10: frobnicate.u32: an instruction that is not run here"},
		{"add.f32.magic %f1, %f1, %f1;", "line 10: add.f32.magic: modifier .magic"},
		{"add.u32 %r1, %r2;", "2 operands, where there should be 3"},
		{"add.u32 %r1, %r2, %r3, %r4;", "4 operands, where there should be 3"},
		{"add.u32 %x1, %r2, %r3;", "register %x1 of 64 bits, where the result has 32"},
		{"add.u32 %r1, %x2, %r3;", "register %x2 of 64 bits, where 32 are read"},
		{"add.u32 %r1, %r2, %r99;", "line 10: register %r99 is not declared"},
		{"add.u32 3, %r2, %r3;", "a result that goes to no register"},
		{"add.f32 %f1, %f2, 3;", "a number that is no value of type .f32"},
		{"add.u32 %r1, %r2, {%r3, %r4};", "an operand that is no value of type .u32"},
		{"add.b32 %r1, %r2, %r3;", "type .b32"},
		{"bra NOWHERE;", `label "NOWHERE", which is not there`},
		{"A: A: ret;", "line 10: label A a second time"},
		{"@%r1 bra A; A:", "a guard that is no predicate"},
		{"ld.global.v4.u32 {%r1, %r2}, [%x1];", "a vector of 2, where 4 should stand"},
		{"ld.global.v4.u64 {%x1, %x2, %x3, %x4}, [%x1];", "a vector of 4"},
		{"ld.shared.u32 %r1, [p0];", "a parameter where the state space is another"},
		{"ld.param.u64 %x1, [p0+8];", "an address outside the parameters"},
		{"st.param.u64 [p0], %x1;", "a form that is not run here"},
		{"st.global.v2.u32 [%x1], {_, %r1};", "\"_\" where a value should stand"},
		{"call foo;", "an instruction that is not run here"},
		{"lop3.b32 %r1, %r1, %r1, %r1, 256;", "a table that is no number of 8 bits"},
		{"mma.sync.aligned.m16n8k16.row.row.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f1, %f2, %f3, %f4};", "a form that is not run here"},
		{"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3}, {%r5, %r6}, {%f1, %f2, %f3, %f4};", "a fragment of 3 registers, where 4 should stand"},
		{"cp.async.cg.shared.global [%r1], [%x1], 8;", "a copy that is not of 4, 8 or 16 bytes"},
		{"cvt.f32.s32 %f1, %r1;", "modifier"},
		{"mov.u32 %r1, 0x1FG;", `number "0x1FG", which is none of PTX`},
		{"mov.u32 %r1, #;", `line 10: character '#'`},
		{".reg .b8 %b1;", "registers of type"},
		{".shared .b8 s[99999999];", "a size \"99999999\", not within"},
		{".magic 3;", `directive ".magic"`},
		{"mov.u32 %r1, %clock;", "register %clock is not declared"},
		{"mov.u32 %r1, 5", "where \",\" or \";\" should stand"},
	} {
		_, err := Parse(entry(1, c.statement))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.statement, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"":                                     "no .version and .target",
		".version 7.0\n.target gfx90a":         `line 2: target "gfx90a", not of the form sm_80`,
		header + ".func f { }":                 `line 4: directive ".func"`,
		header + ".entry f { ret;":             "the end of the text",
		header + ".entry f { } .entry f { }":   `entry point "f" a second time`,
		header + "/* ":                         "line 4: a comment that does not end",
		header + ".global .u32 x = {1, 2};":    "more values than the variable has room for",
		header + ".extern .global .u32 x;":     "only dynamic shared memory",
		strings.Replace(header, "64", "32", 1): "address size",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestParseBounds gives texts that would take memory or time without end.
func TestParseBounds(t *testing.T) {
	many := strings.Repeat("ret;", maxStatements+1)
	for text, want := range map[string]string{
		header + strings.Repeat(".loc 1 2 3\n", 1<<20):                        "",
		strings.Repeat(" ", maxText+1):                                        "at most 16777216 are taken",
		header + ".entry f {" + many + "}":                                    "more than 262144 instructions",
		header + ".entry f { .reg .b32 %r<16000000>; mov.u32 %r15999999, 0;}": "",
		header + ".entry f { .local .b8 a[65537]; }":                          "more than 65536 bytes of local memory",
		header + ".entry f {" + strings.Repeat("{", 100000):                   "the end of the text",
		header + ".global .u32 x = " + strings.Repeat("{", 100000):            "the end of the text",
	} {
		_, err := Parse(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s...: got %v, want %q", text, err, want)
		}
	}
}

// FuzzParse parses anything, and runs what parses. Neither may panic, whatever the text; a run may fault.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ptx")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, statements := range []string{
		"fma.rn.f32 %f1, 0f3F800000, 0f3F800000, 0f00000000;",
		sharedWord + "st.shared.u32 [%r8], %t; bar.sync 0; ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r1}, [%r9];",
		copied + "cp.async.commit_group; cp.async.wait_group 0;",
		"setp.lt.and.u32 %p1|%p2, %t, 5, !%p3; @%p1 bra A; shfl.sync.bfly.b32 %r1|%p3, %t, 1, 31, -1; A: vote.sync.ballot.b32 %r2, %p1, -1;",
		"ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%in]; atom.global.cas.b64 %x1, [%out], %x2, 5; red.global.add.f32 [%out+8], %f1;",
		"mov.b64 {%r1, %r2}, %x1; cvt.rn.f16x2.f32 %r1, %f1, %f2; cvt.rni.s64.f32 %x1, %f1; prmt.b32 %r1, %r1, %r2, 0x5410; bfe.s32 %r1, %r2, %r3, 5;",
		"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, {%f1, %f2, %f3, %f4};",
		"div.s32 %r1, %r2, %r3; rem.u64 %x1, %x2, 0; shf.l.wrap.b32 %r1, %r1, %r2, %r3; match.any.sync.b32 %r1, %t, -1; redux.sync.add.s32 %r2, %t, -1;",
	} {
		f.Add(entry(2, statements))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		mem := NewMemory(1 << 16)
		p, err := mem.Alloc(4096)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range m.Functions {
			if function.localBytes > 4096 || function.sharedTop > 1<<16 {
				continue // lawful, and slow
			}
			params := make([]byte, function.ParamBytes)
			for i := 0; i+8 <= len(params); i += 8 {
				put(params[i:], 8, p)
			}
			l := Launch{Function: function, Grid: 2, Block: 64, Shared: 256, Params: params, Budget: 500}
			_, err := Run(context.Background(), mem, l)
			if f, ok := err.(*Fault); ok && (f.Kind == "" || f.Text == "") {
				t.Errorf("a fault that says nothing: %+v", f)
			}
		}
	})
}

func TestLiterals(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "017": 15, "0x1F": 31, "12U": 12, "0f3F800000": 0x3f800000, "0d3FF0000000000000": 0x3ff0000000000000,
		"2.5": math.Float64bits(2.5), "18446744073709551615": math.MaxUint64,
	} {
		if got, _, ok := literal(text); !ok || got != want {
			t.Errorf("%s: got %x, %v; want %x", text, got, ok, want)
		}
	}
	for _, text := range []string{"0f3F80", "0x", "1_000", "18446744073709551616", "0d3F", "1.2.3"} {
		if got, _, ok := literal(text); ok {
			t.Errorf("%s: got %x, want none", text, got)
		}
	}
}
