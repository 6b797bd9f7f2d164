package chdb

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// result is a chunk of output in the engine's memory.
type result struct {
	lib    *library
	handle uintptr
	data   []byte // the engine's memory: gone after destroy
}

func newResult(lib *library, handle uintptr) *result {
	r := &result{lib: lib, handle: handle}
	if n, p := lib.resultLength(handle), lib.resultBuffer(handle); n > 0 && p != nil {
		r.data = unsafe.Slice((*byte)(p), n)
	}
	return r
}

func (r *result) destroy() {
	if r.handle != 0 {
		r.lib.resultDestroy(r.handle)
		r.handle, r.data = 0, nil
	}
}

func (r *result) summary() summary {
	return summary{
		ReadRows: r.lib.resultReadRows(r.handle), ReadBytes: r.lib.resultReadBytes(r.handle),
		WrittenRows: r.lib.resultWrittenRows(r.handle), WrittenBytes: r.lib.resultWrittenBytes(r.handle),
		ResultRows: r.lib.resultRows(r.handle), ResultBytes: r.lib.resultBytes(r.handle),
		Elapsed: time.Duration(r.lib.resultElapsed(r.handle) * float64(time.Second)),
	}
}

// output is the bytes of a statement's answer, read chunk by chunk while the
// statement runs. Read and Close may be called from different goroutines.
type output struct {
	ctx    context.Context
	task   *task
	mu     sync.Mutex
	stream uintptr // 0: nothing more to fetch
	chunk  *result // being read
	total  *summary
	err    error
}

// execute starts a statement and returns its output once the first bytes, the
// end or an error is there.
func (t *task) execute(ctx context.Context, r *request) (*output, error) {
	out := &output{ctx: ctx, task: t}
	if streamable(r) {
		out.stream = newStatement(r.query, r.format, r.names, r.values).call(t.conn.handle(), t.engine.lib.streamQuery)
		if out.stream == 0 {
			return nil, parseException("the engine gave no result")
		}
		text := t.engine.lib.resultError(out.stream)
		if text == "" {
			if err := out.fetch(); err != nil && !errors.Is(err, io.EOF) {
				out.finish()
				return nil, err
			}
			return out, nil
		}
		t.engine.lib.resultDestroy(out.stream)
		out.stream = 0
		if !strings.Contains(text, "Streaming query is not supported") {
			return nil, parseException(text)
		}
	}
	chunk, err := t.run(r.query, r.format, r.names, r.values)
	if err != nil {
		return nil, err
	}
	total := chunk.summary()
	out.chunk, out.total = chunk, &total
	return out, nil
}

// selectStart is a statement that the engine may stream: anything else is
// refused by its streaming call, before it runs.
var selectStart = regexp.MustCompile(`(?is)^(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(SELECT|WITH)\b`)

var formatWord = regexp.MustCompile(`(?i)\bFORMAT\b`)

// streamable says whether the answer can be passed on in pieces: the engine
// writes each piece as a document of its own, which only adds up in formats
// without a head or a foot. (Null has no bytes at all, which a stream takes for
// its end.)
func streamable(r *request) bool {
	if r.buffered || !selectStart.MatchString(r.query) {
		return false
	}
	format := r.format
	if at := formatTail.FindStringSubmatch(r.query); at != nil && at[1] != "" {
		format = at[1]
	} else if formatWord.MatchString(r.query) {
		return false
	}
	switch strings.ToLower(format) {
	case "native", "rowbinary", "tabseparated", "tsv", "csv", "jsoneachrow":
		return true
	}
	return false
}

// fetch takes the next chunk of the stream; io.EOF at its end.
func (o *output) fetch() error {
	lib := o.task.engine.lib
	next := lib.streamFetch(o.task.conn.handle(), o.stream)
	if next == 0 {
		return parseException("the engine gave no result")
	}
	if text := lib.resultError(next); text != "" {
		lib.resultDestroy(next)
		return parseException(text)
	}
	o.chunk = newResult(lib, next)
	if len(o.chunk.data) == 0 {
		o.chunk.destroy()
		lib.resultDestroy(o.stream)
		o.stream = 0
		return io.EOF
	}
	return nil
}

// empty says that the answer has no bytes at all.
func (o *output) empty() bool {
	return o.stream == 0 && (o.chunk == nil || len(o.chunk.data) == 0)
}

// Read implements io.Reader. An error of the engine is an *exception, an ended
// context its error.
func (o *output) Read(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		switch {
		case o.err != nil:
			return 0, o.err
		case o.ctx.Err() != nil:
			o.err = o.ctx.Err()
		case o.chunk != nil && len(o.chunk.data) > 0:
			n := copy(p, o.chunk.data)
			o.chunk.data = o.chunk.data[n:]
			return n, nil
		case o.stream == 0:
			o.err = io.EOF
		default:
			o.chunk.destroy()
			o.err = o.fetch()
			var x *exception
			if errors.As(o.err, &x) && o.ctx.Err() != nil {
				o.err = o.ctx.Err()
			}
		}
		if o.err != nil {
			o.finish()
		}
	}
}

// Close stops the statement if it still runs and frees what it holds.
func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = errors.New("the result is closed")
	}
	o.finish()
	return nil
}

func (o *output) finish() {
	if o.chunk != nil {
		o.chunk.destroy()
	}
	if o.stream != 0 {
		o.task.engine.lib.streamCancel(o.task.conn.handle(), o.stream)
		o.task.engine.lib.resultDestroy(o.stream)
		o.stream = 0
	}
	o.task.end()
}
