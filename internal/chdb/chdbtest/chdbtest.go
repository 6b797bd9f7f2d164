// Package chdbtest gives tests fresh databases on the real embedded engine.
package chdbtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/internal/chdb"
)

// shared is the test process's one engine: the library opens one data
// directory per process, so tests share it and take databases of their own.
var shared struct {
	once   sync.Once
	engine *chdb.Engine
	err    error
	last   atomic.Int64 // number of the last database
}

// Engine returns the engine of this test process, opened on first use in a
// directory of its own under the system's temporary directory. It stays open
// until the process ends; a directory left by a process that is gone is
// removed, unless a test in it failed (it then holds a file named KEEP).
func Engine(t testing.TB) *chdb.Engine {
	t.Helper()
	shared.once.Do(func() { shared.engine, shared.err = open() })
	if shared.err != nil {
		t.Fatalf("the tests need the real engine: %v", shared.err)
	}
	return shared.engine
}

// Conn returns a connection to a fresh, empty database. The database is
// dropped when the test passes and kept, with a word on where, when it fails.
func Conn(t testing.TB) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(Options(t))
	if err != nil {
		t.Fatalf("open a connection to the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("close the connection to the test database: %v", err)
		}
	})
	return conn
}

// Options are the options of a connection to a fresh, empty database, for
// tests that open it themselves.
func Options(t testing.TB) *clickhouse.Options {
	t.Helper()
	engine := Engine(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	admin, err := clickhouse.Open(engine.Options("default"))
	if err != nil {
		t.Fatalf("open a connection to the engine: %v", err)
	}
	name := fmt.Sprintf("test_%d", shared.last.Add(1))
	if err := admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create the test database: %v", err)
	}
	t.Cleanup(func() {
		defer admin.Close()
		if t.Failed() {
			keep := filepath.Join(engine.Path(), "KEEP")
			if err := os.WriteFile(keep, nil, 0o600); err != nil {
				t.Errorf("keep the test database: %v", err)
			}
			t.Logf("database %s is kept in %s: open it with `kassa engine` or clickhouse-local --path", name, engine.Path())
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := admin.Exec(ctx, "DROP DATABASE "+name+" SYNC"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return engine.Options(name)
}

// Library returns the path of the engine library, looked for as the product
// does, from the module's root.
func Library() (string, error) {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	return chdb.FindLibrary(os.Getenv, root, root)
}

func open() (*chdb.Engine, error) {
	library, err := Library()
	if err != nil {
		return nil, err
	}
	removeStale()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return nil, fmt.Errorf("make a directory for the test engine: %w", err)
	}
	return chdb.Open(context.Background(), chdb.Config{Library: library, Path: dir, Logger: slog.New(slog.DiscardHandler)})
}

const prefix = "kassa-chdbtest-"

// removeStale removes the directories of test processes that are gone.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range dirs {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(number)
		if err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "KEEP")); err != nil {
			_ = os.RemoveAll(dir) // best effort: another process may be at it too
		}
	}
}
