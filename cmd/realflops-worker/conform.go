//go:build worker

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/realflops/realflops/bench/worker"
	"github.com/realflops/realflops/kernels/cuda"
	"github.com/realflops/realflops/kernels/cuda/conform"
	"github.com/realflops/realflops/kernels/cuda/driver"
	"github.com/realflops/realflops/kernels/cuda/work"
)

// Exit codes of -conform.
const (
	exitConforms = 0
	exitCutShort = 1 // what was checked is right, and not all of it was
	exitUsage    = 2
	exitWrong    = 3 // a kernel computes wrong, or the device failed
	exitNoDevice = 4 // nothing was checked
)

// Operands of largeBytes are of more bytes than 32 bits count. They are checked where largeRoom is
// free.
const (
	largeBytes = 5 << 30
	largeRoom  = 16 << 30
)

// conformance is what -conform is asked for.
type conformance struct {
	device  string // UUID
	entries string // regular expression of device functions' names; "" is all
	thin    bool   // fewer shapes and values, and no large operands
	ptx     bool   // the PTX, although a cubin would serve
}

// conformDocument is the one document that -conform prints.
type conformDocument struct {
	Schema   string           `json:"schema"`
	Device   string           `json:"device"`
	Model    string           `json:"model"`
	Driver   string           `json:"driver"` // the CUDA version that it supports: "12.4"
	Emulated bool             `json:"emulated"`
	Image    string           `json:"image"` // sm_90a, or compute_80 where the driver compiled
	Thin     bool             `json:"thin"`
	Large    int64            `json:"large_bytes"` // size of the large operands; 0 if they were left out
	Outcomes []conformOutcome `json:"outcomes"`
	Left     []string         `json:"left"`  // device functions that were not checked, because it was interrupted
	Error    *string          `json:"error"` // why the device could not go on
}

type conformOutcome struct {
	Entry string  `json:"entry"`
	Check string  `json:"check"`
	Cases int     `json:"cases"`
	Worst string  `json:"worst"`
	Error *string `json:"error"` // nil is a pass
}

// run holds the kernels of the device to their oracles, prints the document, and on stderr a
// line for each failure. An interrupt ends it after the kernel that is in work.
func (c conformance) run(stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	pattern, err := regexp.Compile(c.entries)
	if err != nil {
		fmt.Fprintln(stderr, "realflops-worker: -entries:", err)
		return exitUsage
	}
	welcome := newMachine(version).welcome()
	device, err := c.open(welcome)
	if err != nil {
		fmt.Fprintln(stderr, "realflops-worker: nothing was checked:", err)
		return exitNoDevice
	}
	doc, err := c.check(ctx, device, pattern, welcome.Emulated, stderr)
	if err == nil { // after an error the device is not to be used again
		err = device.Close()
	}
	if doc.Error = sentence(err); err != nil {
		fmt.Fprintln(stderr, "realflops-worker:", err)
	}
	doc.Model, doc.Driver = device.Description().Name, welcome.Runtime
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(doc); err != nil {
		fmt.Fprintln(stderr, "realflops-worker: the document cannot be written:", err)
		return exitCutShort
	}
	return doc.exitCode(stderr)
}

// check fills the document with the outcomes; the error is one of the device. The memory of an
// emulated device is that of this machine, and holds no large operands.
func (c conformance) check(ctx context.Context, device *loadedDevice, pattern *regexp.Regexp, emulated bool, stderr io.Writer) (conformDocument, error) {
	doc := conformDocument{
		Schema: "realflops-conform/1", Device: c.device, Image: device.image.Name, Thin: c.thin,
		Emulated: emulated, Outcomes: []conformOutcome{}, Left: []string{},
	}
	if free, err := device.FreeBytes(); err != nil {
		return doc, err
	} else if !c.thin && !emulated && free >= largeRoom {
		doc.Large = largeBytes
	}
	_, err := conform.Check(device, conform.Options{
		Arch: device.image.Arch, Thin: c.thin, Large: doc.Large,
		Select: func(e cuda.Entry) bool {
			chosen := pattern.MatchString(e.Name)
			if chosen && ctx.Err() != nil {
				doc.Left = append(doc.Left, e.Name)
			}
			return chosen && ctx.Err() == nil
		},
		Each: func(o conform.Outcome) {
			doc.Outcomes = append(doc.Outcomes, conformOutcome{o.Entry, o.Check, o.Cases, o.Worst, sentence(o.Err)})
			if o.Err != nil {
				fmt.Fprintln(stderr, o)
			}
		},
	})
	return doc, err
}

func (doc conformDocument) exitCode(stderr io.Writer) int {
	wrong := doc.Error != nil
	for _, o := range doc.Outcomes {
		wrong = wrong || o.Error != nil
	}
	switch {
	case wrong:
		return exitWrong
	case len(doc.Left) > 0:
		fmt.Fprintf(stderr, "realflops-worker: interrupted: %d device functions were not checked\n", len(doc.Left))
		return exitCutShort
	case len(doc.Outcomes) == 0:
		fmt.Fprintf(stderr, "realflops-worker: -entries is the name of no device function of %s\n", doc.Image)
		return exitUsage
	}
	return exitConforms
}

// open takes the device and loads its kernels the way that measuring does.
func (c conformance) open(welcome worker.Welcome) (*loadedDevice, error) {
	if welcome.Problem != "" {
		return nil, errors.New(welcome.Problem)
	}
	opened, err := driver.OpenDevice(c.device)
	if err != nil {
		return nil, err
	}
	device := &loadedDevice{Device: opened, ptx: c.ptx}
	if _, _, err := work.Open(device, nil); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return device, nil
}

// loadedDevice knows which image it took.
type loadedDevice struct {
	*driver.Device
	ptx   bool // it takes no cubin
	image cuda.Image
}

func (d *loadedDevice) Load(image cuda.Image) error {
	if d.ptx && !image.PTX {
		return fmt.Errorf("%s is a cubin, and PTX was asked for: %w", image.Name, cuda.ErrImage)
	}
	if err := d.Device.Load(image); err != nil {
		return err
	}
	d.image = image
	return nil
}

func sentence(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	return &text
}
