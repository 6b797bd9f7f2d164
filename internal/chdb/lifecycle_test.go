package chdb_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/internal/chdb"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// A process has one engine, so tests of opening and closing run in processes
// of their own: this test binary again, with the scene to play in its
// environment.
const (
	sceneVariable = "KASSA_CHDB_TEST_SCENE"
	pathVariable  = "KASSA_CHDB_TEST_PATH"
)

func TestMain(m *testing.M) {
	play, ok := scenes[os.Getenv(sceneVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(context.Background(), os.Getenv(pathVariable)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// scene is the command that plays a scene on a data directory.
func scene(t *testing.T, name, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), sceneVariable+"="+name, pathVariable+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

var scenes = map[string]func(ctx context.Context, path string) error{
	"open": func(ctx context.Context, path string) error {
		engine, err := openEngine(ctx, path)
		if err != nil {
			return err
		}
		return engine.Close()
	},
	"close":           playClose,
	"insert for ever": playInserts,
	"check inserts":   playCheck,
	"idle":            playIdle,
	"signals":         playSignals,
}

func openEngine(ctx context.Context, path string) (*chdb.Engine, error) {
	library, err := chdbtest.Library()
	if err != nil {
		return nil, err
	}
	return chdb.Open(ctx, chdb.Config{Library: library, Path: path})
}

func playClose(ctx context.Context, path string) error {
	engine, err := openEngine(ctx, path)
	if err != nil {
		return err
	}
	if _, err := openEngine(ctx, path+"-other"); err == nil || !strings.Contains(err.Error(), "one data directory at a time") {
		return fmt.Errorf("a second path in one process: got %w", err)
	}
	conn, err := clickhouse.Open(engine.Options("default"))
	if err != nil {
		return err
	}
	if err := conn.Exec(ctx, "CREATE TABLE t ENGINE = MergeTree ORDER BY x AS SELECT number AS x FROM numbers(100000)"); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "SELECT number FROM numbers(3000000)")
	if err != nil {
		return err
	}
	closed := make(chan error, 2)
	for range 2 {
		go func() { closed <- engine.Close() }()
	}
	n := 0
	for rows.Next() {
		n++
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || n != 3000000 {
		return fmt.Errorf("a result that was being read at Close: %d rows, %w", n, err)
	}
	if err := errors.Join(<-closed, <-closed, engine.Close()); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := conn.Exec(ctx, "SELECT 1"); !errors.Is(err, chdb.ErrClosed) {
		return fmt.Errorf("a statement after Close: got %w", err)
	}
	// Another path, and the first again.
	for _, p := range []string{path + "-other", path} {
		if engine, err = openEngine(ctx, p); err != nil {
			return fmt.Errorf("open again: %w", err)
		}
		if p == path {
			again, err := clickhouse.Open(engine.Options("default"))
			if err != nil {
				return err
			}
			var n uint64
			if err := again.QueryRow(ctx, "SELECT count() FROM t").Scan(&n); err != nil || n != 100000 {
				return fmt.Errorf("after opening again: %d rows, %w", n, err)
			}
		}
		if err := engine.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestCloseWaitsAndIsIdempotent(t *testing.T) {
	if out, err := scene(t, "close", filepath.Join(t.TempDir(), "data")).Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	engine := chdbtest.Engine(t)
	out, err := scene(t, "open", engine.Path()).Output()
	if err == nil {
		t.Fatal("a second process opened the same data directory")
	}
	for _, want := range []string{fmt.Sprintf("process %d", os.Getpid()), "is another kassa running on this data_dir?"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got %q, want it to say %q", out, want)
		}
	}
}

func TestOpenWithoutLibrary(t *testing.T) {
	for _, library := range []string{"", "/nonexistent/libchdb.so"} {
		_, err := chdb.Open(t.Context(), chdb.Config{Library: library, Path: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), "npm ci") {
			t.Errorf("library %q: got %v, want a word on npm ci", library, err)
		}
	}
	notOurs := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(notOurs, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := chdb.Open(t.Context(), chdb.Config{Library: notOurs, Path: t.TempDir()}); err == nil || !strings.Contains(err.Error(), notOurs) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

const insertRows = 20000

// playInserts inserts numbered batches until it is killed, and prints the
// number of each batch that the engine acknowledged.
func playInserts(ctx context.Context, path string) error {
	engine, err := openEngine(ctx, path)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(engine.Options("default"))
	if err != nil {
		return err
	}
	if err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS t (batch UInt64, x UInt64) ENGINE = MergeTree ORDER BY x
		SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`); err != nil {
		return err
	}
	var first uint64
	if err := conn.QueryRow(ctx, "SELECT max(batch) + 1 FROM t").Scan(&first); err != nil {
		return err
	}
	for n := first; ; n++ {
		if err := insertBatch(ctx, conn, n); err != nil {
			return err
		}
		fmt.Println("stored", n)
	}
}

func insertBatch(ctx context.Context, conn driver.Conn, n uint64) error {
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO t (batch, x)")
	if err != nil {
		return err
	}
	for i := range uint64(insertRows) {
		if err := batch.Append(n, i); err != nil {
			return err
		}
	}
	return batch.Send()
}

// playCheck prints how many batches are whole, in parts and doubled.
func playCheck(ctx context.Context, path string) error {
	engine, err := openEngine(ctx, path)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(engine.Options("default"))
	if err != nil {
		return err
	}
	var whole, broken, last uint64
	if err := conn.QueryRow(ctx, `SELECT countIf(rows = {n:UInt64} AND different = rows), countIf(rows != {n:UInt64} OR different != rows), max(batch)
		FROM (SELECT batch, count() AS rows, uniqExact(x) AS different FROM t GROUP BY batch)`,
		clickhouse.Named("n", insertRows)).Scan(&whole, &broken, &last); err != nil {
		return err
	}
	fmt.Println(whole, broken, last)
	return engine.Close()
}

func TestKillDuringInsert(t *testing.T) {
	path := t.TempDir()
	var acknowledged uint64
	for round := range 3 {
		cmd := scene(t, "insert for ever", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if _, err := fmt.Sscanf(lines.Text(), "stored %d", &acknowledged); err != nil {
				t.Fatalf("the inserting process says %q", lines.Text())
			}
			if n == 4+3*round {
				time.Sleep(time.Duration(round) * 3 * time.Millisecond) // somewhere else in the next insert
				_ = cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		_ = cmd.Wait() // killed
	}
	out, err := scene(t, "check inserts", path).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var whole, broken, last uint64
	if _, err := fmt.Sscan(string(out), &whole, &broken, &last); err != nil {
		t.Fatalf("the checking process says %q", out)
	}
	if broken != 0 || whole != last || last < acknowledged || last > acknowledged+1 {
		t.Errorf("%d whole batches, %d broken, last %d; %d were acknowledged", whole, broken, last, acknowledged)
	}
}

// playSignals checks that Go still gets its signals with the engine open.
func playSignals(ctx context.Context, path string) error {
	engine, err := openEngine(ctx, path)
	if err != nil {
		return err
	}
	conn, err := clickhouse.Open(engine.Options("default"))
	if err != nil {
		return err
	}
	if err := conn.Ping(ctx); err != nil {
		return err
	}
	if err := dereferenceNil(); err == nil {
		return errors.New("a nil pointer was followed without a panic")
	}
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1} {
		caught, stop := signal.NotifyContext(ctx, sig)
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			return err
		}
		if err := self.Signal(sig); err != nil {
			return err
		}
		select {
		case <-caught.Done():
		case <-time.After(5 * time.Second):
			return fmt.Errorf("%s did not arrive", sig)
		}
		stop()
	}
	return engine.Close()
}

func dereferenceNil() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	var e *os.ProcAttr
	fmt.Println(e.Dir)
	return nil
}

func TestGoKeepsItsSignals(t *testing.T) {
	if out, err := scene(t, "signals", t.TempDir()).Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
