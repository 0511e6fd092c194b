// Package store keeps runs, results and profiles in one SQLite file, and the outbox of
// points that wait for InfluxDB. A write is acknowledged (its method returns nil) only
// after its transaction is on disk, and a result and its outbox entry are one transaction.
// The store deletes nothing but delivered outbox entries: a corrupt file is set
// aside under another name, and a refused entry moves to the rejected ones.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// File is the database's name in the state folder.
const File = "realflops.db"

// busyTimeout is how long a process waits for its turn to write. A transaction here takes milliseconds.
const busyTimeout = 30 * time.Second

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open database. It is safe for use by many goroutines and beside other processes.
type Store struct {
	db       *sql.DB
	path     string
	setAside string
}

// Open opens the database in dir, and makes both (0700, 0600) where they are missing.
// A database of an older version is migrated. One of a newer version is refused with
// a [*NewerError] and stays as it is. One that is no intact database is renamed, see
// [Store.SetAside], and a fresh one takes its place. Other errors are [ErrUnwritable], [ErrFull] and [ErrBusy].
//
// Opening reads every page once to find damage (PRAGMA quick_check). The folder must
// be on a local disk: SQLite's write-ahead log shares memory between processes.
func Open(ctx context.Context, dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, File)
	s, err := open(ctx, dir, path)
	if err != nil {
		return nil, explain(path, "opening", err)
	}
	return s, nil
}

func open(ctx context.Context, dir, path string) (s *Store, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// One process at a time checks, sets aside and migrates: two that found the same damage
	// would otherwise set aside each other's fresh database.
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	if _, err := lock.TryLockContext(wait, 10*time.Millisecond); err != nil {
		if ctx.Err() == nil && wait.Err() != nil {
			return nil, ErrBusy
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()

	s = &Store{path: path}
	err = check(ctx, path)
	if kind(err) == ErrCorrupt || errors.Is(err, ErrCorrupt) {
		s.setAside, err = setAside(path, time.Now())
	}
	if err != nil {
		return nil, err
	}
	if err := create(dir, path); err != nil {
		return nil, err
	}
	s.db, err = sql.Open("sqlite", dsn(path, "rw",
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"))
	if err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(1) // SQLite has one writer; a second connection would only wait
	if err := migrate(ctx, s.db); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Path is the database's file.
func (s *Store) Path() string { return s.path }

// SetAside is the name that a corrupt database was given by this Open; "" if there was none.
func (s *Store) SetAside() string { return s.setAside }

func dsn(path, mode string, pragmas ...string) string {
	q := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"},
		"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...),
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// create makes the file by itself, for SQLite would make it with the umask's mode; the
// write-ahead log inherits it. The folder is synced so that the name survives a power loss.
func create(dir, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// check looks at an existing database without changing it: a connection that is
// read-only neither migrates nor writes the log back into the file.
func check(ctx context.Context, path string) (err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // none yet, or one whose creator was killed
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ErrUnwritable)
	}
	if info.Size() < 512 { // the smallest page; SQLite takes a file of one byte for an empty one
		return fmt.Errorf("%w: it has %d bytes", ErrCorrupt, info.Size())
	}
	db, err := sql.Open("sqlite", dsn(path, "ro"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := version(ctx, db)
	if err != nil {
		return err
	}
	known, err := latest()
	if err != nil {
		return err
	}
	if found > known {
		return &NewerError{Path: path, Found: found, Known: known}
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, verdict)
	}
	return nil
}

// setAside renames a corrupt database and its log, which may hold what the file lacks.
func setAside(path string, now time.Time) (string, error) {
	aside := path + ".corrupt-" + now.UTC().Format("20060102T150405.000000000Z")
	for _, suffix := range []string{"-wal", "-shm", ""} { // the file last: until then it is found corrupt again
		err := os.Rename(path+suffix, aside+suffix)
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", err
		}
	}
	return aside, nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func version(ctx context.Context, q querier) (v int, err error) {
	err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v)
	return v, err
}

// latest is the schema version that this program knows: the number that the last migration's name begins with.
func latest() (int, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	return len(names), err
}

// migrate applies the migrations that db lacks, in one transaction: all of them or none.
func migrate(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer rollback(tx)
	have, err := version(ctx, tx)
	if err != nil {
		return err
	}
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted: 0001_…, 0002_…
	if err != nil {
		return err
	}
	for i, name := range names {
		if i < have {
			continue
		}
		if !strings.HasPrefix(filepath.Base(name), fmt.Sprintf("%04d_", i+1)) {
			return fmt.Errorf("migration %s should be number %d", name, i+1)
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	if have < len(names) {
		if _, err := tx.ExecContext(ctx, "PRAGMA user_version = "+strconv.Itoa(len(names))); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rollback ends a transaction that was not committed; after a commit it does nothing.
func rollback(tx *sql.Tx) { _ = tx.Rollback() }
