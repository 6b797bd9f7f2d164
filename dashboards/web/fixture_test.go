package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/kassa-analytics/kassa/internal/problem"
)

const (
	goodToken  = "tok-owner-of-demo"
	otherToken = "tok-owner-of-another-shop"
)

// fixture is a private listener whose reports are the files of testdata, judged by the same rules as the real one: token, shop, known
// parameters. It remembers the queries it got.
type fixture struct {
	*httptest.Server
	mu      sync.Mutex
	queries []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{}
	mux := http.NewServeMux()
	mux.Handle("/", Handler())
	mux.HandleFunc("GET /api/v1/shops/{shop}/{report}", func(w http.ResponseWriter, r *http.Request) {
		if p := f.answer(t, w, r); p != nil {
			_ = p.Write(w)
		}
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fixture) answer(t *testing.T, w http.ResponseWriter, r *http.Request) *problem.Details {
	shop, report, q := r.PathValue("shop"), r.PathValue("report"), r.URL.Query()
	f.mu.Lock()
	f.queries = append(f.queries, report+"?"+r.URL.RawQuery)
	f.mu.Unlock()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case token != goodToken && token != otherToken:
		return problem.New(401, "invalid-token", "no such token")
	case token == otherToken || !strings.Contains(" demo empty small broken ", " "+shop+" "):
		return problem.New(403, "forbidden", "the token belongs to another shop")
	case shop == "broken":
		return problem.New(500, "internal", "the warehouse does not answer")
	}
	for name := range q {
		if !strings.Contains(" from to compare interval by ", " "+name+" ") {
			return problem.New(400, "invalid-parameter", "unknown parameter "+name)
		}
	}
	name := report
	if report == "checkout" {
		name += "_" + q.Get("by")
	}
	if shop == "small" {
		name = "small_" + name
	}
	body, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		return problem.New(404, "not-found", err.Error())
	}
	// No data in the "empty" shop, nor on the single day that a test picks in the other.
	if shop == "empty" || q.Get("from") == "2026-02-03" {
		body = []byte(jsontext.Value(zeroes(t, body)))
	} else if q.Get("compare") == "" {
		body = without(t, body, "previous")
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
	return nil
}

func (f *fixture) asked(report string) (queries []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.queries {
		if strings.HasPrefix(q, report+"?") {
			queries = append(queries, q)
		}
	}
	return queries
}

func without(t *testing.T, body []byte, field string) []byte {
	t.Helper()
	var v map[string]jsontext.Value
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("reading the fixture: %v", err)
	}
	delete(v, field)
	out, err := json.Marshal(v)
	if err != nil {
		t.Errorf("writing the fixture: %v", err)
	}
	return out
}

// zeroes is the same answer without data: numbers 0, rates and money nothing, lists empty.
func zeroes(t *testing.T, body []byte) []byte {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("reading the fixture: %v", err)
	}
	delete(v, "previous")
	out, err := json.Marshal(zero(v, ""))
	if err != nil {
		t.Errorf("writing the fixture: %v", err)
	}
	return out
}

func zero(v any, key string) any {
	switch x := v.(type) {
	case map[string]any:
		if key == "revenue" || key == "abandoned_value" || key == "average_order_value" {
			return map[string]any{}
		}
		for k, e := range x {
			x[k] = zero(e, k)
		}
		return x
	case []any:
		return []any{}
	case float64:
		if strings.Contains(key, "rat") || strings.Contains(key, "share") || strings.Contains(key, "per") || key == "gini" || key == "orders_total" {
			return nil
		}
		return 0
	}
	return v
}
