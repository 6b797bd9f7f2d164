// Package web is the owner's page: three questions of a shop owner, answered from the JSON API, as files embedded in the binary.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// Policy is the page's Content-Security-Policy: nothing may be loaded from, or sent to, another host, and no inline script or style
// runs. The page asks the JSON API beside it and nothing else.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Option changes what Handler serves.
type Option func(*page)

// WithPublicURL tells the page where browsers reach the public listener (such as "https://stats.shop.example"), so that the set-up
// text shows the exact line to paste. Without it the page proposes port 8080 of its own host and lets the owner correct it.
func WithPublicURL(u string) Option {
	return func(p *page) { p.PublicURL = strings.TrimRight(u, "/") }
}

// page is what the HTML template is filled with.
type page struct {
	PublicURL string
}

// file is one embedded file as it is answered.
type file struct {
	body        []byte
	contentType string
	etag        string
}

// Handler serves the page at "/" and its files under "/assets/"; any other path is 404. It may be mounted behind http.StripPrefix:
// every address in the page is relative. It needs no token: the page holds no figures, the API asks for one.
func Handler(options ...Option) http.Handler {
	var p page
	for _, o := range options {
		o(&p)
	}
	files := load(p)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		f, ok := files[strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		f.serve(w, r)
	})
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache") // always asked again, answered 304 while the binary is the same
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body)) // handles If-None-Match, HEAD and ranges
}

// load reads the embedded files once, by their path below "/". The page itself is "". A broken embed is a programming error that
// the first test meets, so it panics.
func load(p page) map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(assets, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := assets.ReadFile(name)
		if err != nil {
			return err
		}
		if name == "assets/index.html" {
			t, err := template.New("index").Parse(string(body))
			if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := t.Execute(&b, p); err != nil {
				return err
			}
			name, body = "", b.Bytes()
		}
		files[name] = newFile(name, body)
		return nil
	})
	if err != nil {
		panic("web: reading the embedded page: " + err.Error())
	}
	return files
}

func newFile(name string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{body: body, contentType: contentType(name), etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// contentType does not ask the operating system's table for the types that matter: a wrong one there would break the page.
func contentType(name string) string {
	switch path.Ext(name) {
	case "", ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
