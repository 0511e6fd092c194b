package influx

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"syscall"
	"unicode"
)

// Config says where points go.
type Config struct {
	URL    string // of the server, with its scheme: https://influx.example.org:8086
	Org    string // may be empty where the server knows none (1.8)
	Bucket string // database/retention-policy on 1.8
	Token  TokenSource
}

// TokenSource says where the token comes from: the file, else the value. The file is read
// at each try, so that a token can be renewed while realflops runs.
type TokenSource struct {
	File  string
	Value Secret // of INFLUX_TOKEN
}

// Secret is text that shows as *** wherever it is printed, logged or marshalled.
type Secret string

// String hides the secret from %s and %v.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the secret from JSON, TOML and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// CheckAddress says in one sentence what is wrong with c, but for its token, which may
// be mended while realflops runs and is looked at with each try. It asks no server.
func (c Config) CheckAddress() error {
	_, err := c.address()
	return err
}

// address is the base of the API's URL, with a slash at its end.
func (c Config) address() (string, error) {
	const form = "write it like https://influx.example.org:8086"
	shown, _, _ := strings.Cut(mask(c.URL), "?") // 1.x clients put the password into the query
	scheme, _, found := strings.Cut(c.URL, "://")
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return "", errors.New("the InfluxDB URL is empty: " + form)
	case strings.Contains(c.URL, "@"):
		return "", fmt.Errorf("the InfluxDB URL %s holds a user or password: leave it out and give the token by INFLUX_TOKEN or a token file", shown)
	case !found:
		return "", fmt.Errorf("the InfluxDB URL %q has no scheme: %s", shown, form)
	case scheme != "http" && scheme != "https":
		return "", fmt.Errorf("the InfluxDB URL %q has the scheme %q, not http or https: %s", shown, scheme, form)
	case err != nil || u.Hostname() == "":
		return "", fmt.Errorf("the InfluxDB URL %q names no valid host and port: %s", shown, form)
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("the InfluxDB URL %q holds more than an address after it: %s", shown, form)
	case c.Bucket == "":
		return "", errors.New("the InfluxDB bucket is empty: set INFLUX_BUCKET (database/retention-policy on InfluxDB 1.8)")
	}
	return strings.TrimRight(c.URL, "/") + "/", nil
}

// mask hides what stands before the last @ of a URL, by its text alone: what has a password in it often does not parse.
func mask(raw string) string {
	at := strings.LastIndex(raw, "@")
	if at < 0 {
		return raw
	}
	begin := 0
	if i := strings.Index(raw, "://"); i >= 0 && i < at {
		begin = i + len("://")
	}
	return raw[:begin] + "***" + raw[at:]
}

// read gets the token. Its errors tell the file, never what is in it.
func (t TokenSource) read() (string, error) {
	text, from := string(t.Value), "INFLUX_TOKEN"
	if t.File != "" {
		var err error
		if text, err = readTokenFile(t.File); err != nil {
			return "", err
		}
		from = "token file " + t.File
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "" && t.File == "":
		return "", errors.New("there is no InfluxDB token: set INFLUX_TOKEN or name a token file (a server without authentication takes any text)")
	case text == "":
		return "", fmt.Errorf("%s is empty: write the InfluxDB token into it", from)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r > unicode.MaxASCII }):
		return "", fmt.Errorf("%s holds more than one word: it should hold the InfluxDB token alone", from)
	}
	return text, nil
}

func readTokenFile(path string) (text string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hang a push
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("token file %s does not exist: write the InfluxDB token into it and chmod 600 it", path)
	}
	if err != nil {
		return "", fmt.Errorf("token file cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", fmt.Errorf("token file cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("token file %s is not a regular file: name one that holds the InfluxDB token", path)
	case info.Mode().Perm()&0o027 != 0: // the group may read: systemd hands credentials over as 0440
		return "", fmt.Errorf("token file %s can be read or changed by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return "", fmt.Errorf("token file cannot be read: %w", err)
	}
	return string(b), nil
}
