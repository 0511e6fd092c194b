package model

import (
	"strings"
	"testing"
	"time"
)

const llamaText = `{"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32,
"num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 11008, "max_position_embeddings": 4096, "hidden_act": "silu"}`

const gpt2Text = `{"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "activation_function": "gelu_new"}`

// Each entry changes one thing in a configuration that is right, or is a text by itself.
var badConfigs = []struct{ from, old, text, want string }{
	{"", "", "", "is empty: want a JSON object with a model_type"},
	{"", "", " \n\t", "is empty"},
	{"", "", "null", "model_type is missing"},
	{"", "", "[1, 2]", "not a JSON object: it is a JSON array"},
	{"", "", `"gpt2"`, "not a JSON object: it is a JSON string"},
	{"", "", "{}", "model_type is missing: want one of bert, gpt2, llama, mistral"},
	{"", "", `{"model_type": 3}`, "model_type is 3: want a text in quotes"},
	{"", "", `{"model_type": "bloom"}`, `architecture "bloom" is not known: model_type must be one of bert, gpt2, llama, mistral`},
	{"", "", "\x00\x01GGUF", "is not a JSON object: invalid character"},
	{llamaText, `4096, "num_h`, `"4096", "num_h`, `hidden_size is the text "4096": want a whole number of at least 1`},
	{llamaText, `4096, "num_h`, `null, "num_h`, "hidden_size is null: want a whole number"},
	{llamaText, `4096, "num_h`, `12.5, "num_h`, "hidden_size is 12.5"},
	{llamaText, `4096, "num_h`, `NaN, "num_h`, "invalid character 'N'"},
	{llamaText, `4096, "num_h`, `true, "num_h`, "hidden_size is true"},
	{llamaText, `4096, "num_h`, `[4096], "num_h`, "hidden_size is [4096]"},
	{llamaText, `4096, "num_h`, `-4096, "num_h`, "hidden_size is -4096: want a whole number of at least 1"},
	{llamaText, `4096, "num_h`, `0, "num_h`, "hidden_size is 0"},
	{llamaText, `4096, "num_h`, `1e300, "num_h`, "hidden_size is 1e300, which does not fit in 63 bits"},
	{llamaText, `4096, "num_h`, `9223372036854775808, "num_h`, "does not fit in 63 bits"},
	{llamaText, `"hidden_size": 4096,`, ``, "hidden_size is missing: want a whole number"},
	{llamaText, `"silu"`, `7`, "hidden_act is 7: want a text in quotes"},
	{llamaText, `"silu"`, `"gelo"`, `hidden_act: unknown activation "gelo": did you mean "gelu"?`},
	{llamaText, `"silu"`, `"adamw"`, `hidden_act: unknown activation "adamw"`},
	{llamaText, `"silu"`, `"silu", "tie_word_embeddings": 1`, "tie_word_embeddings is 1: want true or false"},
	{llamaText, `"silu"`, `"silu", "head_dim": 0`, "head_dim is 0"},
	{llamaText, `heads": 32`, `heads": 24`, "hidden_size 4096 is not divisible by num_attention_heads 24: 16 would divide it"},
	{llamaText, `heads": 8`, `heads": 5`, "num_attention_heads 32 is not divisible by num_key_value_heads 5: 4 would divide it"},
	{llamaText, `heads": 8`, `heads": 64`, "num_attention_heads 32 is not divisible by num_key_value_heads 64: 32 would divide it"},
	{llamaText, `layers": 32`, `layers": 1000000000000000000`, "num_hidden_layers 1000000000000000000: the count of parameters overflows 63 bits"},
	{llamaText, `intermediate_size": 11008`, `intermediate_size": 9223372036854775807`, "intermediate_size 9223372036854775807: the count"},
	{llamaText, `vocab_size": 32000`, `vocab_size": 2000000000000000`, "vocab_size 2000000000000000: the count"}, // each table fits, both do not
	{gpt2Text, `"n_embd": 768`, `"n_embd": 9223372036854775807, "n_inner": 1`, "n_embd 9223372036854775807 is not divisible by n_head 12: 7 would"},
	{gpt2Text, `"n_head": 12`, `"n_head": 7`, "n_embd 768 is not divisible by n_head 7: 6 would divide it"},
	{gpt2Text, `"n_layer": 12`, `"n_layer": {}`, "n_layer is {}"},
}

func TestBadConfigurationsGetOneSentence(t *testing.T) {
	for _, c := range badConfigs {
		text := c.text
		if c.from != "" {
			text = strings.Replace(c.from, c.old, c.text, 1)
			if text == c.from {
				t.Fatalf("%q does not occur", c.old)
			}
		}
		_, err := Parse("x", []byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", text, err, c.want)
		} else {
			oneSentence(t, err)
		}
	}
}

func TestTruncatedAnywhereIsRefused(t *testing.T) {
	for i := range len(llamaText) {
		_, err := Parse("x", []byte(llamaText[:i]))
		if err == nil {
			t.Fatalf("cut at byte %d it is still a model", i)
		}
		oneSentence(t, err)
	}
	if _, err := Parse("x", []byte(llamaText)); err != nil {
		t.Fatal(err)
	}
}

func TestActivationIsTheFamilysWhereTheFileNamesNone(t *testing.T) {
	for text, want := range map[string]string{
		strings.Replace(llamaText, `, "hidden_act": "silu"`, "", 1):                   "silu",
		strings.Replace(gpt2Text, `, "activation_function": "gelu_new"`, "", 1):       "gelu_new",
		strings.Replace(llamaText, `"hidden_act": "silu"`, `"hidden_act": "relu"`, 1): "relu",
	} {
		m, err := Parse("x", []byte(text))
		if err != nil || m.Architecture.Activation != want {
			t.Errorf("%s: %v, want activation %s", text, err, want)
		}
	}
}

func TestNumbersMayBeWrittenAsFloats(t *testing.T) {
	for _, text := range []string{"32.0", "3.2e1"} {
		m, err := Parse("x", []byte(strings.Replace(llamaText, `layers": 32`, `layers": `+text, 1)))
		if err != nil || m.Architecture.Layers != 32 {
			t.Errorf("num_hidden_layers %s: %v, %v", text, m, err)
		}
	}
}

func oneSentence(t *testing.T, err error) {
	t.Helper()
	if s := err.Error(); len(s) > 300 || strings.ContainsAny(s, "\n\r") || strings.HasSuffix(s, ".") {
		t.Errorf("not one sentence: %q", s)
	}
}

// Whatever a file holds: a model whose parts sum up and that can be counted, or one
// sentence; never a panic, a hang or more memory than its size explains.
func FuzzParse(f *testing.F) {
	f.Add([]byte(llamaText))
	f.Add([]byte(gpt2Text))
	f.Add([]byte(strings.Repeat(`{"a":`, 20000)))
	for _, name := range Presets() {
		if data, err := presetFiles.ReadFile("presets/" + name + ".json"); err == nil {
			f.Add(data)
		}
	}
	for _, c := range badConfigs {
		if c.from == "" {
			f.Add([]byte(c.text))
		} else {
			f.Add([]byte(strings.Replace(c.from, c.old, c.text, 1)))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("fuzz", data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 500 {
				t.Errorf("not one sentence: %q", err)
			}
			return
		}
		var sum int64
		for _, p := range m.Parts {
			if p.Params <= 0 {
				t.Errorf("%s has %d parameters", p.Name, p.Params)
			}
			sum += p.Params
		}
		if sum != m.Params {
			t.Errorf("parts sum to %d of %d", sum, m.Params)
		}
		for _, s := range []Setup{{Seq: 16}, {Task: Step, Seq: 1, Batch: 1 << 20}, {}} {
			d, err := m.Count(s)
			if err != nil {
				continue
			}
			for _, o := range d.Ops {
				if !(o.FLOP >= 0) || !(o.Bytes > 0) || o.Params < 0 || o.Kind.Product() && (o.M < 1 || o.N < 1 || o.K < 1 || o.Batch < 1) {
					t.Errorf("operation without sense: %+v", o)
				}
			}
		}
	})
}

func TestDeepAndWideFilesEndSoon(t *testing.T) {
	for name, text := range map[string]string{
		"deep": strings.Repeat(`{"a":`, 200_000),
		"wide": `{"model_type":"gpt2"` + strings.Repeat(`,"a":1`, 200_000) + "}",
		"long": `{"model_type":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		done := make(chan error, 1)
		go func() { _, err := Parse(name, []byte(text)); done <- err }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s is a model", name)
				continue
			}
			oneSentence(t, err)
		case <-time.After(time.Minute):
			t.Fatalf("%s hangs", name)
		}
	}
}
