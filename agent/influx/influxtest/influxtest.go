// Package influxtest runs a real InfluxDB 1.8 for tests, with authentication, on a free
// port and in folders of the test's own. It speaks the v2 write API and Flux.
package influxtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
)

// Server is a running influxd.
type Server struct {
	URL    string
	Org    string // 1.8 knows none and takes any
	Bucket string
	Token  string // of the administrator

	t     testing.TB
	exe   string
	dir   string
	addr  string
	cmd   *exec.Cmd
	ended chan error // the server's exit, once
}

const (
	user, password = "admin", "pw"
	database       = "realflops"
	patience       = 2 * time.Minute // a busy machine under emulation takes long to start one
)

// Start starts a server with an empty bucket; it ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, exe: find(t), dir: t.TempDir(), Org: "any", Bucket: database + "/autogen", Token: user + ":" + password}
	t.Cleanup(func() {
		if s.cmd != nil {
			s.Stop()
		}
	})
	var err error
	for range 5 { // another process may take the free port before the server does
		s.addr = free(t)
		if err = s.launch(); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://" + s.addr
	s.query(fmt.Sprintf(`CREATE USER %s WITH PASSWORD '%s' WITH ALL PRIVILEGES`, user, password))
	s.NewBucket(database)
	return s
}

// NewBucket makes one more empty bucket and returns its name.
func (s *Server) NewBucket(name string) string {
	s.t.Helper()
	s.query(fmt.Sprintf("CREATE DATABASE %q", name))
	return name + "/autogen"
}

// Query runs a Flux query and returns its rows.
func (s *Server) Query(flux string) []map[string]any {
	s.t.Helper()
	client := influxdb2.NewClient(s.URL, s.Token)
	defer client.Close()
	result, err := client.QueryAPI(s.Org).Query(context.Background(), flux)
	if err != nil {
		s.t.Fatalf("%s: %v", flux, err)
	}
	var rows []map[string]any
	for result.Next() {
		rows = append(rows, result.Record().Values())
	}
	if err := result.Err(); err != nil {
		s.t.Fatalf("%s: %v", flux, err)
	}
	return rows
}

// Stop ends the server; its data stays for Restart.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	if err := <-s.ended; err != nil {
		s.t.Errorf("influxd ended with %v", err)
	}
	s.cmd = nil
}

// Restart starts the stopped server again, at the same address and with the same data.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatal(err)
	}
}

// launch starts influxd and returns once it answers. Its log is a file in the test's folder.
func (s *Server) launch() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	config := filepath.Join(s.dir, "influxd.conf") // empty: no file of the machine's is read
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		return err
	}
	cmd := exec.Command(s.exe, "-config", config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{
		"HOME=" + s.dir,
		"INFLUXDB_DATA_DIR=" + filepath.Join(s.dir, "data"),
		"INFLUXDB_META_DIR=" + filepath.Join(s.dir, "meta"),
		"INFLUXDB_DATA_WAL_DIR=" + filepath.Join(s.dir, "wal"),
		"INFLUXDB_HTTP_BIND_ADDRESS=" + s.addr,
		"INFLUXDB_BIND_ADDRESS=127.0.0.1:0",
		"INFLUXDB_HTTP_AUTH_ENABLED=true",
		"INFLUXDB_HTTP_FLUX_ENABLED=true",
		"INFLUXDB_REPORTING_DISABLED=true",
		"INFLUXDB_MONITOR_STORE_ENABLED=false",
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); _ = log.Close() }()
	deadline := time.After(patience)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("influxd ended at once (%v):\n%s", err, s.log())
		case <-deadline:
			_ = cmd.Process.Kill()
			<-ended
			return fmt.Errorf("influxd did not answer within %v:\n%s", patience, s.log())
		case <-poll.C:
			resp, err := http.Get("http://" + s.addr + "/ping")
			if err != nil {
				continue
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusNoContent {
				s.cmd, s.ended = cmd, ended
				return nil
			}
		}
	}
}

func (s *Server) log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// query runs a statement of InfluxQL. Before there is a user the server asks for none.
func (s *Server) query(q string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL+"/query?"+url.Values{"q": {q}}.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(body), `"error"`) {
		s.t.Fatalf("%s: %s %s %v", q, resp.Status, body, err)
	}
}

func free(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// find looks for influxd: $REALFLOPS_TEST_INFLUXD, .tools/bin in the repository, $PATH.
func find(t testing.TB) string {
	t.Helper()
	if exe := os.Getenv("REALFLOPS_TEST_INFLUXD"); exe != "" {
		return exe
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if exe := filepath.Join(dir, ".tools", "bin", "influxd"); executable(exe) {
			return exe
		}
	}
	exe, err := exec.LookPath("influxd")
	if err != nil {
		t.Fatal("this test runs against a real InfluxDB and found no influxd in $REALFLOPS_TEST_INFLUXD, .tools/bin or $PATH: run `make tools`")
	}
	return exe
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
