package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"github.com/realflops/realflops/kernels"
)

// settings is what a user may fix for good: the TOML file holds this very form. Each
// value is taken from the flag, else the environment, else the file, else the default.
type settings struct {
	StateDir string         `toml:"state_dir"`
	Suite    string         `toml:"suite"`
	Influx   influxSettings `toml:"influx"`
}

// influxSettings say where results are pushed; InfluxDB is used when Host is set. A token
// comes from the environment or a file, never from a flag or this file.
type influxSettings struct {
	Host      string `toml:"host"` // URL: http://influx.example:8086
	Org       string `toml:"org"`
	Bucket    string `toml:"bucket"`
	TokenFile string `toml:"token_file"`
	Patience  string `toml:"patience"` // how long run and push keep trying: "30s"
}

// environment lists the variable of each setting.
func (s *settings) environment() []struct {
	name  string
	value *string
} {
	return []struct {
		name  string
		value *string
	}{
		{"REALFLOPS_STATE_DIR", &s.StateDir},
		{"REALFLOPS_SUITE", &s.Suite},
		{"INFLUX_HOST", &s.Influx.Host},
		{"INFLUX_ORG", &s.Influx.Org},
		{"INFLUX_BUCKET", &s.Influx.Bucket},
		{"REALFLOPS_INFLUX_TOKEN_FILE", &s.Influx.TokenFile},
		{"REALFLOPS_INFLUX_PATIENCE", &s.Influx.Patience},
	}
}

func (a *app) loadSettings(flags *pflag.FlagSet) (settings, error) {
	s := settings{Suite: "quick", Influx: influxSettings{Patience: "30s"}}
	if err := a.readFile(&s); err != nil {
		return s, err
	}
	for _, e := range s.environment() {
		if v := a.getenv(e.name); v != "" {
			*e.value = v
		}
	}
	for name, value := range map[string]*string{"state-dir": &s.StateDir, "suite": &s.Suite} {
		if f := flags.Lookup(name); f != nil && f.Changed {
			*value = f.Value.String()
		}
	}
	// A token of the environment beats a file that the settings file names.
	if a.getenv("INFLUX_TOKEN") != "" && a.getenv("REALFLOPS_INFLUX_TOKEN_FILE") == "" {
		s.Influx.TokenFile = ""
	}
	return s, nil
}

// maxSettings bounds what is read of a settings file.
const maxSettings = 1 << 20

// readFile reads the TOML file. One that was named must exist; the default one may be absent.
func (a *app) readFile(s *settings) error {
	path, named := a.configPath, true
	if path == "" {
		path = a.getenv("REALFLOPS_CONFIG")
	}
	if path == "" {
		dir := a.getenv("XDG_CONFIG_HOME")
		if home := a.getenv("HOME"); dir == "" && home != "" {
			dir = filepath.Join(home, ".config")
		}
		if !filepath.IsAbs(dir) { // none, or one that the XDG specification says to ignore
			return nil
		}
		path, named = filepath.Join(dir, "realflops", "config.toml"), false
	}
	text, err := readRegular(path, maxSettings)
	if !named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return nil
	}
	if err != nil {
		return usage("settings: %w", err)
	}
	dec := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return usage("%s: %s", path, tomlSentence(err))
	}
	return nil
}

// tomlSentence says in one line what is wrong with a TOML file and where.
func tomlSentence(err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		first := strict.Errors[0]
		row, _ := first.Position()
		key := strings.Join(first.Key(), ".")
		known := []string{"state_dir", "suite", "influx.host", "influx.org", "influx.bucket", "influx.token_file", "influx.patience"}
		return fmt.Sprintf("line %d: %s", row, kernels.Unknown("key", key, known))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, _ := decode.Position()
		return fmt.Sprintf("line %d: %s", row, strings.TrimPrefix(decode.Error(), "toml: "))
	}
	return err.Error()
}

// stateDir is the folder that runs are kept in. Verbs that keep nothing do not ask for it.
func (a *app) stateDir() (string, error) {
	if a.settings.StateDir != "" {
		return a.settings.StateDir, nil
	}
	if dir := a.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "realflops"), nil
	}
	home := a.getenv("HOME")
	if home == "" {
		return "", usage("no folder to keep results in: set HOME, XDG_STATE_HOME or --state-dir")
	}
	return filepath.Join(home, ".local", "state", "realflops"), nil
}
