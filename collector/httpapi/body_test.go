package httpapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/kassa-analytics/kassa/collector"
)

// FuzzGzip unpacks anything: never more than the limit, never a panic, and what is no gzip is said to be none. The reader is reused, as
// the pool does, so that one body cannot spoil the next.
func FuzzGzip(f *testing.F) {
	for _, s := range []string{"", "{}", `{"shop":"demo"}`, string(bytes.Repeat([]byte("x"), 4096))} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, s); err != nil {
			f.Fatal(err)
		}
		if err := z.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(append(b.Bytes(), b.Bytes()...))
		f.Add(b.Bytes()[:b.Len()-4])
	}
	f.Add([]byte("no gzip"))
	reused := &body{}
	f.Fuzz(func(t *testing.T, raw []byte) {
		reused.raw = append(reused.raw[:0], raw...)
		err := reused.decompress()
		if len(reused.data) > collector.MaxBodyBytes+1 || cap(reused.data) > 4*collector.MaxBodyBytes {
			t.Fatalf("%d bytes, %d reserved", len(reused.data), cap(reused.data))
		}
		if err != nil && !errors.Is(err, errGzip) && !errors.Is(err, errTooLarge) {
			t.Fatalf("error %v", err)
		}
		fresh := &body{raw: raw}
		if ferr := fresh.decompress(); (ferr == nil) != (err == nil) || err == nil && !bytes.Equal(fresh.data, reused.data) {
			t.Fatalf("a reused reader answers otherwise: %v, %v", err, ferr)
		}
	})
}
