package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What a caller can tell apart with errors.Is. Whatever the error is, nothing that
// was acknowledged before it is lost.
var (
	ErrNotFound   = errors.New("not found")
	ErrUnwritable = errors.New("the folder cannot be written")
	ErrFull       = errors.New("no space is left")
	ErrBusy       = errors.New("another process has held it for too long")
	ErrCorrupt    = errors.New("it is not an intact database")
)

// NewerError says that the database was written by a newer realflops. It was not touched.
type NewerError struct {
	Path         string
	Found, Known int // schema versions
}

// Error names both versions.
func (e *NewerError) Error() string {
	return fmt.Sprintf("database %s has schema version %d, this realflops knows up to %d: use a newer realflops or another state folder",
		e.Path, e.Found, e.Known)
}

// kinds maps SQLite's primary result codes to the errors above.
var kinds = map[int]error{
	sqlite3.SQLITE_FULL:     ErrFull,
	sqlite3.SQLITE_READONLY: ErrUnwritable,
	sqlite3.SQLITE_CANTOPEN: ErrUnwritable,
	sqlite3.SQLITE_PERM:     ErrUnwritable,
	sqlite3.SQLITE_IOERR:    ErrUnwritable,
	sqlite3.SQLITE_BUSY:     ErrBusy,
	sqlite3.SQLITE_CORRUPT:  ErrCorrupt,
	sqlite3.SQLITE_NOTADB:   ErrCorrupt,
}

// kind finds which of the errors above err is; nil if none.
func kind(err error) error {
	var coded *sqlite.Error
	switch {
	case errors.As(err, &coded) && coded.Code() == sqlite3.SQLITE_IOERR_SHMSIZE:
		return ErrFull // the log's index could not grow
	case errors.As(err, &coded):
		return kinds[coded.Code()&0xff]
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR),
		errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
		return ErrUnwritable
	}
	return nil
}

// explain makes one sentence of err that names the database, and marks its kind.
func (s *Store) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	return explain(s.path, doing, err)
}

func explain(path, doing string, err error) error {
	var newer *NewerError
	if errors.As(err, &newer) {
		return err
	}
	var pathErr *os.PathError // its path is in our sentence already
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if k := kind(err); k != nil {
		return fmt.Errorf("database %s: %s: %w (%w)", path, doing, k, err)
	}
	return fmt.Errorf("database %s: %s: %w", path, doing, err)
}
