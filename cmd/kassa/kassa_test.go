package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// asKassa makes a child of the test binary the real program.
const asKassa = "TEST_RUNS_AS_KASSA"

func TestMain(m *testing.M) {
	if os.Getenv(asKassa) != "" {
		main()
	}
	os.Exit(m.Run())
}

// environ is a clean environment with the engine library; without the library the test is skipped, saying so.
func environ(t testing.TB) []string {
	t.Helper()
	library, err := chdbtest.Library()
	if err != nil {
		t.Skipf("no engine: %v", err)
	}
	env := []string{"KASSA_ENGINE_LIB=" + library}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KASSA_") {
			env = append(env, v)
		}
	}
	return env
}

// command runs the program in this process and gives its exit status and what it printed.
func command(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{stdout: &out, stderr: &errs, environ: environ(t)}
	status = p.run(t.Context(), args)
	return status, out.String(), errs.String()
}

// kassa is a running serve or demo.
type kassa struct {
	t               testing.TB
	public, private string // URLs
	reload          chan os.Signal
	log             *locked
	stop            func() int // asks to stop and gives the exit status
	process         *os.Process
}

// locked is a buffer for several writers.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a command that serves in this process, and waits until it is ready; for the demo, until its past is in.
func start(t testing.TB, args ...string) *kassa {
	t.Helper()
	k := &kassa{t: t, reload: make(chan os.Signal, 1), log: &locked{}}
	ctx, cancel := context.WithCancel(context.Background())
	ready, loaded, done := make(chan app.Addresses, 1), make(chan struct{}), make(chan int, 1)
	p := &program{
		stdout: k.log, stderr: k.log, environ: environ(t), reload: k.reload,
		ready: func(a app.Addresses) { ready <- a }, loaded: func() { close(loaded) },
	}
	go func() { done <- p.run(ctx, args) }()
	select {
	case at := <-ready:
		k.public, k.private = "http://"+at.Public, "http://"+at.Private
	case status := <-done:
		cancel()
		t.Fatalf("kassa %s ended with %d\n%s", strings.Join(args, " "), status, k.log)
	}
	k.stop = sync.OnceValue(func() int {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if status := k.stop(); status != 0 || t.Failed() {
			t.Logf("kassa ended with %d\n%s", status, k.log)
		}
	})
	if args[0] == "demo" {
		select {
		case <-loaded:
		case <-time.After(2 * time.Minute):
			t.Fatalf("the past is not in\n%s", k.log)
		}
	}
	return k
}

// startProcess runs a command that serves as a process of its own.
func startProcess(t testing.TB, args ...string) *kassa {
	t.Helper()
	k := &kassa{t: t, log: &locked{}}
	cmd := exec.Command(os.Args[0], append([]string{"--log-format", "json"}, args...)...)
	cmd.Env = append(environ(t), asKassa+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k.process = cmd.Process
	ready, read := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct {
				Message string `json:"msg"`
				Public  string `json:"public"`
				Private string `json:"private"`
			}
			_, _ = fmt.Fprintln(k.log, lines.Text())
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "kassa is ready" {
				k.public, k.private = line.Public, line.Private
				close(ready)
			}
		}
	}()
	k.stop = sync.OnceValue(func() int {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-read
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	})
	t.Cleanup(func() { k.stop() })
	select {
	case <-ready:
	case <-read:
		t.Fatalf("kassa did not start\n%s", k.log)
	}
	return k
}

// kill ends the process as a power cut would.
func (k *kassa) kill() {
	_ = k.process.Kill()
	k.stop()
}

// request sends a request and gives status and body.
func (k *kassa) request(method, url, token, body string, header ...string) (int, string) {
	k.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(content)
}

// get reads a report into out.
func (k *kassa) get(token, path string, out any) {
	k.t.Helper()
	status, body := k.request(http.MethodGet, k.private+path, token, "")
	if status != http.StatusOK {
		k.t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), out); err != nil {
		k.t.Fatalf("%s: %v\n%s", path, err, body)
	}
}

// write makes a data directory with a configuration of one shop and a token of each role wanted; it gives the file's name.
func write(t testing.TB, shop string, roles ...auth.Role) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kassa.yaml")
	var b strings.Builder
	b.WriteString("data_dir: data\nlisten: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\nretention: {events: 0, sessions: 0, carts: 0, orders: 0}\nshops:\n  - {id: demo, origins: [\"https://shop.example\"], " + shop + "}\ntokens:\n")
	for _, r := range roles {
		token := "token-of-" + string(r)
		fmt.Fprintf(&b, "  - {name: %s, shop: demo, role: %[1]s, sha256: %s}\n", r, auth.Hash(token))
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func token(r auth.Role) string { return "token-of-" + string(r) }
