package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/realflops/realflops/kernels"
)

// app is what every verb shares: the streams, the settings, and the flags of the root.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string

	json       bool
	configPath string
	verbose    bool
	settings   settings // filled before any verb runs
}

const rootHelp = `realflops measures the FLOPS that this machine really sustains, calibrates, and
estimates from it what AI models cost here. It keeps every result and pushes it to InfluxDB.

Exit codes: 0 fine; 1 failed; 2 usage; 3 a device is below its baseline or faulty;
4 nothing was measured; 75 measured and stored, but not delivered; 130 interrupted.

Settings come from flags, then the environment (REALFLOPS_*, INFLUX_HOST, INFLUX_ORG,
INFLUX_BUCKET, INFLUX_TOKEN), then the TOML file (--config).`

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "realflops",
		Short:         "Measure the FLOPS that a machine really sustains, and tell what they are good for",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return kernels.Unknown("verb", args[0], verbNames(cmd))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			a.settings, err = a.loadSettings(cmd.Flags())
			return err
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print one JSON document on stdout")
	f.StringVar(&a.configPath, "config", "", "TOML file of settings (default $XDG_CONFIG_HOME/realflops/config.toml)")
	f.String("state-dir", "", "folder that keeps runs and the outbox (default $XDG_STATE_HOME/realflops)")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "log what is being done to stderr")
	root.AddCommand(
		a.runCommand(), a.detectCommand(), a.benchCommand(), a.modelCommand(), a.estimateCommand(),
		a.compareCommand(), a.historyCommand(), a.pushCommand(), a.doctorCommand(), a.versionCommand(), a.emulatorCommand(),
	)
	return root
}

func verbNames(root *cobra.Command) []string {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// flagError turns what pflag says of a flag into one sentence with the nearest real flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return kernels.Unknown("flag", "--"+unknown.GetSpecifiedName(), names)
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		kinds := map[string]string{"int": "a whole number that fits in 63 bits", "float64": "a number", "bool": "true or false", "duration": "a time such as 30s"}
		if want, ok := kinds[invalid.GetFlag().Value.Type()]; ok {
			return usage("--%s %q: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
		}
	}
	return usage("%w", err)
}

// noArgs and exactArgs are cobra's, with our exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func exactArgs(n int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("%s takes %s, got %s", cmd.CommandPath(), want, plural(len(args), "argument"))
		}
		return nil
	}
}

func (a *app) printJSON(v any) error { return encode(a.stdout, v) }

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (a *app) log() *slog.Logger {
	level := slog.LevelWarn
	if a.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (a *app) paint(w io.Writer) palette {
	return palette{on: a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && isTerminal(w)}
}

func (a *app) outPaint() palette { return a.paint(a.stdout) }
func (a *app) errPaint() palette { return a.paint(a.stderr) }
