package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, method, target string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestHandlerAnswers(t *testing.T) {
	h := Handler()
	for _, c := range []struct {
		method, path, contentType string
		status                    int
	}{
		{"GET", "/", "text/html; charset=utf-8", 200},
		{"HEAD", "/", "text/html; charset=utf-8", 200},
		{"GET", "/?period=90", "text/html; charset=utf-8", 200},
		{"GET", "/assets/js/main.js", "text/javascript; charset=utf-8", 200},
		{"GET", "/assets/base.css", "text/css; charset=utf-8", 200},
		{"GET", "/assets/icon.svg", "image/svg+xml", 200},
		{"GET", "/assets/fonts/inter.woff2", "font/woff2", 200},
		{"GET", "/assets/", "", 404},
		{"GET", "/assets/../web.go", "", 404},
		{"GET", "/web.go", "", 404},
		{"GET", "/api/v1/shops/demo/customers", "", 404},
		{"POST", "/", "", 405},
	} {
		res := get(t, h, c.method, c.path, nil)
		if res.StatusCode != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, res.StatusCode, c.status)
		}
		if c.status != 200 {
			continue
		}
		if got := res.Header.Get("Content-Type"); got != c.contentType {
			t.Errorf("%s: Content-Type %q, want %q", c.path, got, c.contentType)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.path, name, got, want)
			}
		}
		body, _ := io.ReadAll(res.Body)
		if c.method == "HEAD" && len(body) != 0 {
			t.Errorf("HEAD %s has a body", c.path)
		}
		again := get(t, h, "GET", c.path, http.Header{"If-None-Match": {res.Header.Get("ETag")}})
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s asked again with its ETag: status %d, want 304", c.path, again.StatusCode)
		}
	}
}

func TestPublicURLIsEscapedIntoThePage(t *testing.T) {
	res := get(t, Handler(WithPublicURL(`https://stats.example/"><script>`)), "GET", "/", nil)
	body, _ := io.ReadAll(res.Body)
	if strings.Contains(string(body), `"><script>`) {
		t.Error("the public URL is pasted into the page as it is")
	}
	plain, _ := io.ReadAll(get(t, Handler(WithPublicURL("https://stats.example/")), "GET", "/", nil).Body)
	if !strings.Contains(string(plain), `content="https://stats.example"`) {
		t.Error("the page does not carry the public URL")
	}
}

// The policy forbids inline script and style, and every address must lie on the page's own host.
func TestFilesKeepToTheirOwnHost(t *testing.T) {
	for name, f := range load(page{}) {
		if strings.HasSuffix(name, ".txt") || strings.HasSuffix(name, ".woff2") {
			continue
		}
		for _, line := range strings.Split(string(f.body), "\n") {
			for _, bad := range []string{"innerHTML", "eval(", "new Function", "<style", "style=", "onclick=\""} {
				if strings.Contains(line, bad) {
					t.Errorf("%s: %q in %s", name, bad, strings.TrimSpace(line))
				}
			}
			if i := strings.Index(line, "https://"); i >= 0 && !strings.HasPrefix(line[i:], "https://shop.example") {
				t.Errorf("%s: an outside address in %s", name, strings.TrimSpace(line))
			}
		}
	}
}
