package chdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	chcompress "github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// helloQuery is what clickhouse-go asks first on each of its connections.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

func (e *Engine) transport(*http.Transport) (http.RoundTripper, error) { return e, nil }

// RoundTrip implements http.RoundTripper: it runs the request's statement on
// the engine in this process. The answer's body streams from the engine and
// must be closed.
func (e *Engine) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
		// A sender that never comes to an end is let go with the context.
		defer context.AfterFunc(req.Context(), func() { _ = req.Body.Close() })()
	}
	a, err := e.answer(req)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        a.header,
		Body:          a.body,
		ContentLength: a.length,
		Request:       req,
	}, nil
}

// answer is an HTTP response before it knows its transport.
type answer struct {
	status int
	header http.Header
	length int64 // -1 when not known yet; clickhouse-go reads 0 as "no rows"
	body   io.ReadCloser
}

// answer runs the request's statement. What the engine refuses becomes an
// answer, as a ClickHouse server gives it; an error means that there is none
// (the context ended, the engine is closed).
func (e *Engine) answer(req *http.Request) (*answer, error) {
	ctx := req.Context()
	header := http.Header{}
	header.Set("X-ClickHouse-Server-Display-Name", e.server.displayName)
	header.Set("X-ClickHouse-Timezone", e.server.timezone)
	a, err := e.perform(ctx, req, header)
	if err == nil {
		return a, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var x *exception
	if !errors.As(err, &x) {
		return nil, err
	}
	header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(x.code))
	header.Set("Content-Type", "text/plain; charset=UTF-8")
	return whole(x.status(), header, []byte(x.text+"\n")), nil
}

func whole(status int, header http.Header, body []byte) *answer {
	return &answer{status, header, int64(len(body)), io.NopCloser(bytes.NewReader(body))}
}

func (e *Engine) perform(ctx context.Context, req *http.Request, header http.Header) (*answer, error) {
	r, err := parseRequest(req)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(r.query) == "" {
		return nil, refuse(codeSyntaxError, "Empty query")
	}
	if r.revision > 0 && strings.TrimSpace(r.query) == helloQuery {
		return e.hello(r, header)
	}
	t, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	header.Set("X-ClickHouse-Query-Id", t.id)
	if e.lib.statements(t.conn.handle(), r.query) > 1 {
		t.end()
		return nil, refuse(codeSyntaxError, "Multi-statements are not allowed")
	}
	if r.data != nil {
		total, err := t.insert(ctx, r)
		t.end()
		if err != nil {
			return nil, err
		}
		total.set(header)
		return whole(http.StatusOK, header, nil), nil
	}
	out, err := t.execute(ctx, r)
	if err != nil {
		t.end()
		return nil, err
	}
	return respond(out, r, header)
}

func respond(out *output, r *request, header http.Header) (*answer, error) {
	header.Set("X-ClickHouse-Format", r.format)
	header.Set("Content-Type", "application/octet-stream")
	if out.total != nil {
		out.total.set(header)
	}
	a := &answer{status: http.StatusOK, header: header, length: -1}
	if out.empty() {
		a.length = 0
	}
	tag := rand.Text()[:16]
	header.Set("X-ClickHouse-Exception-Tag", tag)
	body := &responseBody{output: out, tag: tag}
	a.body = body
	if r.compress {
		a.body = &compressedBody{source: body}
	} else if out.total != nil {
		a.length = int64(len(out.chunk.data))
	}
	return a, nil
}

func (s summary) set(header http.Header) {
	text := func(n uint64) string { return strconv.FormatUint(n, 10) }
	// A ClickHouse server writes these numbers as strings.
	line, err := json.Marshal(map[string]string{
		"read_rows": text(s.ReadRows), "read_bytes": text(s.ReadBytes),
		"written_rows": text(s.WrittenRows), "written_bytes": text(s.WrittenBytes),
		"result_rows": text(s.ResultRows), "result_bytes": text(s.ResultBytes),
		"elapsed_ns": text(uint64(s.Elapsed)),
	})
	if err == nil {
		header.Set("X-ClickHouse-Summary", string(line))
	}
}

// responseBody puts an error that comes after the first rows into the body, as
// a ClickHouse server does (WriteBufferFromHTTPServerResponse.cpp).
type responseBody struct {
	*output
	tag  string
	tail *bytes.Reader
}

func (b *responseBody) Read(p []byte) (int, error) {
	if b.tail != nil {
		return b.tail.Read(p)
	}
	n, err := b.output.Read(p)
	var x *exception
	if !errors.As(err, &x) {
		return n, err
	}
	b.tail = bytes.NewReader(b.exceptionBlock(x))
	return b.tail.Read(p)
}

func (b *responseBody) exceptionBlock(x *exception) []byte {
	text := x.text
	if len(text) > 12<<10 { // clients look for the block in the last 16 KiB
		text = text[:12<<10]
	}
	return fmt.Appendf(nil, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", b.tag, text, len(text)+1, b.tag)
}

// hello answers helloQuery in the client's protocol revision with revision 0,
// in which the engine writes Native: clickhouse-go reads the first answer at
// its own revision and every later one at the revision it is told.
func (e *Engine) hello(r *request, header http.Header) (*answer, error) {
	block := proto.NewBlock()
	for _, c := range []struct {
		name, kind string
		value      any
	}{
		{"displayName()", "String", e.server.displayName},
		{"version()", "String", e.server.version},
		{"revision()", "UInt32", uint32(0)},
		{"timezone()", "String", e.server.timezone},
	} {
		if err := addColumn(block, c.name, c.kind, c.value); err != nil {
			return nil, fmt.Errorf("encode the hello answer: %w", err)
		}
	}
	buffer := &chproto.Buffer{}
	if err := block.Encode(buffer, r.revision); err != nil {
		return nil, fmt.Errorf("encode the hello answer: %w", err)
	}
	header.Set("X-ClickHouse-Format", "Native")
	body := buffer.Buf
	if r.compress {
		packed := &compressedBody{}
		if err := packed.pack(body, chcompress.LZ4); err != nil {
			return nil, err
		}
		body = packed.pending
	}
	return whole(http.StatusOK, header, body), nil
}

// addColumn adds a column of one row.
func addColumn(block *proto.Block, name, kind string, value any) error {
	if err := block.AddColumn(name, column.Type(kind)); err != nil {
		return err
	}
	return block.Columns[len(block.Columns)-1].AppendRow(value)
}

// readServerInfo asks the engine what hello will answer.
func (e *Engine) readServerInfo(ctx context.Context) error {
	t, err := e.begin(ctx, &request{})
	if err != nil {
		return fmt.Errorf("ask the embedded engine for its version: %w", err)
	}
	defer t.end()
	r, err := t.run("SELECT displayName(), version(), timezone()", "TabSeparatedRaw", nil, nil)
	if err != nil {
		return fmt.Errorf("ask the embedded engine for its version: %w", err)
	}
	defer r.destroy()
	fields := strings.Split(strings.TrimSpace(string(r.data)), "\t")
	if len(fields) != 3 {
		return fmt.Errorf("ask the embedded engine for its version: odd answer %q", r.data)
	}
	e.server = serverInfo{fields[0], fields[1], fields[2]}
	return nil
}
