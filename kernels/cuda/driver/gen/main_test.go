package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	types     = "scalar\tCUdevice\tint\nconstant\tCU_FREE\t7\nenum\tCUresult\t4 bytes\nconstant\tCUDA_SUCCESS\t0\nstruct\tCUpair\tint a; int b;\n"
	functions = "# comment\ncuInit\tcuInit\trequired\tcu\t(unsigned int Flags)\ncuFoo\tcuFoo_v2\toptional\trealflops\t(void **p, const char *name)\ncuBar\tcuBar\tlinked\tcu\t(void)\n"
)

// generate runs the generator on the two tables.
func generate(t *testing.T, types, functions string) (header, stub string, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"types.tsv": types, "functions.tsv": functions, "include/cuda.h": "", "stub/functions.c": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(dir); err != nil {
		return "", "", err
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	return read("include/cuda.h"), read("stub/functions.c"), nil
}

func TestTablesBecomeHeaderAndForwarders(t *testing.T) {
	header, stub, err := generate(t, types, functions)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"typedef int CUdevice;\n#define CU_FREE 7\ntypedef enum {\n\tCUDA_SUCCESS = 0,\n} CUresult;\ntypedef struct {\n\tint a;\n\tint b;\n} CUpair;\n",
		"CUresult cuFoo(void **p, const char *name);\n",
	} {
		if !strings.Contains(header, want) {
			t.Errorf("no %q in\n%s", want, header)
		}
	}
	for _, want := range []string{"{\"cuFoo_v2\", RF_OPTIONAL, NULL}", "entry(p, name)", "entry()", "RF_cuInit,"} {
		if !strings.Contains(stub, want) {
			t.Errorf("no %q in\n%s", want, stub)
		}
	}
	if strings.Contains(stub, "CUresult cuInit(") {
		t.Error("cuInit is defined, which stub/open.c does")
	}
}

func TestBadTablesAreRefusedByName(t *testing.T) {
	for _, c := range []struct{ types, functions, want string }{
		{types, functions + "cuBar\tcuBar\tlinked\tcu\t(void)\n", "cuBar: listed twice"},
		{types, "cuBar\tcuBar\tneeded\tcu\t(void)\n", `cuBar: need is "needed"`},
		{types, "cuBar\tcuBar\tlinked\tus\t(void)\n", `cuBar: user is "us"`},
		{types, "cuBar\tcuBar\tlinked\tcu\tvoid\n", "cuBar: signature"},
		{types, "cuBar\tcuBar\n", "functions.tsv:1: 2 columns"},
		{"union\tCUx\tint a;\n", functions, `CUx: kind "union"`},
	} {
		if _, _, err := generate(t, c.types, c.functions); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func TestArgumentNames(t *testing.T) {
	for signature, want := range map[string][]string{
		"(void)": nil,
		"(CUfunction f, unsigned int x, void **p, const char *name)": {"f", "x", "p", "name"},
	} {
		if got := argumentNames(signature); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", signature, got, want)
		}
	}
}
