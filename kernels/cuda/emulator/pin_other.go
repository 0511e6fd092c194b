//go:build !linux

package emulator

import "errors"

// pin is memory of the host that the process and the emulator share: only Linux has a way.
type pin struct {
	pid, fd uint64
	data    []byte
}

func newPin(int64) (*pin, error) { return nil, errors.New("emulated on Linux alone") }

func (p *pin) close() {}
