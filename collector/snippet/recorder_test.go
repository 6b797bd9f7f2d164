package snippet

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	wire "github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/problem"
)

// call is one request that reached the collector.
type call struct {
	path, contentType string
	body              map[string]any
}

// collector is the public listener as a browser meets it, on an origin of its own: it serves the tag, applies the CORS rules (a
// preflight for application/json, an allow-list of origins), hands out receipts, and writes down what it was sent. What it stands for
// is tested for real where the whole command runs; here the tag is what is tested.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	calls   []call
	origin  string
	refuse  map[string][]*problem.Details // by path: what the next calls are answered with
	receipt int
}

// newShop starts a collector and a shop whose pages carry the tag.
func newShop(t *testing.T) (*collector, *httptest.Server) {
	t.Helper()
	c := &collector{refuse: map[string][]*problem.Details{}}
	mux := http.NewServeMux()
	mux.Handle("/kassa.js", Handler())
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) { c.answer(t, w, r) })
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, page, before[r.URL.Query().Get("before")], strings.Repeat(fmt.Sprintf(tag, c.URL), 1+strings.Count(r.URL.RawQuery, "twice")))
	}))
	t.Cleanup(shop.Close)
	c.origin = shop.URL
	return c, shop
}

const (
	tag  = `<script defer src="%s/kassa.js" data-shop="demo"></script>`
	stub = `window.kassa=window.kassa||function(){(kassa.q=kassa.q||[]).push(arguments)};`
	page = `<!doctype html><html lang="nl-BE"><head><title>Shop</title><script>%s</script>%s</head><body><h1>Glass</h1><a id="next" href="/checkout">Checkout</a></body></html>`
)

// before is what a shop's page runs before the tag is there, by ?before=….
var before = map[string]string{
	"early":   stub + `kassa('event','add_to_cart',{cart:'too-early'});kassa('consent',{analytics:true},{notice:'2026-11',source:'banner'});kassa('event','view_item');`,
	"blocked": stub + `Object.defineProperty(window,'localStorage',{get(){throw new Error('blocked')}});`,
	"old":     `delete window.fetch;window.fetch=undefined;` + stub,
}

func (c *collector) answer(t *testing.T, w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") == c.origin {
		w.Header().Set("Access-Control-Allow-Origin", c.origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	}
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Allow-Methods", "POST")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var body map[string]any
	if err := json.Unmarshal(b, &body); err != nil {
		t.Errorf("%s got %q: %v", r.URL.Path, b, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call{r.URL.Path, r.Header.Get("Content-Type"), body})
	if next := c.refuse[r.URL.Path]; len(next) > 0 {
		c.refuse[r.URL.Path] = next[1:]
		_ = next[0].Write(w)
		return
	}
	switch r.URL.Path {
	case "/v1/consent":
		purposes, _ := body["purposes"].(map[string]any)
		if purposes["analytics"] != true && purposes["marketing"] != true {
			_, _ = io.WriteString(w, `{"receipt":null}`)
			return
		}
		c.receipt++
		w.WriteHeader(http.StatusCreated)
		_ = json.MarshalWrite(w, map[string]any{
			"receipt": fmt.Sprintf("receipt-%d", c.receipt), "receipt_id": fmt.Sprintf("r%d", c.receipt), "purposes": purposes,
			"given_at": time.Now(), "issued_at": time.Now(), "expires_at": time.Now().Add(24 * time.Hour),
		})
	case "/v1/consent/withdraw":
		w.WriteHeader(http.StatusNoContent)
	case "/v1/events":
		c.decode(t, b)
		events, _ := body["events"].([]any)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"accepted":%d,"duplicates":0,"rejected":[]}`, len(events))
	}
}

// decode reads a batch as the real collector does: nothing in it may be unknown to the wire or of a wrong type.
func (c *collector) decode(t *testing.T, body []byte) {
	var batch wire.Batch
	if err := wire.Decode(body, &batch); err != nil {
		t.Errorf("the collector cannot read the batch: %v", err)
	}
	if batch.Unknown > 0 {
		t.Errorf("the batch has %d fields that the wire does not know: %s", batch.Unknown, body)
	}
}

func (c *collector) refuseNext(path string, with ...*problem.Details) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse[path] = with
}

// got are the calls of a path so far.
func (c *collector) got(path string) (calls []call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.calls {
		if k.path == path {
			calls = append(calls, k)
		}
	}
	return calls
}

// wait returns once a path has been called n times.
func (c *collector) wait(t *testing.T, path string, n int) []call {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		if calls := c.got(path); len(calls) >= n {
			return calls
		}
	}
	t.Fatalf("%s was called %d times, want %d", path, len(c.got(path)), n)
	return nil
}

// events are a batch's events; names their names in order.
func (k call) events() (events []map[string]any) {
	list, _ := k.body["events"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		events = append(events, m)
	}
	return events
}

func (k call) names() (names []string) {
	for _, e := range k.events() {
		names = append(names, fmt.Sprint(e["name"]))
	}
	return names
}

// allNames are the names of every event received, in order of arrival.
func (c *collector) allNames() (names []string) {
	for _, k := range c.got("/v1/events") {
		names = append(names, k.names()...)
	}
	return slices.Clip(names)
}
