package snippet

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/kassa-analytics/kassa/collector/snippet/internal/bundling"
)

// budget is what the tag may weigh over the wire, in bytes of gzip.
const budget = 3 * 1024

func TestBundleIsWhatTheSourceSays(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want, err := bundling.Bundle(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Script(), want) {
		t.Error("kassa.js is older than its source: run go generate ./collector/snippet")
	}
}

func TestSize(t *testing.T) {
	res := get(t, "GET", http.Header{"Accept-Encoding": {"gzip"}})
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("kassa.js: %d bytes, %d bytes gzip", len(Script()), len(body))
	if len(body) > budget {
		t.Errorf("the tag weighs %d bytes gzip, more than %d", len(body), budget)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(plain, Script()) {
		t.Errorf("the compressed tag is not the tag: %v", err)
	}
}

func get(t *testing.T, method string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/kassa.js", nil)
	r.Header = header
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	plain := get(t, "GET", nil)
	packed := get(t, "GET", http.Header{"Accept-Encoding": {"br;q=1.0, gzip;q=0.8"}})
	for name, res := range map[string]*http.Response{"plain": plain, "gzip": packed} {
		for header, want := range map[string]string{
			"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*",
			"Cache-Control": maxAge, "Vary": "Accept-Encoding",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("encodings %q and %q", plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"))
	}
	if plain.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Error("two representations share one ETag")
	}
	for _, c := range []struct {
		method string
		header http.Header
		status int
	}{
		{"GET", http.Header{"If-None-Match": {plain.Header.Get("ETag")}}, 304},
		{"GET", http.Header{"If-None-Match": {packed.Header.Get("ETag")}, "Accept-Encoding": {"gzip"}}, 304},
		{"GET", http.Header{"If-None-Match": {`"older"`}}, 200},
		{"HEAD", nil, 200},
		{"POST", nil, 405},
	} {
		if res := get(t, c.method, c.header); res.StatusCode != c.status {
			t.Errorf("%s %v: status %d, want %d", c.method, c.header, res.StatusCode, c.status)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "br, gzip": true, "GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "gzip;q=1": true, "xgzip": false, "identity": false,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}
