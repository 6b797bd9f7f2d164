package chdb

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

	chcompress "github.com/ClickHouse/ch-go/compress"
)

// decodeBody unpacks the request's body: gzip by Content-Encoding, or
// ClickHouse's own compressed blocks (LZ4 or ZSTD) by the decompress parameter.
func decodeBody(req *http.Request, blocks bool) (*bufio.Reader, error) {
	var body io.Reader = http.NoBody
	if req.Body != nil {
		body = req.Body
	}
	switch encoding := req.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if errors.Is(err, io.EOF) { // no body at all
			break
		}
		if err != nil {
			return nil, refuse(codeBadArguments, "Bad gzip body: %v", err)
		}
		body = unzipped
	default:
		return nil, refuse(codeNotImplemented, "The embedded engine does not read Content-Encoding %s: use gzip, lz4, zstd or none", encoding)
	}
	if blocks {
		body = blockReader{chcompress.NewReader(body)}
	}
	return bufio.NewReaderSize(body, 64<<10), nil
}

// blockReader turns the end between two compressed blocks into a plain io.EOF.
type blockReader struct{ io.Reader }

func (b blockReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}

// compressedBody packs an answer into ClickHouse's compressed blocks as it is
// read.
type compressedBody struct {
	source  *responseBody
	pending []byte
	err     error
}

// compressedBlock is how many bytes go into a block at most.
const compressedBlock = 256 << 10

func (b *compressedBody) Read(p []byte) (int, error) {
	for len(b.pending) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		raw := make([]byte, compressedBlock)
		var n int
		for n < len(raw) && b.err == nil {
			var got int
			got, b.err = b.source.output.Read(raw[n:])
			n += got
		}
		if n > 0 {
			if err := b.pack(raw[:n], chcompress.LZ4); err != nil {
				return 0, err
			}
		}
		var x *exception
		if errors.As(b.err, &x) {
			b.err = io.EOF
			// Stored, not packed: clients look for its marker in the raw bytes.
			if err := b.pack(b.source.exceptionBlock(x), chcompress.None); err != nil {
				return 0, err
			}
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

func (b *compressedBody) pack(data []byte, method chcompress.Method) error {
	w := chcompress.NewWriter(chcompress.LevelZero, method)
	if err := w.Compress(data); err != nil {
		return fmt.Errorf("compress an answer: %w", err)
	}
	b.pending = append(b.pending, w.Data...)
	return nil
}

func (b *compressedBody) Close() error { return b.source.Close() }
