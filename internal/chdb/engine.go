// Package chdb is the embedded warehouse: the real ClickHouse engine
// (libchdb), loaded without cgo and put under clickhouse-go as an HTTP
// transport.
package chdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrClosed is returned for statements that reach an engine after Close.
var ErrClosed = errors.New("the embedded engine is closed")

// defaultConnections bounds how many statements run at once when Config leaves
// it to us: enough for a page full of reports beside the writer.
const defaultConnections = 16

// Config says where the engine's library and data are.
type Config struct {
	// Library is the path of libchdb.so, see FindLibrary.
	Library string
	// Path is the data directory, in ClickHouse's own layout. It is made
	// (mode 0700) when it does not exist. One process owns it at a time.
	Path string
	// Connections is how many statements may run at once; further ones wait.
	// 0 means 16.
	Connections int
	// Logger takes the engine's few own messages; nil discards them. Query
	// texts and parameters are never logged.
	Logger *slog.Logger
}

// Engine is the ClickHouse engine open on one data directory. It is an
// http.RoundTripper for clickhouse-go and may be used by many goroutines.
//
// The library holds one data directory per process: a second Engine on another
// path is refused until the first is closed. Tests that need a clean place
// take a database of their own instead, see package chdbtest.
type Engine struct {
	lib    *library
	path   string
	argv   []string
	log    *slog.Logger
	server serverInfo
	slots  chan struct{} // a token per statement that may still start

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	anchor  connection // never used for statements: keeps the engine booted
	done    chan struct{}
}

// serverInfo is what the engine says of itself when it is opened.
type serverInfo struct {
	displayName, version, timezone string
}

// Open loads the library and opens the data directory, which takes a few
// tenths of a second and some 200 MB of resident memory.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.Library == "" {
		return nil, fmt.Errorf("open the embedded engine: no library given: run `npm ci` in the checkout, or set %s", LibraryVariable)
	}
	if err := checkLibraryFile(cfg.Library); err != nil {
		return nil, fmt.Errorf("open the embedded engine: %w: run `npm ci` in the checkout, or set %s", err, LibraryVariable)
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil || cfg.Path == "" {
		return nil, fmt.Errorf("open the embedded engine: bad data directory %q: %w", cfg.Path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the engine's data directory: %w", err)
	}
	configFile, err := writeServerConfig(path)
	if err != nil {
		return nil, err
	}
	lib, err := loadLibrary(cfg.Library)
	if err != nil {
		return nil, err
	}
	lib.setSignalHandlers(0) // before the first connection: Go keeps its signals

	e := &Engine{
		lib:  lib,
		path: path,
		argv: []string{"clickhouse", "--path=" + path, "--config-file=" + configFile},
		log:  cfg.Logger,
		done: make(chan struct{}),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	n := cfg.Connections
	if n <= 0 {
		n = defaultConnections
	}
	e.slots = make(chan struct{}, n)

	if e.anchor = e.connect(); e.anchor == 0 {
		return nil, e.explainRefusal()
	}
	if err := e.readServerInfo(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.log.Info("embedded engine open", "version", e.server.version, "path", path, "connections", n)
	return e, nil
}

// Path is the data directory, absolute.
func (e *Engine) Path() string { return e.path }

// Version is the ClickHouse version of the engine, such as "26.7.2.1".
func (e *Engine) Version() string { return e.server.version }

// Options are what clickhouse-go needs to reach the engine in this process.
// They carry no address, user or password that matter.
func (e *Engine) Options(database string) *clickhouse.Options {
	return &clickhouse.Options{
		Protocol:      clickhouse.HTTP,
		Addr:          []string{"embedded"},
		Auth:          clickhouse.Auth{Database: database},
		MaxOpenConns:  cap(e.slots),
		MaxIdleConns:  cap(e.slots),
		TransportFunc: e.transport,
	}
}

// Close refuses new statements, waits for the running ones (a result that is
// being read runs until its rows are closed) and closes the data directory.
// Calling it again waits for the first call and returns nil.
func (e *Engine) Close() error {
	e.mu.Lock()
	again := e.closed
	e.closed = true
	e.mu.Unlock()
	if again {
		<-e.done
		return nil
	}
	e.running.Wait()
	if e.anchor != 0 {
		e.disconnect(e.anchor)
	}
	close(e.done)
	e.log.Info("embedded engine closed", "path", e.path)
	return nil
}

// acquire waits for a slot; the caller gives it back with release.
func (e *Engine) acquire(ctx context.Context) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	e.running.Add(1)
	e.mu.Unlock()
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		e.running.Done()
		return fmt.Errorf("wait for a free connection of the embedded engine: %w", ctx.Err())
	}
}

func (e *Engine) release() {
	<-e.slots
	e.running.Done()
}

// connection is a `chdb_connection *`: a session of the engine. Opening one
// costs about 0.1 ms, so each statement has its own and nothing (settings,
// current database, temporary tables) leaks from one to the next.
type connection uintptr

func (e *Engine) connect() connection {
	args := newCStrings(e.argv)
	conn := e.lib.connect(int32(len(e.argv)), args.pointers())
	runtime.KeepAlive(args)
	return connection(conn)
}

func (e *Engine) disconnect(c connection) { e.lib.close(uintptr(c)) }

// handle is the `chdb_connection` inside, which statements are run on.
func (c connection) handle() uintptr {
	return *(*uintptr)(pointer(uintptr(c)))
}
