package e2e

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/consentgate"
)

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// is checks an error answer's form: RFC 9457, and the slug that shops rely on.
func (a answer) is(t *testing.T, status int, slug, pointer string) {
	t.Helper()
	if slug == "" {
		if a.status != status {
			t.Errorf("%d %s, want %d", a.status, a.body, status)
		}
		return
	}
	if a.status != status || a.Type != slug {
		t.Fatalf("%d %s, want %d %s", a.status, a.body, status, slug)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: content type %q", slug, got)
	}
	if a.Status != status || a.Title == "" || a.Detail == "" {
		t.Errorf("%s: title, status and detail are not all there: %s", slug, a.body)
	}
	if pointer != "" && !slices.ContainsFunc(a.Errors, func(f struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	}) bool {
		return f.Pointer == pointer && f.Detail != ""
	}) {
		t.Errorf("%s: no error names %s: %s", slug, pointer, a.body)
	}
}

// Each answer of the contract, from the program itself.
func TestAnswers(t *testing.T) {
	dir := directory(t)
	write(t, filepath.Join(dir, "notice-nl.md"), "# Wij meten\n")
	k := serve(t, options{dir: dir, yaml: "notices: [{version: 2026-11, language: nl, file: notice-nl.md}]\n", shop: `    exclude: {coupons: [STAFF]}`})

	t.Run("events", func(t *testing.T) { eventAnswers(t, k) })
	t.Run("consent", func(t *testing.T) { consentAnswers(t, k) })
	t.Run("withdrawal", func(t *testing.T) { withdrawal(t, k) })
	t.Run("receipt", func(t *testing.T) { offlineReceipt(t, k) })
	t.Run("origins", func(t *testing.T) { origins(t, k) })
	t.Run("private", func(t *testing.T) { privateAnswers(t, k) })
	k.stop()
	if l := k.log.String(); strings.Contains(l, "panic") || strings.Contains(l, `"level":"ERROR"`) {
		t.Errorf("the log tells of errors:\n%s", k.log.tail(3000))
	}
}

func eventAnswers(t *testing.T, k *kassa) {
	const visitor = "visitor-of-answers-1"
	good := k.grant(visitor)
	page := object{"id": "one", "name": "page_view"}
	one := func(e object) object { return batch(visitor, good, e) }
	with := func(b object, name string, value any) object { b[name] = value; return b }

	marketing := k.consent(decision("visitor-of-marketing", false, true))
	elsewhere := decision(visitor, true, false)
	elsewhere["shop"] = "other"
	other := k.consent(elsewhere)
	withdrawn := k.grant("visitor-withdrawn-01")
	must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": withdrawn}).is(t, 204, "", "")
	keys := k.keys()
	long := time.Now().Add(-400 * 24 * time.Hour)
	expired, err := keys.SignReceipt(consentgate.Receipt{
		ID: "expired", Shop: "demo", Visitor: keys.Pseudonym("demo", consentgate.KindVisitor, visitor), Purposes: map[string]bool{"analytics": true},
		Source: "banner", GivenAt: long, IssuedAt: long, ExpiresAt: long.AddDate(0, 6, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	big := one(object{"id": "big", "name": "page_view", "junk": strings.Repeat("x", 1<<20)})
	many := make([]object, 501)
	for i := range many {
		many[i] = object{"id": fresh("many"), "name": "page_view"}
	}

	for _, c := range []struct {
		name          string
		body          any
		changes       []change
		status        int
		slug, pointer string
	}{
		{"accepted", one(page), nil, 202, "", ""},
		{"sendBeacon's type", one(page), []change{header("Content-Type", "text/plain;charset=UTF-8")}, 202, "", ""},
		{"gzip", zipped(t, raw(t, one(page))), []change{header("Content-Encoding", "gzip")}, 202, "", ""},
		{"listed origin", one(page), []change{header("Origin", origin)}, 202, "", ""},

		{"not JSON", "shop=demo", nil, 400, "malformed-json", ""},
		{"cut", string(raw(t, one(page)))[:50], nil, 400, "malformed-json", ""},
		{"unknown token", one(page), []change{bearer("kassa_nobody")}, 401, "invalid-token", ""},
		{"token of another role", one(page), []change{bearer(k.owner)}, 401, "invalid-token", ""},
		{"token of another shop", one(page), []change{bearer(k.otherIngest)}, 401, "invalid-token", ""},
		{"unknown shop", with(one(page), "shop", "nowhere"), nil, 404, "unknown-shop", "/shop"},

		{"no receipt", batch(visitor, "", page), nil, 403, "consent-required", ""},
		{"token, and nothing recorded", batch("somebody-without-consent", "", page), []change{bearer(k.ingest)}, 403, "consent-required", ""},
		{"forged", batch(visitor, good[:len(good)-8]+"AAAAAAAA", page), nil, 403, "consent-invalid", ""},
		{"cut receipt", batch(visitor, good[:60], page), nil, 403, "consent-invalid", ""},
		{"no signature", batch(visitor, good[:strings.LastIndexByte(good, '.')+1], page), nil, 403, "consent-invalid", ""},
		{"algorithm none", batch(visitor, "eyJhbGciOiJub25lIn0"+good[strings.IndexByte(good, '.'):strings.LastIndexByte(good, '.')+1], page), nil, 403, "consent-invalid", ""},
		{"other visitor's", batch("another-visitor-0001", good, page), nil, 403, "consent-invalid", ""},
		{"other shop's", batch(visitor, *other.Receipt, page), nil, 403, "consent-invalid", ""},
		{"expired", batch(visitor, expired, page), nil, 403, "consent-expired", ""},
		{"withdrawn", batch("visitor-withdrawn-01", withdrawn, page), nil, 403, "consent-withdrawn", ""},
		{"marketing alone", batch("visitor-of-marketing", *marketing.Receipt, page), nil, 403, "purpose-not-granted", ""},
		{"unlisted origin", one(page), []change{header("Origin", "https://evil.example")}, 403, "origin-not-allowed", ""},
		{"another shop's origin", one(page), []change{header("Origin", "https://other.example")}, 403, "origin-not-allowed", ""},
		{"null origin", one(page), []change{header("Origin", "null")}, 403, "origin-not-allowed", ""},

		{"too large", big, nil, 413, "too-large", ""},
		{"too large once unpacked", zipped(t, raw(t, big)), []change{header("Content-Encoding", "gzip")}, 413, "too-large", ""},
		{"501 events", batch(visitor, good, many...), nil, 413, "too-large", ""},
		{"form", "shop=demo", []change{header("Content-Type", "application/x-www-form-urlencoded")}, 415, "unsupported-media-type", ""},
		{"brotli", one(page), []change{header("Content-Encoding", "br")}, 415, "unsupported-media-type", ""},
		{"no usable event", one(object{"id": "x", "name": "Not A Name"}), nil, 422, "invalid-batch", "/events/0/name"},
		{"too old", one(object{"id": "x", "name": "page_view", "time": time.Now().Add(-73 * time.Hour).UnixMilli()}), nil, 422, "invalid-batch", "/events/0/time"},
		{"before consent", one(object{"id": "x", "name": "page_view", "time": time.Now().Add(-5 * time.Minute).UnixMilli()}), nil, 422, "invalid-batch", "/events/0/time"},
		{"bad value", one(object{"id": "x", "name": "purchase", "value": "12,50"}), nil, 422, "invalid-batch", "/events/0/value"},
		{"no events", batch(visitor, good), nil, 422, "invalid-batch", "/events"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.events(c.body, c.changes...).is(t, c.status, c.slug, c.pointer)
		})
	}

	t.Run("mixed", func(t *testing.T) {
		a := k.events(batch(visitor, good, object{"id": "m1", "name": "page_view"}, object{"id": "m2", "name": "purchase", "value": "much"}, object{"id": "m1", "name": "page_view"}))
		if a.status != 202 || a.Accepted != 1 || a.Duplicates != 1 || len(a.Rejected) != 1 || a.Rejected[0].ID != "m2" || a.Rejected[0].Pointer != "/events/1/value" || a.Rejected[0].Reason == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("a server for a visitor whose consent is recorded", func(t *testing.T) {
		a := k.events(batch(visitor, "", object{"id": "server", "name": "page_view"}), bearer(k.ingest), header("User-Agent", "shop-backend/1.0"))
		if a.status != 202 || a.Accepted != 1 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("crawler", func(t *testing.T) {
		a := k.events(one(object{"id": "bot", "name": "page_view"}), header("User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"))
		if a.status != 202 || a.Accepted != 0 || len(a.Rejected) != 1 || a.Rejected[0].Reason != "bot" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("another method", func(t *testing.T) {
		if a := must(t, http.MethodGet, k.public+"/v1/events", nil); a.status != 405 && a.status != 404 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestRateLimit(t *testing.T) {
	k := serve(t, options{yaml: "rate_limit: {requests_per_second: 1, burst: 5}\n"})
	visitor := fresh("rate")
	receipt := k.grant(visitor) // one of the five
	var limited answer
	for i := 0; i < 20 && limited.status == 0; i++ {
		if a := k.events(batch(visitor, receipt, object{"id": fresh("e"), "name": "page_view"}), header("X-Forwarded-For", "203.0.113."+string(rune('0'+i%10)))); a.status != 202 {
			limited = a
		}
	}
	limited.is(t, 429, "rate-limited", "")
	if limited.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", limited.header)
	}
	k.consent(decision(visitor, true, false)).is(t, 429, "rate-limited", "")
	if a := must(t, http.MethodGet, k.public+"/healthz", nil); a.status != 200 {
		t.Errorf("healthz: %d", a.status)
	}
	eventually(t, 10*time.Second, "to be let in again", func() string {
		time.Sleep(300 * time.Millisecond) // asking more often than the limit would keep the bucket empty
		return notStatus(k.events(batch(visitor, receipt, object{"id": fresh("e"), "name": "page_view"})), 202)
	})
}

func notStatus(a answer, want int) string {
	if a.status != want {
		return a.body
	}
	return ""
}
