package worker

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documented is the protocol's page.
func documented(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/worker.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dialogue is what the page shows, in its order: each request with its replies.
func dialogue() []any {
	numbered := requests()
	for i := range numbered {
		numbered[i].Seq = i + 1
	}
	hello, open, prepare, sample, check, release, end := numbered[0], numbered[1], numbered[2], numbered[3], numbered[4], numbered[5], numbered[6]
	return []any{
		hello,
		Reply{Seq: 1, Type: Done, Hello: &welcome},
		open,
		Reply{Seq: 2, Type: Done, Open: &opened},
		prepare,
		Reply{Seq: 3, Type: Done, Prepare: &prepared},
		sample,
		Reply{Seq: 4, Type: Done, Sample: &sampled},
		check,
		Reply{Seq: 5, Type: Done, Checksum: prepared.Checksum},
		release,
		Reply{Seq: 6, Type: Done},
		end,
		Reply{Seq: 7, Type: Done},
		Reply{Seq: 4, Type: Heartbeat},
		Reply{Seq: 3, Type: Failed, Error: &noMemory},
	}
}

// TestThePageShowsEveryMessage as the Go types write it, but for white space.
func TestThePageShowsEveryMessage(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(documented(t), -1)
	want := dialogue()
	if len(blocks) != len(want) {
		t.Fatalf("%d messages on the page, want %d", len(blocks), len(want))
	}
	for i, block := range blocks {
		var got bytes.Buffer
		if err := json.Compact(&got, []byte(block[1])); err != nil {
			t.Errorf("message %d: %v", i, err)
		}
		if got.String() != line(t, want[i]) {
			t.Errorf("message %d is on the page\n%s\nthe types write\n%s", i, got.String(), line(t, want[i]))
		}
	}
}

// TestTheExamplesAreTaken: a worker takes each request of the page, and a client each reply to it.
func TestTheExamplesAreTaken(t *testing.T) {
	messages := dialogue()
	for i := 0; i < 14; i += 2 {
		req, bad := parseRequest([]byte(line(t, messages[i])))
		if bad != nil || !reflect.DeepEqual(req, messages[i]) {
			t.Errorf("%s: %v, %+v", line(t, messages[i]), bad, req)
		}
		if err := messages[i+1].(Reply).answers(req); err != nil {
			t.Errorf("%s: %v", line(t, messages[i+1]), err)
		}
	}
}

// rows are the names in the first column of the table under a heading of the page.
func rows(t *testing.T, page, heading string) []string {
	t.Helper()
	_, section, found := strings.Cut(page, "\n### "+heading+"\n")
	if !found {
		t.Errorf("the page has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\| .+ \\|$").FindAllStringSubmatch(section, -1) {
		names = append(names, row[1])
	}
	return names
}

// TestThePageNamesEveryField, in the order of the types, and every verb, type and kind of error.
func TestThePageNamesEveryField(t *testing.T) {
	page := documented(t)
	for heading, of := range map[string]any{
		"Request": Request{}, "open, the request": OpenRequest{}, "prepare, the request": PrepareRequest{}, "sample, the request": SampleRequest{},
		"Reply": Reply{}, "Error": Error{}, "hello, the reply": Welcome{}, "Device": Device{}, "open, the reply": Opened{}, "Offer": Offer{},
		"prepare, the reply": Prepared{}, "sample, the reply": Sampled{}, "One sample": Timed{}, "Telemetry": Telemetry{},
	} {
		var want []string
		for f := range reflect.TypeOf(of).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			want = append(want, name)
		}
		if got := rows(t, page, heading); !slices.Equal(got, want) {
			t.Errorf("%s: the page names %v, %T has %v", heading, got, of, want)
		}
	}
	for heading, want := range map[string][]string{
		"Verbs":            {string(Hello), string(Open), string(Prepare), string(Sample), string(Check), string(Release), string(Close)},
		"Types of replies": {string(Done), string(Failed), string(Heartbeat)},
		"Kinds of errors":  {string(BadRequest), string(Unsupported), string(NoMemory), string(Wrong), string(Broken)},
	} {
		if got := rows(t, page, heading); !slices.Equal(got, want) {
			t.Errorf("%s: the page names %v, want %v", heading, got, want)
		}
	}
}
