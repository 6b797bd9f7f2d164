// Package browsertest drives a real headless Chromium from tests: one browser a test package, one fresh profile a test.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Browser is one headless Chromium with a fresh user data directory.
type Browser struct {
	ctx    context.Context
	cancel []context.CancelFunc
	dir    string
}

// ErrNoBrowser tells that no Chromium is installed on this machine.
var ErrNoBrowser = errors.New("no Chromium found: install it (Debian: apt-get install chromium)")

// Start starts Chromium; the caller closes it when the package's tests are over. Only addresses of this machine resolve in it, so
// a page that reaches for another host fails here. Errors: ErrNoBrowser.
func Start() (*Browser, error) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		return nil, ErrNoBrowser
	}
	dir, err := os.MkdirTemp("", "kassa-chromium-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the browser: %w", err)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program), chromedp.UserDataDir(dir),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-default-apps", true), chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	b := &Browser{ctx: ctx, cancel: []context.CancelFunc{closeBrowser, stop}, dir: dir}
	if err := chromedp.Do(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	return b, nil
}

// Close ends the browser and removes its files.
func (b *Browser) Close() {
	for _, c := range b.cancel {
		c()
	}
	_ = os.RemoveAll(b.dir)
}

// Run is a package's TestMain body: it starts the browser, lends it to set, runs the tests and closes it. Without a browser set gets
// nil, and tests that ask for a Tab are skipped with the reason.
func Run(m *testing.M, set func(*Browser)) int {
	b, err := Start()
	if errors.Is(err, ErrNoBrowser) {
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer b.Close()
	set(b)
	return m.Run()
}

// Tab is one page with storage of its own, which remembers the requests it made and the errors it met.
type Tab struct {
	context.Context
	mu       sync.Mutex
	requests []string
	problems []string
}

// Tab opens a page that lives as long as the test, at most a minute.
func (b *Browser) Tab(t *testing.T) *Tab {
	t.Helper()
	if b == nil {
		t.Skip(ErrNoBrowser)
	}
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(func() { cancel(); closeTab() })
	tab := &Tab{Context: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a page: %v", err)
	}
	if err := chromedp.Listen(ctx, tab.listen); err != nil {
		t.Fatalf("listening to the page: %v", err)
	}
	Call(t, tab, network.Enable, network.EnableParams{})
	Call(t, tab, runtime.Enable, cdp.Empty{})
	return tab
}

// Call runs one command of the browser's protocol.
func Call[P, R any](t *testing.T, tab *Tab, command cdp.Command[P, R], params P) R {
	t.Helper()
	r, err := chromedp.Call(tab, command, params)
	if err != nil {
		t.Fatalf("asking the browser for %s: %v", command.Method, err)
	}
	return r
}

func (tab *Tab) listen(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		tab.requests = append(tab.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		tab.problems = append(tab.problems, exceptionText(e.ExceptionDetails))
	}
}

func exceptionText(d *runtime.ExceptionDetails) string {
	if d.Exception != nil && d.Exception.Description != "" {
		return d.Text + " " + d.Exception.Description
	}
	return d.Text
}

// Do runs browser actions; an error fails the test.
func (tab *Tab) Do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, actions...); err != nil {
		t.Fatalf("in the browser: %v; script errors: %v", err, tab.Problems())
	}
}

// Eval runs JavaScript in the page and returns its value, awaited where it is a promise.
func Eval[T any](t *testing.T, tab *Tab, script string) T {
	t.Helper()
	v, err := chromedp.Run(tab, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("running %s in the page: %v; script errors: %v", script, err, tab.Problems())
	}
	return v
}

// Type replaces what stands in a field by typing.
func (tab *Tab) Type(t *testing.T, selector, text string) {
	t.Helper()
	Eval[bool](t, tab, fmt.Sprintf(`(e => { e.focus(); e.select(); return true })(document.querySelector(%q))`, selector))
	tab.Do(t, chromedp.KeyEvent(kb.Backspace), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Wait polls in the page until the JavaScript expression is true, at most 20 seconds. It survives navigations.
func (tab *Tab) Wait(t *testing.T, expression string) {
	t.Helper()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		var ok bool
		if ok, err = chromedp.Run(tab, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && ok {
			return
		}
	}
	text, _ := chromedp.Run(tab, chromedp.Evaluate[string](`document.body.innerText.slice(0, 800)`))
	t.Fatalf("waited in vain for %s (%v); script errors: %v; the page says: %s", expression, err, tab.Problems(), text)
}

// Requests are the addresses the page has asked for, in order.
func (tab *Tab) Requests() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return append([]string(nil), tab.requests...)
}

// Problems are the uncaught script errors of the page.
func (tab *Tab) Problems() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return append([]string(nil), tab.problems...)
}

// OnlyHosts fails the test where the page asked any other host than these ("127.0.0.1:1234").
func (tab *Tab) OnlyHosts(t *testing.T, hosts ...string) {
	t.Helper()
	allowed := map[string]bool{}
	for _, h := range hosts {
		allowed[h] = true
	}
	for _, r := range tab.Requests() {
		u, err := url.Parse(r)
		if err != nil || (u.Scheme != "data" && u.Scheme != "about" && !allowed[u.Host]) {
			t.Errorf("the page asked another host: %s", r)
		}
	}
}
