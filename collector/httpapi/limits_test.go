package httpapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPreflight(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, origin string
		status       int
		allowed      string
	}{
		{"listed", origin, 204, origin},
		{"listed by another shop", "https://other.example", 204, "https://other.example"},
		{"listed null", "null", 204, "null"},
		{"unlisted", "https://evil.example", 403, ""},
		{"other case", "https://SHOP.example", 403, ""},
		{"other scheme", "http://shop.example", 403, ""},
		{"other port", origin + ":8443", 403, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.url+"/v1/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", c.origin)
			req.Header.Set("Access-Control-Request-Method", "POST")
			req.Header.Set("Access-Control-Request-Headers", "content-type")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			h := res.Header
			if res.StatusCode != c.status || h.Get("Access-Control-Allow-Origin") != c.allowed || !strings.Contains(h.Get("Vary"), "Origin") {
				t.Errorf("got %d %v", res.StatusCode, h)
			}
			if c.status == 204 && (h.Get("Access-Control-Max-Age") != "86400" || h.Get("Access-Control-Allow-Methods") == "" || h.Get("Access-Control-Allow-Credentials") != "") {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestAnswersCanBeReadByTheShopsPages(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	for _, body := range []string{batch(r, ""), "broken", batch("", "")} {
		a := w.post(body, header("Origin", origin))
		if a.header.Get("Access-Control-Allow-Origin") != origin || a.header.Get("Vary") != "Origin" {
			t.Errorf("%d: headers %v", a.status, a.header)
		}
	}
	if a := w.post(batch(r, "")); a.header.Get("Vary") != "Origin" || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without origin: headers %v", a.header)
	}
}

func TestRateLimitOverHTTP(t *testing.T) {
	w := newWorld(t, func(o *options) { o.limiter = LimiterConfig{Rate: 1, Burst: 3} })
	r := w.receipt("demo", visitor, analytics)
	for i := range 3 {
		if a := w.post(batch(r, "")); a.status != 202 {
			t.Fatalf("request %d: %d %s", i, a.status, a.raw)
		}
	}
	a := w.post(batch(r, ""), header("X-Forwarded-For", "203.0.113.9"))
	if a.status != 429 || a.Type != "rate-limited" || a.header.Get("Retry-After") != "1" {
		t.Fatalf("fourth, with a forged address: %d %s %v", a.status, a.raw, a.header)
	}
	w.advance(time.Second)
	if a = w.post(batch(r, "")); a.status != 202 {
		t.Errorf("a second later: %d", a.status)
	}
}

func TestLimiter(t *testing.T) {
	now := start
	l := NewLimiter(LimiterConfig{Rate: 10, Burst: 2, Addresses: 64, Clock: func() time.Time { return now }})
	take := func(address string, want bool) {
		t.Helper()
		if ok, _ := l.Allow(address); ok != want {
			t.Errorf("%s: %v", address, ok)
		}
	}
	take("192.0.2.1", true)
	take("192.0.2.1", true)
	take("192.0.2.1", false)
	take("::ffff:192.0.2.1", false) // the same host
	take("192.0.2.2", true)
	take("2001:db8::1", true)
	take("2001:db8::2", true)
	take("2001:db8::3", false) // the same subscriber
	take("2001:db8:0:1::1", true)
	if _, wait := l.Allow("192.0.2.1"); wait != 100*time.Millisecond {
		t.Errorf("wait %v", wait)
	}
	now = now.Add(100 * time.Millisecond)
	take("192.0.2.1", true)
	take("192.0.2.1", false)
	now = now.Add(-time.Hour) // a clock set back gives and takes nothing
	take("192.0.2.1", false)
	for i := range 100_000 {
		l.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())
	}
	held := 0
	for i := range l.shards {
		held += len(l.shards[i].young) + len(l.shards[i].older)
	}
	if held > 64 {
		t.Errorf("%d addresses remembered, 64 allowed", held)
	}
	if ok, _ := NewLimiter(LimiterConfig{}).Allow("x"); !ok {
		t.Error("rate 0 limits")
	}
}

func TestIPExtractor(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for _, c := range []struct {
		name, peer, forwarded string
		trusted               []netip.Prefix
		want                  string
	}{
		{"no proxies: header unread", "192.0.2.7:1", "203.0.113.9", nil, "192.0.2.7"},
		{"no proxies: private peer is no proxy", "127.0.0.1:1", "203.0.113.9", nil, "127.0.0.1"},
		{"peer is no proxy", "192.0.2.7:1", "203.0.113.9", proxies, "192.0.2.7"},
		{"peer is a loopback, not listed", "127.0.0.1:1", "203.0.113.9", proxies, "127.0.0.1"},
		{"one proxy", "10.0.0.1:1", "203.0.113.9", proxies, "203.0.113.9"},
		{"forged in front", "10.0.0.1:1", "1.2.3.4, 203.0.113.9", proxies, "203.0.113.9"},
		{"two proxies", "10.0.0.1:1", "1.2.3.4, 203.0.113.9, 10.2.2.2", proxies, "203.0.113.9"},
		{"IPv6 proxy", "[2001:db8::5]:1", "203.0.113.9", proxies, "203.0.113.9"},
		{"nothing forwarded", "10.0.0.1:1", "", proxies, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, _ := http.NewRequest(http.MethodPost, "/", nil)
			req.RemoteAddr = c.peer
			if c.forwarded != "" {
				req.Header.Set("X-Forwarded-For", c.forwarded)
			}
			if got := IPExtractor(c.trusted)(req); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Hostile bodies cost a 4xx and little memory, however many come at one time.
func TestHostileBodiesCostLittle(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := strings.Repeat(" ", 1<<20)
	for range 256 { // 256 MiB from 256 KiB
		if _, err := io.WriteString(z, zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	items := strings.TrimSuffix(strings.Repeat("{},", 199), ",")
	full := `"id":"e","name":"x"},` + strings.TrimSuffix(strings.Repeat(`{"items":[`+items+`]},`, 499), ",") + `,{"id":"z"`
	bodies := []struct {
		name   string
		body   string
		change []func(*http.Request)
		want   int
	}{
		{"gzip bomb", bomb.String(), []func(*http.Request){header("Content-Encoding", "gzip")}, 413},
		{"5 MB", strings.Repeat("x", 5<<20), nil, 413},
		{"5 MB in chunks", strings.Repeat("x", 5<<20), []func(*http.Request){func(r *http.Request) {
			r.ContentLength = -1
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 5<<20)))
		}}, 413},
		{"10,000 arrays", strings.Repeat("[", 10_000), nil, 400},
		{"500,000 arrays", strings.Repeat("[", 500_000), nil, 400},
		{"one huge string", `{"shop":"` + strings.Repeat("x", 1<<20-100) + `"}`, nil, 404},
		{"many names", `{"shop":"demo",` + manyNames(60_000) + `}`, nil, 422},
		{"many empty items", batch(r, full), nil, 413},
		{"many empty items, fewer events", batch(r, `"id":"e"},`+strings.TrimSuffix(strings.Repeat(`{"items":[`+items+`]},`, 498), ",")+`,{"id":"z"`), nil, 422},
	}
	for _, b := range bodies { // once, so that what one request leaves in pools is there
		if a := w.post(b.body, b.change...); a.status != b.want {
			t.Errorf("%s: %d %.200s", b.name, a.status, a.raw)
		}
	}
	runtime.GC()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := make(chan struct{})
	var peak uint64
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.ReadMemStats(&during)
				peak = max(peak, during.HeapInuse)
				runtime.Gosched()
			}
		}
	})
	var senders sync.WaitGroup
	for range 16 {
		senders.Go(func() {
			for _, b := range bodies {
				if a := w.post(b.body, b.change...); a.status != b.want {
					t.Errorf("%s: %d %.200s", b.name, a.status, a.raw)
				}
			}
		})
	}
	senders.Wait()
	close(stop)
	watch.Wait()
	// The sending side's copies are in the same heap: 16 × 5 MiB of them at worst.
	const bound = 256 << 20
	if grown := int64(peak) - int64(before.HeapInuse); grown > bound {
		t.Errorf("heap grew by %d MiB", grown>>20)
	} else {
		t.Logf("heap grew by %d MiB under 16 hostile senders", grown>>20)
	}
	if n := len(w.stored()); n != 0 {
		t.Errorf("%d events stored", n)
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}
