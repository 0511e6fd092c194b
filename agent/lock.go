package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrBusy says that another run holds the lock.
var ErrBusy = errors.New("another run is measuring on this machine")

// Lock takes the lock that keeps two runs of one state folder from measuring at the same
// time, since each would spoil the other's figures. It waits at most wait, telling
// waiting once if it must, and then gives up with ErrBusy. The lock falls with the process.
func Lock(ctx context.Context, stateDir string, wait time.Duration, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(stateDir, "run.lock"), flock.SetPermissions(0o600))
	release := func() { _ = lock.Unlock() }
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock of the state folder: %w", err)
	}
	if got {
		return release, nil
	}
	if wait > 0 {
		waiting()
		limited, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		if got, err = lock.TryLockContext(limited, 200*time.Millisecond); got {
			return release, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("%w (lock %s): try again when it is done, or wait longer with --wait", ErrBusy, lock.Path())
}
