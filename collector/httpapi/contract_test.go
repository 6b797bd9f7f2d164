package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector/spool"
)

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each answer of the contract's table, over real HTTP with the real gate and the real spool.
func TestEveryAnswer(t *testing.T) {
	w := newWorld(t)
	good := w.receipt("demo", visitor, analytics)
	marketingOnly := w.receipt("demo", "marketing-only-visitor", map[string]bool{"marketing": true})
	withdrawn := w.receipt("demo", "withdrawn-visitor-0001", analytics)
	if err := w.gate.Withdraw(t.Context(), withdrawn, false); err != nil {
		t.Fatal(err)
	}
	elsewhere := w.receipt("other", visitor, analytics)
	of := func(v, receipt string) string {
		return fmt.Sprintf(`{"shop":"demo","receipt":%q,"visitor":%q,"events":[{"id":"e","name":"page_view"}]}`, receipt, v)
	}
	event := func(fields string) string { return batch(good, fields) }
	bearer := func(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }
	big := batch(good, `"id":"e","name":"page_view","junk":"`+strings.Repeat("x", 1<<20)+`"`)
	for _, c := range []struct {
		name    string
		body    string
		change  []func(*http.Request)
		status  int
		slug    string
		pointer string
	}{
		{"accepted", event(""), nil, 202, "", ""},
		{"text/plain", event(""), []func(*http.Request){header("Content-Type", "text/plain; charset=windows-1252")}, 202, "", ""},
		{"no type", event(""), []func(*http.Request){func(r *http.Request) { r.Header["Content-Type"] = nil }}, 202, "", ""},
		{"gzip", zipped(t, event("")), []func(*http.Request){header("Content-Encoding", "gzip")}, 202, "", ""},
		{"listed origin", event(""), []func(*http.Request){header("Origin", origin)}, 202, "", ""},
		{"listed null origin", event(""), []func(*http.Request){header("Origin", "null")}, 202, "", ""},

		{"no receipt", of(visitor, ""), nil, 403, "consent-required", ""},
		{"forged receipt", of(visitor, good[:len(good)-6]+"AAAAAA"), nil, 403, "consent-invalid", ""},
		{"cut receipt", of(visitor, good[:40]), nil, 403, "consent-invalid", ""},
		{"other visitor's receipt", of("somebody-else-0000001", good), nil, 403, "consent-invalid", ""},
		{"other shop's receipt", of(visitor, elsewhere), nil, 403, "consent-invalid", ""},
		{"withdrawn", of("withdrawn-visitor-0001", withdrawn), nil, 403, "consent-withdrawn", ""},
		{"marketing alone", of("marketing-only-visitor", marketingOnly), nil, 403, "purpose-not-granted", ""},
		{"origin of no shop", event(""), []func(*http.Request){header("Origin", "https://evil.example")}, 403, "origin-not-allowed", ""},
		{"origin of another shop", event(""), []func(*http.Request){header("Origin", "https://other.example")}, 403, "origin-not-allowed", ""},
		{"origin that begins alike", event(""), []func(*http.Request){header("Origin", origin+".evil.example")}, 403, "origin-not-allowed", ""},
		{"null origin, not listed", strings.Replace(event(""), `"demo"`, `"other"`, 1), []func(*http.Request){header("Origin", "null")}, 403, "origin-not-allowed", ""},
		{"shop without origins", strings.Replace(event(""), `"demo"`, `"closed"`, 1), []func(*http.Request){header("Origin", origin)}, 403, "origin-not-allowed", ""},

		{"empty", "", nil, 400, "malformed-json", ""},
		{"no JSON", "shop=demo", nil, 400, "malformed-json", ""},
		{"cut", event("")[:80], nil, 400, "malformed-json", ""},
		{"trailing", event("") + "{}", nil, 400, "malformed-json", ""},
		{"bad UTF-8", event("\"id\":\"\xff\",\"name\":\"page_view\""), nil, 400, "malformed-json", ""},
		{"half a surrogate", event(`"id":"\ud800","name":"page_view"`), nil, 400, "malformed-json", ""},
		{"name twice", event(`"id":"a","id":"b","name":"page_view"`), nil, 400, "malformed-json", ""},
		{"unknown name twice", event(`"id":"a","name":"page_view","x":{"y":1,"y":2}`), nil, 400, "malformed-json", ""},
		{"name twice by escape", event(`"id":"a","\u0069d":"b","name":"page_view"`), nil, 400, "malformed-json", ""},
		{"NaN", event(`"id":"a","name":"purchase","value":NaN`), nil, 400, "malformed-json", ""},
		{"10,000 arrays", event(`"id":"a","name":"purchase","x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), nil, 400, "malformed-json", ""},
		{"no gzip", event(""), []func(*http.Request){header("Content-Encoding", "gzip")}, 400, "malformed-json", ""},
		{"cut gzip", zipped(t, event(""))[:60], []func(*http.Request){header("Content-Encoding", "gzip")}, 400, "malformed-json", ""},
		{"large", big, nil, 413, "too-large", ""},
		{"large once unpacked", zipped(t, big), []func(*http.Request){header("Content-Encoding", "gzip")}, 413, "too-large", ""},
		{"501 events", batch(good, `"id":"e"},`+strings.Repeat(`{},`, 499)+`{"id":"z"`), nil, 413, "too-large", ""},
		{"form", event(""), []func(*http.Request){header("Content-Type", "application/x-www-form-urlencoded")}, 415, "unsupported-media-type", ""},
		{"brotli", event(""), []func(*http.Request){header("Content-Encoding", "br")}, 415, "unsupported-media-type", ""},

		{"an array", "[]", nil, 422, "invalid-batch", ""},
		{"no shop", `{"visitor":"` + visitor + `","events":[{"id":"a","name":"page_view"}]}`, nil, 422, "invalid-batch", "/shop"},
		{"shop a number", strings.Replace(event(""), `"demo"`, `7`, 1), nil, 422, "invalid-batch", "/shop"},
		{"visitor too short", of("short", good), nil, 422, "invalid-batch", "/visitor"},
		{"no events", strings.Replace(event(""), `"events":[`, `"events":[],"x":[`, 1), nil, 422, "invalid-batch", "/events"},
		{"events an object", strings.Replace(strings.Replace(event(""), `"events":[`, `"events":`, 1), `}]}`, `}}`, 1), nil, 422, "invalid-batch", "/events"},
		{"event a number", `{"shop":"demo","visitor":"` + visitor + `","receipt":"` + good + `","events":[7]}`, nil, 422, "invalid-batch", "/events/0"},
		{"session too long", strings.Replace(event(""), `"s1"`, `"`+strings.Repeat("é", 201)+`"`, 1), nil, 422, "invalid-batch", "/session"},
		{"sent_at no time", strings.Replace(event(""), `"session"`, `"sent_at":"yesterday","session"`, 1), nil, 422, "invalid-batch", "/sent_at"},
		{"1e400", event(`"id":"a","name":"purchase","value":1e400`), nil, 422, "invalid-batch", "/events/0/value"},
		{"year 9999", event(`"id":"a","name":"purchase","time":"9999-12-31T23:59:59Z"`), nil, 422, "invalid-batch", "/events/0/time"},
		{"time 1e400", event(`"id":"a","name":"purchase","time":1e400`), nil, 422, "invalid-batch", "/events/0/time"},

		{"unknown shop", strings.Replace(event(""), `"demo"`, `"nobody"`, 1), nil, 404, "unknown-shop", "/shop"},
		{"unknown token", event(""), []func(*http.Request){bearer("nonsense")}, 401, "invalid-token", ""},
		{"owner's token", event(""), []func(*http.Request){bearer(w.owner)}, 401, "invalid-token", ""},
		{"token of another shop", strings.Replace(event(""), `"demo"`, `"other"`, 1), []func(*http.Request){bearer(w.token)}, 401, "invalid-token", ""},
		{"token, nothing recorded", of("nobody-ever-heard-of-this", ""), []func(*http.Request){bearer(w.token)}, 403, "consent-required", ""},
		{"token, no receipt, recorded", event(""), []func(*http.Request){bearer(w.token)}, 202, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.post(c.body, c.change...)
			if a.status != c.status || a.Type != c.slug {
				t.Fatalf("got %d %q, want %d %q: %s", a.status, a.Type, c.status, c.slug, a.raw)
			}
			if want := "application/json"; c.status == 202 && a.header.Get("Content-Type") != want {
				t.Errorf("content type %q", a.header.Get("Content-Type"))
			}
			if c.status != 202 && a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", a.header.Get("Content-Type"))
			}
			if c.pointer != "" && (len(a.Errors) == 0 || a.Errors[0].Pointer != c.pointer) {
				t.Errorf("errors %+v, want one at %s", a.Errors, c.pointer)
			}
		})
	}
}

func TestExpiredConsent(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	w.advance(400 * 24 * time.Hour)
	if a := w.post(batch(r, "")); a.status != 403 || a.Type != "consent-expired" {
		t.Errorf("got %d %s", a.status, a.raw)
	}
}

// A rejected event costs the others nothing; reason and pointer say which and why.
func TestRejectionsInsideABatch(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	ms := func(d time.Duration) int64 { return start.Add(d).UnixMilli() }
	events := fmt.Sprintf(`"id":"ok","name":"page_view"},
		{"id":"v","name":"purchase","value":"abc"},
		{"id":"n","name":"Purchase"},
		{"id":"old","name":"purchase","time":%d},
		{"id":"new","name":"purchase","time":%d},
		{"id":"before","name":"purchase","time":%d},
		{"name":"purchase"},
		{"id":"i","name":"purchase","items":[{"id":"a"},{"quantity":0}]},
		{"id":"t","name":"purchase","value":[1]},
		{"id":"%s","name":"purchase"},
		{"id":"k","name":"checkout_error","error":{"kind":"boom"}},
		{"id":"ok2","name":"my_own_event","time":%d`, ms(-73*time.Hour), ms(6*time.Minute), ms(-61*time.Second), strings.Repeat("é", 201), ms(-59*time.Second))
	a := w.post(batch(r, events))
	if a.status != 202 || a.Accepted != 2 {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
	var got []string
	for _, r := range a.Rejected {
		got = append(got, r.ID+" "+r.Reason+" "+r.Pointer)
	}
	want := []string{
		"v invalid-value /events/1/value", "n invalid-value /events/2/name", "old time-out-of-range /events/3/time",
		"new time-out-of-range /events/4/time", "before before-consent /events/5/time", " missing-value /events/6/id",
		"i invalid-value /events/7/items/1/quantity", "t invalid-value /events/8/value",
		strings.Repeat("é", 200) + " too-long /events/9/id", "k invalid-value /events/10/error/kind",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rejected\n got %q\nwant %q", got, want)
	}
	if n := len(w.stored()); n != 2 {
		t.Errorf("%d events on disk", n)
	}
	for series, want := range map[string]float64{
		`kassa_ingest_events_total outcome=accepted shop=demo`: 2, `kassa_ingest_events_total outcome=rejected shop=demo`: 10,
		`kassa_ingest_events_total outcome=accepted shop=other`: 0, `kassa_ingest_rejections_total reason=invalid-value shop=demo`: 5,
		`kassa_ingest_rejections_total reason=bot shop=demo`: 0, `kassa_ingest_unknown_fields_total shop=demo`: 0,
		`kassa_http_request_seconds code=202 route=/v1/events`: 1,
	} {
		if got, ok := w.metric(series); !ok || got != want {
			t.Errorf("%s is %v (present: %v), want %v", series, got, ok, want)
		}
	}
}

func TestSameIDCountsOnce(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	twice := `"id":"e1","name":"page_view"},{"id":"e1","name":"add_to_cart"},{"id":"e2","name":"page_view"`
	if a := w.post(batch(r, twice)); a.Accepted != 2 || a.Duplicates != 1 {
		t.Errorf("in one batch: %s", a.raw)
	}
	if a := w.post(batch(r, twice)); a.status != 202 || a.Accepted != 0 || a.Duplicates != 3 {
		t.Errorf("again: %d %s", a.status, a.raw)
	}
	if n := len(w.stored()); n != 2 {
		t.Errorf("%d events on disk", n)
	}
}

// What the spool refused is not a duplicate when it comes again.
func TestNotDurable(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 40)
	w := newWorld(t, func(o *options) {
		o.spool.MinFreeBytes = 1 << 20
		o.spool.FreeBytes = func(string) (uint64, error) { return free.Load(), nil }
		o.spool.Dir = filepath.Join(t.TempDir(), "s")
	})
	r := w.receipt("demo", visitor, analytics)
	free.Store(0)
	w.advance(time.Second)
	a := w.post(batch(r, ""))
	if a.status != 503 || a.Type != "not-durable" || a.header.Get("Retry-After") == "" {
		t.Fatalf("full disk: %d %s %v", a.status, a.raw, a.header)
	}
	free.Store(1 << 40)
	w.advance(time.Second)
	if a = w.post(batch(r, "")); a.status != 202 || a.Accepted != 1 {
		t.Errorf("after space was freed: %d %s", a.status, a.raw)
	}
	if err := w.spool.Close(); err != nil && !errors.Is(err, spool.ErrClosed) {
		t.Fatal(err)
	}
	if a = w.post(batch(r, `"id":"e9","name":"page_view"`)); a.status != 503 || a.Type != "not-durable" {
		t.Errorf("shutting down: %d %s", a.status, a.raw)
	}
}

func TestBots(t *testing.T) {
	googlebot := header("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	a := w.post(batch(r, ""), googlebot)
	if a.status != 202 || a.Accepted != 0 || len(a.Rejected) != 1 || a.Rejected[0].Reason != "bot" || a.Rejected[0].ID != "e1" {
		t.Errorf("crawler: %d %s", a.status, a.raw)
	}
	if n := len(w.stored()); n != 0 {
		t.Errorf("%d events of a crawler on disk", n)
	}
	if a = w.post(batch(r, ""), googlebot, header("Authorization", "Bearer "+w.token)); a.Accepted != 1 {
		t.Errorf("crawler with a token: %d %s", a.status, a.raw)
	}
	w = newWorld(t, func(o *options) { o.keepBots = true })
	if a = w.post(batch(w.receipt("demo", visitor, analytics), ""), googlebot); a.Accepted != 1 {
		t.Errorf("bots: keep: %d %s", a.status, a.raw)
	}
}

func TestTokenTakesAnyVisitorIDAndRecordedConsent(t *testing.T) {
	w := newWorld(t)
	w.receipt("demo", "klant 7 ü", analytics)
	body := `{"shop":"demo","visitor":"klant 7 ü","events":[{"id":"e","name":"purchase","order":"7","value":"1","customer":"staff-1"},{"id":"f","name":"purchase","order":"8","value":"1","coupon":"test"},{"id":"g","name":"purchase","order":"9"}]}`
	a := w.post(body, header("Authorization", "Bearer "+w.token), header("User-Agent", "Go-http-client/1.1"))
	if a.status != 202 || a.Accepted != 3 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	events := w.stored()
	if e := events[0]; e.Wire != "server" || e.Device != "" || e.Session != 0 || e.ReceiptID == "" {
		t.Errorf("stored %+v", e)
	}
	if !events[0].Excluded || !events[1].Excluded || events[2].Excluded {
		t.Errorf("excluded: %v %v %v", events[0].Excluded, events[1].Excluded, events[2].Excluded)
	}
}

func TestContactOnlyWithMarketingConsent(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	w.post(batch(r, `"id":"e1","name":"add_contact_info","cart":"c","contact":"jan@x.be"`))
	if e := w.stored()[0]; len(e.Contact) != 0 || len(e.CartRef) != 0 || e.Cart == 0 || e.Marketing {
		t.Errorf("stored %+v", e)
	}
}

func TestClockSkewIsCorrected(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, analytics)
	w.advance(time.Hour)
	received := start.Add(time.Hour).UnixMilli()
	day := int64(24 * time.Hour / time.Millisecond)
	for i, c := range []struct{ sent, time, want int64 }{
		{received - day, received - day - 1000, received - 1000},            // a day slow
		{received + day, received + day - 1000, received - 1000},            // a day fast
		{received - 110_000, received - 110_000 - 1000, received - 111_000}, // within tolerance: as told
		{0, 0, received}, // nothing told
	} {
		body := strings.Replace(batch(r, fmt.Sprintf(`"id":"e%d","name":"page_view","time":%d`, i, c.time)), `"session"`, fmt.Sprintf(`"sent_at":%d,"session"`, c.sent), 1)
		if c.time == 0 {
			body = batch(r, fmt.Sprintf(`"id":"e%d","name":"page_view"`, i))
		}
		if a := w.post(body); a.Accepted != 1 {
			t.Errorf("case %d: %s", i, a.raw)
			continue
		}
		events := w.stored()
		if got := events[len(events)-1].Time; got != c.want {
			t.Errorf("case %d: time %d, want %d", i, got-received, c.want-received)
		}
	}
}
