package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"
)

func raw(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func consentAnswers(t *testing.T, k *kassa) {
	visitor := fresh("consent")
	a := k.consent(decision(visitor, true, false), header("Origin", origin))
	if a.status != 201 || a.Receipt == nil || strings.Count(*a.Receipt, ".") != 2 || a.ReceiptID == "" || !a.Purposes["analytics"] || a.Purposes["marketing"] ||
		time.Since(a.GivenAt).Abs() > time.Minute || time.Since(a.IssuedAt).Abs() > time.Minute || a.ExpiresAt.Before(time.Now().AddDate(0, 5, 0)) {
		t.Errorf("grant: %d %s", a.status, a.body)
	}
	if a.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(a.header.Get("Cache-Control"), "no-store") {
		t.Errorf("grant: headers %v", a.header)
	}
	refused := k.consent(decision(fresh("refused"), false, false))
	var null struct{ Receipt any }
	if refused.status != 200 || json.Unmarshal([]byte(refused.body), &null) != nil || null.Receipt != nil || !strings.Contains(refused.body, "null") {
		t.Errorf("refusal: %d %s", refused.status, refused.body)
	}
	with := func(name string, value any) object {
		d := decision(fresh("consent"), true, false)
		d[name] = value
		return d
	}
	for _, c := range []struct {
		name          string
		body          any
		changes       []change
		status        int
		slug, pointer string
	}{
		{"unknown notice", with("notice", object{"version": "1999-01", "language": "nl"}), nil, 422, "unknown-notice", ""},
		{"notice of another language", with("notice", object{"version": "2026-11", "language": "fr"}), nil, 422, "unknown-notice", ""},
		{"unknown purpose", with("purposes", object{"analytics": true, "profiling": true}), nil, 422, "unknown-purpose", "/purposes/profiling"},
		{"unknown shop", with("shop", "nowhere"), nil, 404, "unknown-shop", ""},
		{"unlisted origin", with("source", "banner"), []change{header("Origin", "https://evil.example")}, 403, "origin-not-allowed", ""},
		{"unknown token", with("source", "api"), []change{bearer("kassa_nobody")}, 401, "invalid-token", ""},
		{"past without a token", with("given_at", time.Now().Add(-time.Hour).UnixMilli()), nil, 401, "", ""},
		{"name twice", `{"shop":"demo","shop":"other"}`, nil, 400, "malformed-json", ""},
		{"large", with("choices", object{"marketing": object{"frequency": strings.Repeat("x", 20<<10)}}), nil, 413, "too-large", ""},
		{"form", "shop=demo", []change{header("Content-Type", "multipart/form-data")}, 415, "unsupported-media-type", ""},
	} {
		t.Run(c.name, func(t *testing.T) { k.consent(c.body, c.changes...).is(t, c.status, c.slug, c.pointer) })
	}
}

// What was allowed ends at the moment it is taken back, whichever way.
func withdrawal(t *testing.T, k *kassa) {
	event := func() object { return object{"id": fresh("e"), "name": "page_view"} }
	visitor := fresh("withdraw")
	receipt := k.grant(visitor)
	k.events(batch(visitor, receipt, event())).is(t, 202, "", "")
	if a := must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": receipt, "erase": false}); a.status != 204 || a.body != "" {
		t.Errorf("withdrawal: %d %s", a.status, a.body)
	}
	k.events(batch(visitor, receipt, event())).is(t, 403, "consent-withdrawn", "")
	k.events(batch(visitor, "", event()), bearer(k.ingest)).is(t, 403, "consent-withdrawn", "")
	must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": receipt}).is(t, 204, "", "") // again is no fault

	again := k.grant(visitor) // the newest decision holds, the old receipt does not come back
	k.events(batch(visitor, again, event())).is(t, 202, "", "")
	k.events(batch(visitor, receipt, event())).is(t, 403, "consent-withdrawn", "")

	k.consent(decision(visitor, false, false)).is(t, 200, "", "")
	k.events(batch(visitor, again, event())).is(t, 403, "consent-withdrawn", "")

	must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": "a.b.c"}).is(t, 403, "consent-invalid", "")
}

// A receipt can be checked by anybody, with nothing but the published keys and the standard library.
func offlineReceipt(t *testing.T, k *kassa) {
	visitor := fresh("receipt")
	d := decision(visitor, true, true)
	d["choices"] = object{"marketing": object{"frequency": "weekly"}}
	a := k.consent(d)
	published := must(t, http.MethodGet, k.public+"/.well-known/jwks.json", nil)
	var set struct {
		Keys []struct{ Kty, Crv, Alg, Use, Kid, X, Y string }
	}
	if err := json.Unmarshal([]byte(published.body), &set); err != nil || len(set.Keys) == 0 || published.status != 200 {
		t.Fatalf("key set: %d %s", published.status, published.body)
	}
	parts := strings.Split(*a.Receipt, ".")
	decode := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var head struct{ Alg, Kid string }
	if err := json.Unmarshal(decode(parts[0]), &head); err != nil || head.Alg != "ES256" {
		t.Fatalf("header %s", decode(parts[0]))
	}
	signature, sum, verified := decode(parts[2]), sha256.Sum256([]byte(parts[0]+"."+parts[1])), false
	for _, key := range set.Keys {
		if key.Kty != "EC" || key.Crv != "P-256" || key.Kid != head.Kid {
			continue
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, decode(key.X)...), decode(key.Y)...))
		if err != nil {
			t.Fatal(err)
		}
		verified = len(signature) == 64 && ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	}
	if !verified {
		t.Errorf("no published key verifies the receipt; header %s, keys %s", decode(parts[0]), published.body)
	}
	var claims struct {
		Aud, Sub, Jti, Source string
		Iat, Exp              int64
		GivenAt               time.Time `json:"given_at"`
		Purposes              map[string]bool
		Notice                struct{ Version, Language, SHA256 string }
		Choices               struct{ Marketing struct{ Frequency string } }
	}
	payload := decode(parts[1])
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatalf("%v in %s", err, payload)
	}
	notice := sha256.Sum256([]byte("# Wij meten\n"))
	if claims.Aud != "demo" || claims.Sub == "" || claims.Jti != a.ReceiptID || claims.Source != "banner" || !claims.Purposes["analytics"] || !claims.Purposes["marketing"] ||
		claims.Notice.Version != "2026-11" || claims.Notice.Language != "nl" || claims.Notice.SHA256 != hex.EncodeToString(notice[:]) ||
		!claims.GivenAt.Equal(a.GivenAt) || claims.Iat == 0 || claims.Exp != a.ExpiresAt.Unix() || claims.Choices.Marketing.Frequency != "weekly" {
		t.Errorf("the receipt says %s", payload)
	}
	if strings.Contains(string(payload), visitor) {
		t.Error("the receipt holds the visitor's id")
	}
}
