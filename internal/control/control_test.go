package control

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var echoPath = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusTeapot)
	_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+string(body))
})

func ask(t *testing.T, c *Client) {
	t.Helper()
	resp, err := c.Do(t.Context(), http.MethodPost, "/a?b=c", "text/plain", strings.NewReader("d"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusTeapot || string(got) != "POST /a?b=c d" {
		t.Errorf("%d %q %v", resp.StatusCode, got, err)
	}
}

func TestTheSocketAndTheHandlersInThisProcessAnswerAlike(t *testing.T) {
	ask(t, Direct(echoPath))
	for _, dir := range []string{filepath.Join(t.TempDir(), "short"), filepath.Join(t.TempDir(), strings.Repeat("long", 40))} {
		lock, err := Acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, running := Dial(t.Context(), dir); running {
			t.Error("nothing listens, and something answers")
		}
		for range 2 { // the second finds what a killed process leaves behind
			l, err := Listen(dir)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(filepath.Join(dir, socketName))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info, err)
			}
			go http.Serve(l, echoPath) //nolint:errcheck,gosec // ends with the listener
			c, running := Dial(t.Context(), dir)
			if !running {
				t.Fatal("the socket does not answer")
			}
			ask(t, c)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, socketName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := lock.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneProcessHoldsADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	lock, err := Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := Acquire(dir); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if lock, err = Acquire(dir); err != nil {
		t.Fatal(err)
	}
	defer lock.Release() //nolint:errcheck // the test's end
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Acquire(open); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
}
