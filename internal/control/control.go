// Package control lets the commands and a running serve share one data directory: one lock, and one Unix socket that speaks HTTP.
package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	socketName = "control.sock"
	lockName   = "lock"
	// maxSocketPath is what every Unix takes as a socket's path.
	maxSocketPath = 100
)

// LockedError tells that another process uses the data directory.
type LockedError struct {
	Dir string
	PID int // 0 where unknown
}

// Error says what to do.
func (e *LockedError) Error() string {
	who := "another kassa"
	if e.PID != 0 {
		who += " (process " + strconv.Itoa(e.PID) + ")"
	}
	return fmt.Sprintf("%s uses the data directory %s; stop it or give this one its own data_dir", who, e.Dir)
}

// Lock holds a data directory for this process.
type Lock struct{ f *os.File }

// Acquire makes the directory (0700) where it is missing and takes its lock. Errors: *LockedError, and a directory that others can read.
func Acquire(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("looking at the data directory: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the data directory %s can be read by others than its owner (mode %04o); run chmod 700 %[1]s", dir, info.Mode().Perm())
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the data directory's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close() //nolint:errcheck // nothing was written
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking the data directory: %w", err)
		}
		content, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(content)))
		return nil, &LockedError{Dir: dir, PID: pid}
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only to be named in the refusal
	}
	return &Lock{f}, nil
}

// Release gives the directory back.
func (l *Lock) Release() error {
	_ = l.f.Truncate(0)
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("releasing the data directory: %w", err)
	}
	return nil
}

// socket gives a path short enough for a Unix socket; release it after use.
func socket(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, socketName)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, fmt.Errorf("opening the data directory: %w", err)
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		_ = f.Close()
		return "", nil, fmt.Errorf("the path %s is too long for a socket; give kassa a data_dir with a shorter path", path)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", f.Fd(), socketName), func() { _ = f.Close() }, nil
}

// Listen opens the control socket (0600) of a directory whose lock the caller holds; one left by a process that is gone is replaced.
func Listen(dir string) (net.Listener, error) {
	path, release, err := socket(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		release()
		return nil, fmt.Errorf("replacing an old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		release()
		return nil, fmt.Errorf("opening the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		release()
		return nil, fmt.Errorf("protecting the control socket: %w", err)
	}
	return &listener{l, release}, nil
}

type listener struct {
	net.Listener
	release func()
}

func (l *listener) Close() error {
	err := l.Listener.Close() // removes the socket's file
	l.release()
	return err //nolint:wrapcheck // a listener's own error
}

// host stands in the URLs of control requests; no name is looked up.
const host = "http://control"

// Client speaks to the handlers of a data directory: over the socket, or in this process.
type Client struct{ http http.Client }

// Dial reaches the serve that runs on a data directory; running is false where none does.
func Dial(ctx context.Context, dir string) (c *Client, running bool) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		path, release, err := socket(dir)
		if err != nil {
			return nil, err
		}
		defer release()
		var d net.Dialer
		return d.DialContext(ctx, "unix", path) //nolint:wrapcheck // net/http wraps it
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := dial(ctx, "", "")
	if err != nil {
		return nil, false
	}
	_ = conn.Close()
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial}}}, true
}

// Direct reaches handlers in this process.
func Direct(h http.Handler) *Client {
	return &Client{http.Client{Transport: direct{h}}}
}

// Do sends a request to a path of the handlers. The caller closes the answer's body.
func (c *Client) Do(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, host+path, body)
	if err != nil {
		return nil, fmt.Errorf("making a control request: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reaching kassa's control socket: %w", err)
	}
	return resp, nil
}

// direct serves requests by a handler in this process; answers are small and held in memory.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
	defer req.Body.Close() //nolint:errcheck // as a transport must
	w := &answer{header: http.Header{}}
	d.h.ServeHTTP(w, req)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(strings.NewReader(w.body.String())), ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}

type answer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
