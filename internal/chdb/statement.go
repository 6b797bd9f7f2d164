package chdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/google/uuid"
)

// summary is what a finished statement read and wrote, as ClickHouse's
// X-ClickHouse-Summary header says it.
type summary struct {
	ReadRows, ReadBytes, WrittenRows, WrittenBytes, ResultRows, ResultBytes uint64
	Elapsed                                                                 time.Duration
}

// task is one statement on a connection of its own.
type task struct {
	engine *Engine
	conn   connection
	id     string        // the caller's, or one of ours
	tag    string        // what the engine's list of running queries knows it by
	stop   func() bool   // ends the watch on the context
	over   chan struct{} // closed when the statement runs no more
	killed chan struct{} // closed when kill, once started, is done
	once   sync.Once
}

// begin opens a connection, gives it the request's settings and database, and
// watches ctx: when it ends the statement is killed. The caller calls end.
func (e *Engine) begin(ctx context.Context, r *request) (*task, error) {
	if err := e.acquire(ctx); err != nil {
		return nil, err
	}
	t := &task{engine: e, conn: e.connect(), id: r.queryID, over: make(chan struct{}), killed: make(chan struct{})}
	if t.conn == 0 {
		e.release()
		return nil, errors.New("the embedded engine refused a connection")
	}
	if t.tag = uuid.NewString(); t.id == "" {
		t.id = t.tag
	} else {
		t.tag = t.id + "/" + t.tag // ids need not be unique
	}
	t.stop = context.AfterFunc(ctx, t.kill)
	err := t.prepare(r)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

func (t *task) end() {
	t.once.Do(func() {
		close(t.over)
		if !t.stop() {
			<-t.killed // or its connection could outlive the engine
		}
		t.engine.disconnect(t.conn)
		t.engine.release()
	})
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`)

func quote(text string) string { return "'" + quoter.Replace(text) + "'" }

// prepare sets the connection up. The library gives its queries ids of its
// own, so the task's tag rides along in a setting that changes nothing else:
// log_comment, or query_cache_tag when the caller uses that one.
func (t *task) prepare(r *request) error {
	carrier := "log_comment"
	var set strings.Builder
	for _, s := range r.settings {
		if !settingName.MatchString(s.name) {
			return refuse(codeUnknownSetting, "Unknown setting %s", quote(s.name))
		}
		if s.name == "log_comment" {
			carrier = "query_cache_tag"
		}
		set.WriteString(", " + s.name + " = " + quote(s.value))
	}
	if _, err := t.run("SET "+carrier+" = "+quote(t.tag)+set.String(), "Null", nil, nil); err != nil {
		return err
	}
	if r.database == "" || r.database == "default" {
		return nil
	}
	_, err := t.run("USE "+quoteName(r.database), "Null", nil, nil)
	return err
}

func quoteName(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// kill stops the statement, again and again until it runs no more: the first
// time it may not have reached the engine's list of running queries yet.
func (t *task) kill() {
	defer close(t.killed)
	query := newStatement("KILL QUERY WHERE Settings['log_comment'] = "+quote(t.tag)+
		" OR Settings['query_cache_tag'] = "+quote(t.tag)+" ASYNC", "Null", nil, nil)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		select {
		case <-t.over:
			return
		default:
		}
		if conn := t.engine.connect(); conn != 0 {
			result := query.call(conn.handle(), t.engine.lib.query)
			t.engine.lib.resultDestroy(result)
			t.engine.disconnect(conn)
		}
		select {
		case <-t.over:
			return
		case <-time.After(pause):
		}
	}
}

// run executes a statement to its end and returns the result, whose output the
// caller reads and destroys; on an error there is nothing to destroy.
func (t *task) run(query, format string, names, values []string) (*result, error) {
	lib := t.engine.lib
	r := newStatement(query, format, names, values).call(t.conn.handle(), lib.query)
	if r == 0 {
		return nil, parseException("the engine gave no result")
	}
	if text := lib.resultError(r); text != "" {
		lib.resultDestroy(r)
		return nil, parseException(text)
	}
	return newResult(lib, r), nil
}

// insert streams data into the engine and commits it. Data that ends in an
// error is not committed, apart from blocks of a million rows that were full
// by then: the same as with a ClickHouse server.
func (t *task) insert(ctx context.Context, r *request) (summary, error) {
	lib := t.engine.lib
	stream := newStatement(r.query, r.format, r.names, r.values).call(t.conn.handle(), lib.insert)
	if stream == 0 {
		return summary{}, parseException("the engine gave no insert stream")
	}
	defer lib.insertDestroy(stream)
	if text := lib.insertError(stream); text != "" {
		return summary{}, insertException(text)
	}
	if err := t.appendAll(ctx, stream, r.data); err != nil {
		lib.insertCancel(stream)
		return summary{}, err
	}
	done := lib.insertDone(stream)
	if done == 0 {
		return summary{}, parseException("the engine did not say whether the insert succeeded")
	}
	defer lib.resultDestroy(done)
	if text := lib.resultError(done); text != "" {
		return summary{}, parseException(text)
	}
	return newResult(lib, done).summary(), nil
}

// insertChunk is how much of an insert's data is handed over at a time.
const insertChunk = 1 << 20

func (t *task) appendAll(ctx context.Context, stream uintptr, data *bufio.Reader) error {
	lib := t.engine.lib
	chunk := make([]byte, insertChunk)
	for {
		// Not io.ReadFull: it would call a body that was cut short a short
		// last chunk, and the half insert would be committed.
		n, err := 0, error(nil)
		for n < len(chunk) && err == nil {
			var got int
			got, err = data.Read(chunk[n:])
			n += got
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the data of an insert: %w", err)
		}
		if n > 0 {
			state := lib.insertAppend(stream, unsafe.Pointer(&chunk[0]), uintptr(n))
			runtime.KeepAlive(chunk)
			if state != 0 {
				return insertException(lib.insertError(stream))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// insertException gives the two refusals of the streaming insert that carry no
// code the one a server would use.
func insertException(text string) *exception {
	if strings.HasPrefix(text, "send_insert does not support") {
		return refuse(codeNotImplemented, "INSERT … SELECT takes no data in the body")
	}
	return parseException(text)
}
