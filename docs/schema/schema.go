// Package schema holds the JSON Schemas (draft 2020-12) of the documents that realflops
// prints, and holds documents against them. They are the contract with programs that
// read these documents: it is added to, never changed silently. Tests use this package; the
// program does not import it.
package schema

import (
	"bytes"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed *.schema.json
var files embed.FS

// base is where the schemas' $id places them.
const base = "https://github.com/realflops/realflops/docs/schema/"

// Validate holds doc against the schema of that name: realflops-1, realflops-host-1 (what
// `realflops detect` prints), realflops-profile-1, realflops-model-1, realflops-estimate-1.
// The error tells every place that does not fit.
func Validate(name string, doc []byte) error {
	all, err := schemas()
	if err != nil {
		return err
	}
	s, ok := all[name]
	if !ok {
		return fmt.Errorf("no schema %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return fmt.Errorf("not one JSON document: %w", err)
	}
	return s.Validate(value)
}

// schemas compiles every schema of this package, once. They refer to each other alone;
// nothing is fetched.
var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{})
	c.AssertFormat()
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if err := c.AddResource(base+e.Name(), value); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	all := map[string]*jsonschema.Schema{}
	for _, e := range entries {
		if all[strings.TrimSuffix(e.Name(), ".schema.json")], err = c.Compile(base + e.Name()); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return all, nil
})
