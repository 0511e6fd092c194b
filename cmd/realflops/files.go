package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// readRegular reads a file of at most limit bytes. What is no regular file is refused, and
// opened without blocking to find that out: a pipe that nobody writes to must not hang a verb.
func readRegular(path string, limit int64) (text []byte, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s is %s, more than any file of its kind (at most %s)", path, binary(float64(info.Size())), binary(float64(limit)))
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// isFile reports whether name is something that exists and is no folder.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}
