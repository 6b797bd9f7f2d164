package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// browser is the user agent of an ordinary browser: a program's own would be taken for a crawler.
const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

// object is a JSON object.
type object = map[string]any

var client = &http.Client{
	Timeout:   60 * time.Second,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64, DisableCompression: true},
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string

	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`

	Accepted, Duplicates int
	Rejected             []struct{ ID, Reason, Pointer string }

	Receipt   *string         `json:"receipt"`
	ReceiptID string          `json:"receipt_id"`
	Purposes  map[string]bool `json:"purposes"`
	GivenAt   time.Time       `json:"given_at"`
	IssuedAt  time.Time       `json:"issued_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

type change func(*http.Request)

func header(name, value string) change {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func bearer(token string) change { return header("Authorization", "Bearer "+token) }

// chunked is a body whose length is not announced.
type chunked string

// request sends one request; body is text, bytes, or something to be written as JSON; nil: none.
func request(method, url string, body any, changes ...change) (answer, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	case chunked:
		r = io.MultiReader(strings.NewReader(string(b)))
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, url, r)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", browser)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, c := range changes {
		c(req)
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(raw)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &a); err != nil && json.Valid(raw) == false {
			return a, fmt.Errorf("%s %s: %w in %.200s", method, url, err, raw)
		}
	}
	return a, nil
}

func must(t testing.TB, method, url string, body any, changes ...change) answer {
	t.Helper()
	a, err := request(method, url, body, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// events posts to /v1/events.
func (k *kassa) events(body any, changes ...change) answer {
	k.t.Helper()
	return must(k.t, http.MethodPost, k.public+"/v1/events", body, changes...)
}

// consent posts a decision.
func (k *kassa) consent(body any, changes ...change) answer {
	k.t.Helper()
	return must(k.t, http.MethodPost, k.public+"/v1/consent", body, changes...)
}

// decision is a browser's decision; purposes are name, allowed, name, allowed …
func decision(visitor string, analytics, marketing bool) object {
	return object{"shop": "demo", "visitor": visitor, "purposes": object{"analytics": analytics, "marketing": marketing}, "notice": object{"version": "2026-11", "language": "nl"}, "source": "banner"}
}

// grant gives the receipt of a visitor who allows analytics.
func (k *kassa) grant(visitor string) string {
	k.t.Helper()
	a := k.consent(decision(visitor, true, false))
	if a.status != http.StatusCreated || a.Receipt == nil {
		k.t.Fatalf("consent: %d %s", a.status, a.body)
	}
	return *a.Receipt
}

// batch is a batch of the shop demo.
func batch(visitor, receipt string, events ...object) object {
	return object{"shop": "demo", "visitor": visitor, "receipt": receipt, "session": "session-of-" + visitor, "events": events}
}

// fresh is an identifier nobody had before, good for a browser's visitor too.
func fresh(prefix string) string { return prefix + "-" + rand.Text() }

// report asks the private interface with the owner's token.
func (k *kassa) report(path string, into any) error {
	a, err := request(http.MethodGet, k.private+"/api/v1/shops/demo"+path, nil, bearer(k.owner))
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%s: %d %s", path, a.status, a.body)
	}
	return json.Unmarshal([]byte(a.body), into)
}

// span is a report's period: from so many days ago up to today, in UTC.
func span(days int) string {
	now := time.Now().UTC()
	return "from=" + now.AddDate(0, 0, -days).Format(time.DateOnly) + "&to=" + now.Format(time.DateOnly)
}
