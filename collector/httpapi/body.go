package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/klauspost/compress/gzip"
)

// maxCompressed bounds what is read of a gzip body: gzip never makes a megabyte that may be larger by more than this.
const maxCompressed = collector.MaxBodyBytes + 1<<10

// body is one request's memory.
type body struct {
	data []byte // decompressed
	out  []byte // the answer
	raw  []byte // compressed
	src  bytes.Reader
	gzip *gzip.Reader
}

var bodies = sync.Pool{New: func() any { return &body{data: make([]byte, 0, 4<<10)} }}

// release gives the memory back, unless one large request made it grow.
func (b *body) release() {
	if cap(b.data) > largeBody || cap(b.raw) > largeBody || cap(b.out) > largeBody {
		return
	}
	b.data, b.raw, b.out = b.data[:0], b.raw[:0], b.out[:0]
	b.src.Reset(nil)
	bodies.Put(b)
}

var (
	errTooLarge = problem.New(http.StatusRequestEntityTooLarge, "too-large", "The body is larger than 1 MiB, decompressed: send several.")
	errMedia    = problem.New(http.StatusUnsupportedMediaType, "unsupported-media-type", "Send application/json or text/plain.")
	errEncoding = problem.New(http.StatusUnsupportedMediaType, "unsupported-media-type", "Send the body as it is or with Content-Encoding: gzip.")
	errGzip     = problem.New(http.StatusBadRequest, "malformed-json", "The body is not the gzip its Content-Encoding promises.")
	errCut      = problem.New(http.StatusBadRequest, "malformed-json", "The body could not be read to its end.")
)

// read takes in a request's body, at most collector.MaxBodyBytes of it once decompressed.
func (b *body) read(req *http.Request) error {
	if !acceptable(req.Header["Content-Type"]) {
		return errMedia
	}
	compressed := false
	if e := req.Header["Content-Encoding"]; len(e) > 0 {
		switch strings.ToLower(strings.TrimSpace(e[0])) {
		case "", "identity":
		case "gzip", "x-gzip":
			compressed = true
		default:
			return errEncoding
		}
		if len(e) > 1 {
			return errEncoding
		}
	}
	if !compressed {
		if req.ContentLength > collector.MaxBodyBytes {
			return errTooLarge
		}
		var err error
		b.data, err = readUpTo(b.data[:0], req.Body, collector.MaxBodyBytes, req.ContentLength)
		return err
	}
	if req.ContentLength > maxCompressed {
		return errTooLarge
	}
	var err error
	if b.raw, err = readUpTo(b.raw[:0], req.Body, maxCompressed, req.ContentLength); err != nil {
		return err
	}
	return b.decompress()
}

// decompress unpacks b.raw into b.data.
func (b *body) decompress() error {
	b.src.Reset(b.raw)
	var err error
	if b.gzip == nil {
		b.gzip, err = gzip.NewReader(&b.src)
	} else {
		err = b.gzip.Reset(&b.src)
	}
	if err != nil {
		return errGzip
	}
	b.data, err = readUpTo(b.data[:0], b.gzip, collector.MaxBodyBytes, -1)
	if errors.Is(err, errCut) {
		return errGzip
	}
	return err
}

// readUpTo reads r to its end into dst; more than limit bytes is errTooLarge. It never reserves more than twice what has come, whatever
// length the sender announced.
func readUpTo(dst []byte, r io.Reader, limit int, announced int64) ([]byte, error) {
	if want := min(announced+1, 16<<10); int64(cap(dst)) < want {
		dst = make([]byte, 0, want)
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, errTooLarge
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, errCut
		}
	}
}

// acceptable tells application/json and text/plain, with any parameters, and a missing type.
func acceptable(header []string) bool {
	if len(header) == 0 || header[0] == "" {
		return true
	}
	switch header[0] { // as browsers and our own tag write it
	case "application/json", "text/plain;charset=UTF-8", "text/plain":
		return true
	}
	t, _, err := mime.ParseMediaType(header[0])
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return t == "application/json" || t == "text/plain"
}
