package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// origins: browsers of listed origins may post and read the answers, also errors; nobody else's.
func origins(t *testing.T, k *kassa) {
	for _, path := range []string{"/v1/events", "/v1/consent", "/v1/consent/withdraw"} {
		for from, allowed := range map[string]bool{origin: true, "https://other.example": true, "https://evil.example": false, origin + ".evil.example": false, "null": false} {
			a := must(t, http.MethodOptions, k.public+path, nil, header("Origin", from), header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "content-type"))
			got := a.header.Get("Access-Control-Allow-Origin")
			if allowed && (a.status != 204 || got != from || !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), "content-type") ||
				!strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "POST")) || !allowed && got != "" {
				t.Errorf("preflight of %s from %s: %d %v", path, from, a.status, a.header)
			}
			if !strings.Contains(a.header.Get("Vary"), "Origin") {
				t.Errorf("preflight of %s from %s: Vary %q", path, from, a.header.Get("Vary"))
			}
		}
	}
	a := k.events("broken", header("Origin", origin))
	if a.status != 400 || a.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("the shop's page cannot read the error: %d %v", a.status, a.header)
	}
}

// privateAnswers: what is the owner's is nowhere on the public listener, and nothing is told without the right token.
func privateAnswers(t *testing.T, k *kassa) {
	reports := []string{"/checkout", "/customers", "/coverage"}
	for _, path := range append([]string{"/", "/metrics", "/readyz", "/assets/app.js"}, reports...) {
		if !strings.HasPrefix(path, "/a") && path != "/" && path != "/metrics" && path != "/readyz" {
			path = "/api/v1/shops/demo" + path
		}
		if a := must(t, http.MethodGet, k.public+path, nil, bearer(k.owner)); a.status != 404 {
			t.Errorf("%s on the public listener: %d", path, a.status)
		}
	}
	for _, path := range []string{"/v1/events", "/v1/consent", "/v1/consent/withdraw"} {
		if a := must(t, http.MethodPost, k.private+path, "{}"); a.status != 404 {
			t.Errorf("%s on the private listener: %d", path, a.status)
		}
	}
	for _, report := range reports {
		url := k.private + "/api/v1/shops/demo" + report
		for name, c := range map[string]struct {
			changes []change
			status  int
			slug    string
		}{
			"no token":            {nil, 401, "invalid-token"},
			"unknown token":       {[]change{bearer("kassa_nobody")}, 401, "invalid-token"},
			"basic":               {[]change{func(r *http.Request) { r.SetBasicAuth("owner", k.owner) }}, 401, "invalid-token"},
			"ingest token":        {[]change{bearer(k.ingest)}, 403, "forbidden"},
			"other shop's token":  {[]change{bearer(k.otherOwner)}, 403, "forbidden"},
			"owner's token":       {[]change{bearer(k.owner)}, 200, ""},
			"marketing's token":   {[]change{bearer(k.marketing)}, 200, ""},
			"owner, wrong scheme": {[]change{header("Authorization", k.owner)}, 401, "invalid-token"},
		} {
			t.Run(report+" "+name, func(t *testing.T) { must(t, http.MethodGet, url, nil, c.changes...).is(t, c.status, c.slug, "") })
		}
		for _, query := range []string{"?form=2026-11-01", "?from=yesterday", "?from=2026-11-31", "?from=2026-11-02&to=2026-11-01", "?interval=hour", "?format=xml", "?compare=last"} {
			a := must(t, http.MethodGet, url+query, nil, bearer(k.owner))
			name, _, _ := strings.Cut(query[1:], "=")
			if a.is(t, 400, "invalid-parameter", ""); !strings.Contains(a.body, name) {
				t.Errorf("%s%s does not name %s: %s", report, query, name, a.body)
			}
		}
		if a := must(t, http.MethodGet, url+"?format=csv", nil, bearer(k.owner)); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s as CSV: %d %v", report, a.status, a.header)
		}
	}
	must(t, http.MethodGet, k.private+"/api/v1/shops/nowhere/checkout", nil, bearer(k.owner)).is(t, 403, "forbidden", "")
	must(t, http.MethodGet, k.private+"/readyz", nil).is(t, 200, "", "")
	if a := must(t, http.MethodGet, k.private+"/", nil); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("the owner's page: %d %v", a.status, a.header)
	}
	if a := must(t, http.MethodGet, k.public+"/kassa.js", nil); a.status != 200 || !strings.Contains(a.header.Get("Content-Type"), "javascript") {
		t.Errorf("the tag: %d %v", a.status, a.header)
	}
}
