package warehouse

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

func TestOpenTwiceAtOnce(t *testing.T) {
	opts := chdbtest.Options(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			w, err := Open(context.Background(), Config{Options: opts})
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Close()
			if n := count(t, w, "SELECT count() FROM migrations"); n != uint64(len(mustMigrations(t))) {
				t.Errorf("%d rows in migrations: each is applied once", n)
			}
		})
	}
	wg.Wait()
	w, err := Open(context.Background(), Config{Options: opts})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if n := count(t, w, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'migration_lock'"); n != 0 {
		t.Error("the lock is still there")
	}
}

func mustMigrations(t *testing.T) []migration {
	t.Helper()
	list, err := migrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// bare is a warehouse without tables.
func bare(t *testing.T) *Warehouse {
	t.Helper()
	w := openTest(t)
	if err := w.conn.Exec(context.Background(), "TRUNCATE TABLE migrations SYNC"); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestMigrationsAreGuarded(t *testing.T) {
	ctx := context.Background()
	w := bare(t)
	list := func(files ...string) []migration {
		fs := fstest.MapFS{}
		for i, f := range files {
			fs["migrations/"+[]string{"0001_a.sql", "0002_b.sql"}[i]] = &fstest.MapFile{Data: []byte(f)}
		}
		l, err := migrations(fs)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	a, b := "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = MergeTree ORDER BY x;\n", "-- more; of it\nALTER TABLE a ADD COLUMN IF NOT EXISTS y UInt8;\nALTER TABLE a ADD COLUMN IF NOT EXISTS z UInt8;\n"
	if err := w.apply(ctx, list(a), false); err != nil {
		t.Fatal(err)
	}
	// A crash between two statements: the first was run, nothing recorded.
	if err := w.apply(ctx, list(a, strings.ReplaceAll(b, "COLUMN IF NOT EXISTS z", "COLUM z")), false); err == nil || !strings.Contains(err.Error(), "0002_b.sql, statement 2") {
		t.Errorf("broken statement: %v", err)
	}
	if err := w.apply(ctx, list(a, b), false); err != nil {
		t.Errorf("repeated after a crash: %v", err)
	}
	var changed *ChecksumError
	if err := w.apply(ctx, list(a+"\n", b), false); !errors.As(err, &changed) || changed.Name != "0001_a.sql" {
		t.Errorf("changed file: %v", err)
	}
	if err := w.apply(ctx, list(a), false); err == nil || !strings.Contains(err.Error(), "0002_b.sql") {
		t.Errorf("unknown newer migration: %v", err)
	}
}

func TestLockLeftBehind(t *testing.T) {
	ctx := context.Background()
	w := bare(t)
	if err := w.conn.Exec(ctx, statements.get("lock_create.sql")); err != nil {
		t.Fatal(err)
	}
	// Held by someone alive: wait until the caller gives up.
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	lock := migrationLock{conn: w.conn, owner: "me", patience: time.Minute, log: w.log}
	if _, _, err := lock.acquire(short, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("held lock: %v", err)
	}
	// Not beaten for longer than the patience: taken over. Nobody else can be there: taken over at once.
	for patience, exclusive := range map[time.Duration]bool{time.Millisecond: false, time.Hour: true} {
		lock.patience = patience
		if patience < time.Second {
			time.Sleep(1100 * time.Millisecond) // the table's own time has whole seconds
		}
		lock.patience = max(patience, 6*time.Millisecond)
		held, release, err := lock.acquire(ctx, exclusive)
		if err != nil {
			t.Fatalf("lock left behind: %v", err)
		}
		if err := errors.Join(held.Err(), release()); err != nil {
			t.Fatal(err)
		}
		if err := w.conn.Exec(ctx, statements.get("lock_create.sql")); err != nil {
			t.Fatalf("after the release: %v", err)
		}
	}
}

func TestCreatesItsDatabase(t *testing.T) {
	opts := chdbtest.Options(t)
	opts.Auth.Database += "_more"
	w, err := Open(context.Background(), Config{Options: opts, Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	insert(t, w, "a", storedOnce)
	if err := w.conn.Exec(context.Background(), "DROP DATABASE {db:Identifier} SYNC", clickhouse.Named("db", opts.Auth.Database)); err != nil {
		t.Error(err)
	}
}
