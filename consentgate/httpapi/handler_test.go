package httpapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// memory is a ledger, and what is held about people: their ledger rows.
type memory struct {
	rows   []consentgate.Record
	broken error
}

func (m *memory) Append(_ context.Context, r consentgate.Record) error {
	if m.broken != nil {
		return m.broken
	}
	m.rows = append(m.rows, r)
	return nil
}

func (m *memory) PersonalData(_ context.Context, shop string, visitor []consentgate.Pseudonym) (jsontext.Value, error) {
	n := 0
	for _, r := range m.rows {
		if r.Shop == shop && r.Visitor == visitor[0] {
			n++
		}
	}
	b, err := json.Marshal(map[string]any{"consents": n})
	return b, err
}

type server struct {
	*httptest.Server
	gate   *consentgate.Gate
	ledger *memory
	now    time.Time
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{ledger: &memory{}, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	keys, err := consentgate.OpenKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return s.now }
	if s.gate, err = consentgate.NewGate(consentgate.Config{
		Keys: keys, Ledger: s.ledger, Clock: clock, KnownShop: func(shop string) bool { return shop == "demo" },
		Notice: func(version, language string) (string, bool) { return strings.Repeat("0", 64), version == "2026-11" },
	}); err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{
		Gate: s.gate, Keys: keys, Data: s.ledger,
		Tokens: auth.New([]auth.Token{
			{Name: "backend", Shop: "demo", Role: auth.Ingest, SHA256: sha256.Sum256([]byte("secret"))},
			{Name: "owner", Shop: "demo", Role: auth.Owner, SHA256: sha256.Sum256([]byte("reports"))},
			{Name: "neighbour", Shop: "other", Role: auth.Ingest, SHA256: sha256.Sum256([]byte("other"))},
		}, clock),
		AllowOrigin: func(shop, origin string) bool { return shop == "demo" && origin == "https://shop.example" },
	})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.HTTPErrorHandler = problem.ErrorHandler(func(_ echo.Context, err error) { t.Errorf("reported: %v", err) })
	h.Register(e, func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Header().Set("X-Middleware", "yes")
			return next(c)
		}
	})
	s.Server = httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s
}

// post sends a body with headers given as "Name: value".
func (s *server) post(t *testing.T, path, body string, headers ...string) (*http.Response, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if len(b) > 0 {
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
	}
	if res.StatusCode >= 400 && res.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("error came as %s: %s", res.Header.Get("Content-Type"), b)
	}
	return res, answer
}

const (
	visitor = "Zk3-0123456789abcdef"
	good    = `{"shop":"demo","visitor":"` + visitor + `","purposes":{"analytics":true,"marketing":false},"choices":{"marketing":{"frequency":"weekly"}},"notice":{"version":"2026-11","language":"nl"},"source":"banner","something":"else"}`
)

func TestConsentLife(t *testing.T) {
	s := newServer(t)
	res, a := s.post(t, "/v1/consent", good, "Origin: https://shop.example")
	receipt, _ := a["receipt"].(string)
	if res.StatusCode != 201 || a["given_at"] != "2026-11-01T12:00:00.000Z" || a["issued_at"] != "2026-11-01T12:00:00.000Z" || a["expires_at"] != "2027-05-01T12:00:00.000Z" ||
		a["receipt_id"] == "" || a["purposes"].(map[string]any)["analytics"] != true || a["purposes"].(map[string]any)["marketing"] != false || res.Header.Get("X-Middleware") != "yes" {
		t.Fatalf("%d %v", res.StatusCode, a)
	}
	if _, err := s.gate.Check("demo", receipt, visitor); err != nil {
		t.Errorf("the receipt is refused: %v", err)
	}
	if _, a := s.post(t, "/v1/my-data", `{"receipt":"`+receipt+`"}`); a["consents"] != 1.0 {
		t.Errorf("my data: %v", a)
	}
	for range 2 {
		if res, a := s.post(t, "/v1/consent/withdraw", `{"receipt":"`+receipt+`","erase":false}`); res.StatusCode != 204 || a != nil {
			t.Errorf("withdraw: %d %v", res.StatusCode, a)
		}
	}
	if _, err := s.gate.Check("demo", receipt, visitor); !errors.Is(err, consentgate.ErrConsentWithdrawn) {
		t.Errorf("after the withdrawal: %v", err)
	}
	if res, _ := s.post(t, "/v1/consent/withdraw", `{"receipt":"`+receipt+`","erase":true}`, "Content-Type: application/json"); res.StatusCode != 204 || !s.ledger.rows[len(s.ledger.rows)-1].Erase {
		t.Errorf("erase: %d", res.StatusCode)
	}
	refused := strings.Replace(good, `"analytics":true`, `"analytics":false`, 1)
	res, a = s.post(t, "/v1/consent", strings.Replace(refused, visitor, "Nobody-0123456789", 1))
	if r, there := a["receipt"]; res.StatusCode != 200 || len(a) != 1 || !there || r != nil {
		t.Errorf("all refused: %d %v", res.StatusCode, a)
	}
	if last := s.ledger.rows[len(s.ledger.rows)-1]; last.Visitor != 0 || last.Action != consentgate.ActionRefusal {
		t.Errorf("a refusal left %+v", last)
	}
}

func TestAttestedConsent(t *testing.T) {
	s := newServer(t)
	for _, given := range []string{`"2026-10-31T13:00:00+01:00"`, `1761912000000`} {
		s.now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		want := time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)
		if given[0] != '"' {
			want = time.Date(2025, 10, 31, 12, 0, 0, 0, time.UTC)
			s.now = time.Date(2025, 11, 1, 12, 0, 0, 0, time.UTC)
		}
		body := strings.Replace(strings.Replace(good, `{`, `{"given_at":`+given+`,`, 1), visitor, "é", 1)
		res, a := s.post(t, "/v1/consent", body, "Authorization: Bearer secret")
		if res.StatusCode != 201 || a["given_at"] != want.Format(instant) {
			t.Errorf("given_at %s: %d %v", given, res.StatusCode, a)
		}
		if last := s.ledger.rows[len(s.ledger.rows)-1]; last.AttestedBy != "backend" || last.GivenAt != want.UnixMilli() || last.RecordedAt != s.now.UnixMilli() {
			t.Errorf("row %+v", last)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t)
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		slug, pointer    string
	}{
		{"empty", "/v1/consent", ``, nil, 400, "malformed-json", ""},
		{"no JSON", "/v1/consent", `{"shop":`, nil, 400, "malformed-json", ""},
		{"an array", "/v1/consent", `[]`, nil, 400, "malformed-json", ""},
		{"more behind it", "/v1/consent", good + `{}`, nil, 400, "malformed-json", ""},
		{"a name twice", "/v1/consent", replace(`"shop":"demo"`, `"shop":"demo","shop":"other"`), nil, 400, "malformed-json", ""},
		{"a purpose twice", "/v1/consent", replace(`"marketing":false`, `"analytics":false`), nil, 400, "malformed-json", ""},
		{"broken UTF-8", "/v1/consent", replace("banner", "\xff"), nil, 400, "malformed-json", ""},
		{"wrong type", "/v1/consent", replace(`"analytics":true`, `"analytics":"yes"`), nil, 400, "malformed-json", "/purposes/analytics"},
		{"nested deep", "/v1/consent", `{"choices":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 5_000), nil, 400, "malformed-json", ""},
		{"large", "/v1/consent", `{"x":"` + strings.Repeat("x", 5<<20) + `"}`, nil, 413, "too-large", ""},
		{"media type", "/v1/consent", good, []string{"Content-Type: application/xml"}, 415, "unsupported-media-type", ""},
		{"encoding", "/v1/consent", good, []string{"Content-Encoding: br"}, 415, "unsupported-media-type", ""},
		{"shop", "/v1/consent", replace("demo", "nowhere"), nil, 404, "unknown-shop", "/shop"},
		{"shop, from a page", "/v1/consent", replace("demo", "nowhere"), []string{"Origin: https://shop.example"}, 404, "unknown-shop", "/shop"},
		{"origin", "/v1/consent", good, []string{"Origin: https://evil.example"}, 403, "origin-not-allowed", ""},
		{"origin null", "/v1/consent", good, []string{"Origin: null"}, 403, "origin-not-allowed", ""},
		{"visitor", "/v1/consent", replace(visitor, "short"), nil, 400, "invalid-parameter", "/visitor"},
		{"source", "/v1/consent", replace("banner", "guess"), nil, 400, "invalid-parameter", "/source"},
		{"purpose", "/v1/consent", replace(`"marketing":false`, `"resale":false`), nil, 422, "unknown-purpose", "/purposes/resale"},
		{"notice", "/v1/consent", replace("2026-11", "1999-01"), nil, 422, "unknown-notice", "/notice"},
		{"given_at without token", "/v1/consent", replace(`{`, `{"given_at":"2026-10-31T12:00:00Z",`), nil, 401, "invalid-token", "/given_at"},
		{"given_at of nonsense", "/v1/consent", replace(`{`, `{"given_at":"yesterday",`), []string{"Authorization: Bearer secret"}, 400, "invalid-parameter", "/given_at"},
		{"given_at 1e400", "/v1/consent", replace(`{`, `{"given_at":1e400,`), []string{"Authorization: Bearer secret"}, 400, "invalid-parameter", "/given_at"},
		{"given_at in year 9999", "/v1/consent", replace(`{`, `{"given_at":"9999-12-31T23:59:59Z",`), []string{"Authorization: Bearer secret"}, 400, "invalid-parameter", "/given_at"},
		{"unknown token", "/v1/consent", good, []string{"Authorization: Bearer guess"}, 401, "invalid-token", ""},
		{"token of another role", "/v1/consent", good, []string{"Authorization: Bearer reports"}, 401, "invalid-token", ""},
		{"token of another shop", "/v1/consent", good, []string{"Authorization: Bearer other"}, 401, "invalid-token", ""},
		{"withdraw nothing", "/v1/consent/withdraw", `{}`, nil, 403, "consent-required", ""},
		{"withdraw a forgery", "/v1/consent/withdraw", `{"receipt":"a.b.c"}`, nil, 403, "consent-invalid", ""},
		{"withdraw with a wrong type", "/v1/consent/withdraw", `{"receipt":7}`, nil, 400, "malformed-json", "/receipt"},
		{"my data for nothing", "/v1/my-data", `{}`, nil, 403, "consent-required", ""},
		{"my data for a forgery", "/v1/my-data", `{"receipt":"x"}`, nil, 403, "consent-invalid", ""},
		{"elsewhere", "/v1/consent/elsewhere", `{}`, nil, 404, "not-found", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, a := s.post(t, c.path, c.body, c.headers...)
			pointer := ""
			if fields, ok := a["errors"].([]any); ok {
				pointer, _ = fields[0].(map[string]any)["pointer"].(string)
			}
			if res.StatusCode != c.status || a["type"] != c.slug || pointer != c.pointer {
				t.Errorf("got %d %v", res.StatusCode, a)
			}
		})
	}
	if len(s.ledger.rows) != 0 {
		t.Errorf("recorded all the same: %+v", s.ledger.rows)
	}
	s.ledger.broken = errors.New("no space left on device")
	if res, a := s.post(t, "/v1/consent", good); res.StatusCode != 503 || a["type"] != "not-durable" || res.Header.Get("Retry-After") == "" {
		t.Errorf("full disk: %d %v", res.StatusCode, a)
	}
}

// A receipt can be checked offline: here with the published key set and the standard library alone.
func TestReceiptVerifiesOfflineWithKeySet(t *testing.T) {
	s := newServer(t)
	_, a := s.post(t, "/v1/consent", good)
	res, err := s.Client().Get(s.URL + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var set struct {
		Keys []struct{ Kty, Crv, X, Y, Alg, Use, Kid string }
	}
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil || len(set.Keys) != 1 || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%+v, %v", set, err)
	}
	part := strings.Split(a["receipt"].(string), ".")
	raw := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var header struct{ Alg, Kid string }
	if err := json.Unmarshal(raw(part[0]), &header); err != nil || header.Alg != "ES256" || header.Kid != set.Keys[0].Kid {
		t.Errorf("header %+v, key %+v", header, set.Keys[0])
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, raw(set.Keys[0].X)...), raw(set.Keys[0].Y)...))
	if err != nil {
		t.Fatal(err)
	}
	digest, sig := sha256.Sum256([]byte(part[0]+"."+part[1])), raw(part[2])
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("the signature does not hold")
	}
}

func TestWithoutDataThereIsNoRoute(t *testing.T) {
	s := newServer(t)
	keys, err := consentgate.OpenKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Gate: s.gate, Keys: keys, Tokens: auth.New(nil, time.Now)})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	h.Register(e)
	for _, r := range e.Routes() {
		if r.Path == "/v1/my-data" {
			t.Error("/v1/my-data is served")
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("made a handler of nothing")
	}
}
