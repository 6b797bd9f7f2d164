package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program that runs beside the test. Whatever becomes of the test, it does not outlive it.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	log  output
	done chan struct{} // closed when it has ended
}

// launch starts a program in dir; env comes on top of ours.
func launch(t testing.TB, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	dieWithUs(p.cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread lives exactly as long as the process
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %s said:\n%s", name, strings.Join(args, " "), p.log.tail(6000))
		}
	})
	return p
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// wait gives the exit status; it must come within the bound.
func (p *process) wait(bound time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(bound):
		p.t.Fatalf("%s still runs after %v", p.name, bound)
		return -1
	}
}

// until waits for a line with this text and gives it.
func (p *process) until(text string, bound time.Duration) string {
	p.t.Helper()
	deadline := time.Now().Add(bound)
	for {
		if line, ok := p.log.line(text); ok {
			return line
		}
		select {
		case <-p.done:
			if line, ok := p.log.line(text); ok {
				return line
			}
			p.t.Fatalf("%s ended with status %d before it said %q:\n%s", p.name, p.cmd.ProcessState.ExitCode(), text, p.log.tail(4000))
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s did not say %q within %v:\n%s", p.name, text, bound, p.log.tail(4000))
		}
	}
}

// output is what a process has written.
type output struct {
	mu sync.Mutex
	b  []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, b...)
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}

// line is the first complete line with a text in it.
func (o *output) line(text string) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := bytes.Index(o.b, []byte(text))
	if i < 0 {
		return "", false
	}
	from := bytes.LastIndexByte(o.b[:i], '\n') + 1
	n := bytes.IndexByte(o.b[from:], '\n')
	if n < 0 {
		return "", false
	}
	return string(o.b[from : from+n]), true
}

func (o *output) tail(n int) string {
	s := o.String()
	return s[max(0, len(s)-n):]
}
