package httpapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	visitor = "Zk3-visitor_0123456789"
	browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	origin  = "https://shop.example"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is the whole way of an event up to the disk: real HTTP, real gate, real keys, real spool; only the clock is set by hand.
type world struct {
	t        testing.TB
	url      string
	keys     *consentgate.Keys
	gate     *consentgate.Gate
	spool    *spool.Spool
	shops    *collector.Shops
	registry *prometheus.Registry
	token    string // ingest token of demo
	owner    string // a token of another role
	now      atomic.Int64
}

type options struct {
	spool    spool.Config
	limiter  LimiterConfig
	keepBots bool
}

const (
	kindEvents spool.Kind = 1
	kindLedger spool.Kind = 2
)

// spoolLedger keeps consent records where events go, as the service does, and answers from memory what a warehouse would.
type spoolLedger struct {
	spool *spool.Spool
	mu    sync.Mutex
	rows  []consentgate.Record
}

func (l *spoolLedger) Append(ctx context.Context, r consentgate.Record) error {
	b, err := consentgate.EncodeRecord(r)
	if err != nil {
		return err
	}
	if _, err = l.spool.Append(ctx, spool.Record{Kind: kindLedger, Data: b}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, r)
	return nil
}

func newWorld(t testing.TB, change ...func(*options)) *world {
	t.Helper()
	w := &world{t: t, registry: prometheus.NewRegistry()}
	w.now.Store(start.UnixNano())
	clock := func() time.Time { return time.Unix(0, w.now.Load()).UTC() }
	o := options{spool: spool.Config{Dir: filepath.Join(t.TempDir(), "spool"), SegmentBytes: 1 << 20, MinFreeBytes: -1}}
	o.spool.Clock = clock
	for _, f := range change {
		f(&o)
	}
	var err error
	must := func(what string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	w.keys, err = consentgate.OpenKeys(filepath.Join(t.TempDir(), "keys"))
	must("keys")
	w.spool, err = spool.Open(o.spool)
	must("spool")
	t.Cleanup(func() { w.spool.Close() })
	w.shops, err = collector.NewShops([]collector.Shop{
		{ID: "demo", Origins: []string{origin, "null"}, Currency: "EUR", Steps: []string{"add_to_cart", "begin_checkout", "purchase"}, ExcludeCustomers: []string{"staff-1"}, ExcludeCoupons: []string{"TEST"}},
		{ID: "other", Origins: []string{"https://other.example"}, Currency: "EUR"},
		{ID: "closed", Currency: "JPY"},
	})
	must("shops")
	w.gate, err = consentgate.NewGate(consentgate.Config{Keys: w.keys, Ledger: &spoolLedger{spool: w.spool}, Clock: clock,
		KnownShop: func(id string) bool { _, ok := w.shops.Lookup(id); return ok }})
	must("gate")
	service, err := collector.New(collector.Config{
		Keys: w.keys, Shops: w.shops, Clock: clock, Registerer: w.registry,
		Spool: collector.AppendFunc(func(ctx context.Context, data []byte, events int, tag uint64) (uint64, error) {
			return w.spool.Append(ctx, spool.Record{Kind: kindEvents, Data: data, Events: events, Tag: tag})
		}),
	})
	must("service")
	var list []auth.Token
	for _, r := range []struct {
		into *string
		role auth.Role
	}{{&w.token, auth.Ingest}, {&w.owner, auth.Owner}} {
		token, hash := auth.Fresh()
		*r.into = token
		list = append(list, tokenOf(t, "demo", r.role, hash))
	}
	h, err := New(Config{Service: service, Gate: w.gate, Tokens: auth.New(list, clock), KeepBots: o.keepBots, Clock: clock})
	must("handler")
	metrics, err := NewRequestMetrics(w.registry, clock)
	must("metrics")
	o.limiter.Clock = clock
	e := echo.New()
	e.IPExtractor = IPExtractor(nil)
	e.HTTPErrorHandler = problem.ErrorHandler(func(_ echo.Context, err error) { t.Errorf("internal error: %v", err) })
	e.Use(metrics.Middleware(), CORS(w.shops), NewLimiter(o.limiter).Middleware())
	h.Register(e)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// receipt grants consent for the visitor at the present time of the clock.
func (w *world) receipt(shop, visitor string, purposes map[string]bool) string {
	w.t.Helper()
	d := consentgate.Decision{Shop: shop, Visitor: visitor, Purposes: purposes, Source: "banner", Notice: consentgate.Notice{Version: "2026-11", Language: "nl"}}
	if !consentgate.ValidVisitor(visitor, false) {
		d.AttestedBy = "ingest"
	}
	o, err := w.gate.Grant(w.t.Context(), d)
	if err != nil {
		w.t.Fatalf("grant: %v", err)
	}
	return o.Receipt
}

func (w *world) advance(by time.Duration) { w.now.Add(int64(by)) }

// answer is what came back.
type answer struct {
	status     int
	header     http.Header
	Type       string `json:"type"`
	Detail     string `json:"detail"`
	Accepted   int    `json:"accepted"`
	Duplicates int    `json:"duplicates"`
	Rejected   []struct {
		ID      string `json:"id"`
		Reason  string `json:"reason"`
		Pointer string `json:"pointer"`
	} `json:"rejected"`
	Errors []problem.Field `json:"errors"`
	raw    string
}

// post sends a body as a browser of the shop would; change alters the request.
func (w *world) post(body string, change ...func(*http.Request)) answer {
	w.t.Helper()
	return w.send(strings.NewReader(body), change...)
}

func (w *world) send(body io.Reader, change ...func(*http.Request)) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/v1/events", body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", browser)
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatalf("post: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("reading the answer: %v", err)
	}
	a := answer{status: res.StatusCode, header: res.Header, raw: string(b)}
	if len(bytes.TrimSpace(b)) > 0 {
		if err := json.Unmarshal(b, &a); err != nil {
			w.t.Fatalf("answer %q: %v", b, err)
		}
	}
	return a
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// stored reads back everything that lies in the spool.
func (w *world) stored() (events []collector.Event) {
	w.t.Helper()
	for from := w.spool.First(); from <= w.spool.Last(); {
		entries, err := w.spool.Read(from, 1<<20)
		if err != nil {
			w.t.Fatalf("reading the spool: %v", err)
		}
		for _, e := range entries {
			from = e.Index + 1
			if e.Kind != kindEvents {
				continue
			}
			batch, err := collector.DecodeEvents(e.Data)
			if err != nil {
				w.t.Fatal(err)
			}
			events = append(events, batch...)
		}
	}
	return events
}

// metric reads one series, "name label=value label=value": a counter's value or a histogram's count.
func (w *world) metric(series string) (float64, bool) {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			if name == series {
				return m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount()), true
			}
		}
	}
	return 0, false
}
