package influx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realflops/realflops/agent/influx"
)

// closed is an address where nothing listens, so that a config without fault ends with a refused connection.
const closed = "http://127.0.0.1:1"

// fault is what is wrong with cfg: its address, else (at the closed address alone) its token.
func fault(t *testing.T, cfg influx.Config) error {
	t.Helper()
	addressErr := cfg.CheckAddress()
	if addressErr == nil && cfg.URL != closed {
		return nil
	}
	box := newBox(t)
	box.add(t, fullResult(0), "l0")
	report, err := influx.Drain(t.Context(), cfg, box, impatient)
	if fmt.Sprint(err) != fmt.Sprint(addressErr) {
		t.Errorf("CheckAddress says %v, Drain %v", addressErr, err)
	}
	if err != nil {
		return err
	}
	if strings.Contains(report.LastError.Error(), "connection refused") {
		return nil
	}
	return report.LastError
}

func TestAFaultyConfigIsToldInOneSentence(t *testing.T) {
	good := influx.Config{URL: closed, Org: "o", Bucket: "b", Token: influx.TokenSource{Value: secret}}
	url := func(u string) influx.Config { c := good; c.URL = u; return c }
	for _, c := range []struct {
		cfg  influx.Config
		says string // "" for no error
	}{
		{good, ""},
		{url("https://influx.example.org/prefix/"), ""},
		{url("http://[::1]:8086"), ""},
		{url(""), "the InfluxDB URL is empty: write it like https://"},
		{url("localhost:8086"), `the InfluxDB URL "localhost:8086" has no scheme: write it like https://`},
		{url("influx.example.org"), "has no scheme"},
		{url("//influx.example.org"), "has no scheme"},
		{url("ftp://influx.example.org"), `has the scheme "ftp", not http or https`},
		{url("http://"), "names no valid host"},
		{url("http://:8086"), "names no valid host"},
		{url("http://h:80a"), "names no valid host and port"},
		{url("http://h\n"), "names no valid host"},
		{url("http://h/?u=admin&p=hunter2"), "holds more than an address"},
		{url("http://h:x/?u=admin&p=hunter2"), "names no valid host"},
		{url("http://h/#x"), "holds more than an address"},
		{url("http://admin:hunter2@h:8086"), "http://***@h:8086 holds a user or password: leave it out and give the token by INFLUX_TOKEN"},
		{url("http://admin:hunt@er2/hunter2@h"), "http://***@h holds a user or password"},
		{url("admin:hunter2@h:8086"), "***@h:8086 holds a user or password"},
		{url("http://hunter2@h"), "holds a user or password"},
		{influx.Config{URL: good.URL, Token: good.Token}, "the InfluxDB bucket is empty: set INFLUX_BUCKET"},
		{influx.Config{URL: good.URL, Bucket: "b"}, "there is no InfluxDB token: set INFLUX_TOKEN or name a token file"},
		{influx.Config{URL: good.URL, Bucket: "b", Token: influx.TokenSource{Value: " \n"}}, "there is no InfluxDB token"},
		{influx.Config{URL: good.URL, Bucket: "b", Token: influx.TokenSource{Value: "hunter2\nX: y"}}, "INFLUX_TOKEN holds more than one word"},
	} {
		err := fault(t, c.cfg)
		if c.says == "" {
			if err != nil {
				t.Errorf("%q: %v", c.cfg.URL, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", c.cfg.URL, err, c.says)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q shows the password: %v", c.cfg.URL, err)
		}
	}
}

func TestATokenFileIsRefusedInOneSentence(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chmod(path, mode))
		return path
	}
	for _, c := range []struct{ path, says string }{
		{file("good", secret+"\n", 0o600), ""},
		{file("read-only", secret, 0o400), ""},
		{file("world", secret, 0o604), "can be read or changed by others (mode 0604): chmod 600 it"},
		{file("group", secret, 0o640), ""},
		{file("credential of systemd", secret, 0o440), ""},
		{file("all", secret, 0o644), "mode 0644"},
		{file("group changes", secret, 0o620), "mode 0620"},
		{file("group shares", secret, 0o660), "mode 0660"},
		{file("empty", " \n\n", 0o600), "is empty: write the InfluxDB token into it"},
		{file("lines", secret+"\n"+secret, 0o600), "holds more than one word"},
		{filepath.Join(dir, "missing"), "does not exist: write the InfluxDB token into it"},
		{dir, "is not a regular file"},
		{filepath.Join(dir, "good", "below"), "cannot be read"},
	} {
		cfg := influx.Config{URL: closed, Bucket: "b", Token: influx.TokenSource{File: c.path, Value: "unused"}}
		err := fault(t, cfg)
		if (err == nil) != (c.says == "") {
			t.Errorf("%s: %v, want %q", c.path, err, c.says)
		}
		if err == nil {
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.says) || !strings.Contains(text, c.path) || strings.Contains(text, secret) || strings.Contains(text, "\n") {
			t.Errorf("%s: %v, want %q", c.path, err, c.says)
		}
	}
}
