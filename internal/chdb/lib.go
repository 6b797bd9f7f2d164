package chdb

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is the part of chdb.h that the adapter uses. Handles are opaque
// pointers into the engine's memory; strings go in by pointer and length, so
// that NUL bytes pass.
type library struct {
	version           func() string
	setSignalHandlers func(enabled int32)

	connect func(argc int32, argv unsafe.Pointer) uintptr
	close   func(conn uintptr)

	query func(conn uintptr, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) uintptr
	streamQuery func(conn uintptr, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) uintptr
	streamFetch  func(conn, stream uintptr) uintptr
	streamCancel func(conn, stream uintptr)

	insert func(conn uintptr, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
		names, nameLens, values, valueLens unsafe.Pointer, count uintptr) uintptr
	insertAppend  func(stream uintptr, data unsafe.Pointer, length uintptr) int32
	insertDone    func(stream uintptr) uintptr
	insertCancel  func(stream uintptr)
	insertError   func(stream uintptr) string
	insertDestroy func(stream uintptr)

	classify func(conn uintptr, query unsafe.Pointer, queryLen uintptr, database unsafe.Pointer, databaseLen uintptr,
		out unsafe.Pointer) int32

	resultDestroy func(result uintptr)
	resultBuffer  func(result uintptr) unsafe.Pointer
	resultLength  func(result uintptr) uintptr
	resultError   func(result uintptr) string

	resultElapsed      func(result uintptr) float64
	resultRows         func(result uintptr) uint64
	resultBytes        func(result uintptr) uint64
	resultReadRows     func(result uintptr) uint64
	resultReadBytes    func(result uintptr) uint64
	resultWrittenRows  func(result uintptr) uint64
	resultWrittenBytes func(result uintptr) uint64
}

// loadLibrary maps the shared library at path and binds what the adapter
// needs. A library that lacks a function is refused by name: it is another
// release than the one in package.json.
func loadLibrary(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine library %s: %w", path, err)
	}
	lib := &library{}
	var missing []error
	for _, f := range []struct {
		name string
		fn   any
	}{
		{"chdb_version", &lib.version},
		{"chdb_set_signal_handlers_enabled", &lib.setSignalHandlers},
		{"chdb_connect", &lib.connect},
		{"chdb_close_conn", &lib.close},
		{"chdb_query_with_params_n", &lib.query},
		{"chdb_stream_query_with_params_n", &lib.streamQuery},
		{"chdb_stream_fetch_result", &lib.streamFetch},
		{"chdb_stream_cancel_query", &lib.streamCancel},
		{"chdb_stream_insert_with_params_n", &lib.insert},
		{"chdb_stream_append", &lib.insertAppend},
		{"chdb_stream_done", &lib.insertDone},
		{"chdb_stream_cancel_insert", &lib.insertCancel},
		{"chdb_stream_insert_error", &lib.insertError},
		{"chdb_destroy_insert_stream", &lib.insertDestroy},
		{"chdb_classify_query_n", &lib.classify},
		{"chdb_destroy_query_result", &lib.resultDestroy},
		{"chdb_result_buffer", &lib.resultBuffer},
		{"chdb_result_length", &lib.resultLength},
		{"chdb_result_error", &lib.resultError},
		{"chdb_result_elapsed", &lib.resultElapsed},
		{"chdb_result_rows_read", &lib.resultRows},
		{"chdb_result_bytes_read", &lib.resultBytes},
		{"chdb_result_storage_rows_read", &lib.resultReadRows},
		{"chdb_result_storage_bytes_read", &lib.resultReadBytes},
		{"chdb_result_rows_written", &lib.resultWrittenRows},
		{"chdb_result_bytes_written", &lib.resultWrittenBytes},
	} {
		address, err := purego.Dlsym(handle, f.name)
		if err != nil {
			missing = append(missing, errors.New(f.name))
			continue
		}
		purego.RegisterFunc(f.fn, address)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("engine library %s is not the release that package.json names (run `npm ci`): it lacks %w",
			path, errors.Join(missing...))
	}
	return lib, nil
}

// cstrings is a list of byte strings laid out as C wants it: one array of
// pointers, one of lengths. It stays valid for as long as it is reachable.
type cstrings struct {
	data    [][]byte
	ptrs    []unsafe.Pointer
	lengths []uintptr
}

// newCStrings copies the strings; each copy ends in a NUL byte that its length
// does not count.
func newCStrings(list []string) *cstrings {
	c := &cstrings{}
	for _, s := range list {
		b := append([]byte(s), 0)
		c.data = append(c.data, b)
		c.ptrs = append(c.ptrs, unsafe.Pointer(&b[0]))
		c.lengths = append(c.lengths, uintptr(len(s)))
	}
	return c
}

func (c *cstrings) pointers() unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(c.ptrs))
}

func (c *cstrings) lens() unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(c.lengths))
}

// statement is a query, its default format and its parameters, ready for the
// engine's ten-argument calls.
type statement struct {
	text, names, values *cstrings
}

func newStatement(query, format string, names, values []string) *statement {
	return &statement{
		text:   newCStrings([]string{query, format}),
		names:  newCStrings(names),
		values: newCStrings(values),
	}
}

// call hands the statement to one of the engine's `…_with_params_n` functions.
func (s *statement) call(conn uintptr, fn func(uintptr, unsafe.Pointer, uintptr, unsafe.Pointer, uintptr,
	unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, unsafe.Pointer, uintptr) uintptr) uintptr {
	result := fn(conn,
		s.text.ptrs[0], s.text.lengths[0], s.text.ptrs[1], s.text.lengths[1],
		s.names.pointers(), s.names.lens(), s.values.pointers(), s.values.lens(), uintptr(len(s.names.data)))
	runtime.KeepAlive(s)
	return result
}

// statements counts the executable statements in a text with the engine's own
// parser; 0 when it does not parse.
func (l *library) statements(conn uintptr, query string) int {
	report := &struct{ size, statements, flags, class uint32 }{size: 16}
	text := newCStrings([]string{query})
	state := l.classify(conn, text.ptrs[0], text.lengths[0], nil, 0, unsafe.Pointer(report))
	runtime.KeepAlive(text)
	if state != 0 {
		return 0
	}
	return int(report.statements)
}

// pointer turns an address in the engine's memory into a Go pointer. It is
// never an address in Go's own heap, so the collector does not look at it.
func pointer(address uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}
