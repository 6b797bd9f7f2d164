// Package snippet is kassa.js, the tag that shops load: embedded, compressed once, served to any origin.
package snippet

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

//go:generate go run ./generate

//go:embed kassa.js
var script []byte

// maxAge is how long a browser may use the tag without asking again: an update reaches every visitor within it.
const maxAge = "public, max-age=3600, stale-while-revalidate=86400"

// Script is the tag as it is served, uncompressed.
func Script() []byte { return bytes.Clone(script) }

// Handler serves the tag at whatever path it is mounted (the public listener's /kassa.js), to GET and HEAD.
func Handler() http.Handler {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		panic("snippet: " + err.Error()) // the level is a constant
	}
	_, _ = z.Write(script) // a bytes.Buffer takes everything
	_ = z.Close()
	sum := sha256.Sum256(script)
	tag := hex.EncodeToString(sum[:12])
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", maxAge)
		h.Set("Vary", "Accept-Encoding")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*") // for crossorigin and integrity attributes
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		body := script
		h.Set("ETag", `"`+tag+`"`)
		if acceptsGzip(r.Header.Get("Accept-Encoding")) && r.Header.Get("Range") == "" {
			body = packed.Bytes()
			h.Set("ETag", `"`+tag+`-gz"`)
			h.Set("Content-Encoding", "gzip")
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3): gzip named, and not with weight 0.
func acceptsGzip(header string) bool {
	for _, part := range strings.Split(header, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, q, _ := strings.Cut(weight, "=")
		return strings.Trim(q, "0. ") != "" || weight == ""
	}
	return false
}
