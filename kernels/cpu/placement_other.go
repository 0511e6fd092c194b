//go:build !linux

package cpu

import (
	"errors"
	"runtime"
)

var errNoPlacement = errors.New("on " + runtime.GOOS + " memory nodes are unknown")

func raw[T any]([]T) []byte { return nil }

func bindPages([]byte, int) error { return errNoPlacement }

func nodeOfPage([]byte) (int, error) { return 0, errNoPlacement }
