package chdb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// residentMB is this process's resident memory, 0 where /proc is missing.
func residentMB() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(text)[0])
			return kb >> 10
		}
	}
	return 0
}

// playIdle prints the resident memory of a process that has opened the engine
// and answered one query.
func playIdle(ctx context.Context, path string) error {
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
	fmt.Println(residentMB())
	return engine.Close()
}

func TestIdleMemory(t *testing.T) {
	out, err := scene(t, "idle", t.TempDir()).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	mb, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatalf("the idle process says %q", out)
	}
	t.Logf("an idle process with the engine open: %d MB", mb)
	if mb > 400 && !raceEnabled {
		t.Errorf("an idle process with the engine open takes %d MB, want at most 400", mb)
	}
}

// A result larger than the memory it may take comes through whole, at the pace
// of its reader.
func TestLargeResultIsStreamed(t *testing.T) {
	rowsWanted := uint64(50_000_000)
	if raceEnabled || testing.Short() {
		rowsWanted = 5_000_000
	}
	for name, options := range map[string]*clickhouse.Options{
		"in process": chdbtest.Options(t), "over HTTP": overHTTP(t, clickhouse.CompressionNone),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := clickhouse.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			before, most := residentMB(), 0
			rows, err := conn.Query(t.Context(), "SELECT number FROM numbers({n:UInt64})", clickhouse.Named("n", rowsWanted))
			if err != nil {
				t.Fatal(err)
			}
			var n, sum uint64
			for ; rows.Next(); n++ {
				var x uint64
				if err := rows.Scan(&x); err != nil {
					t.Fatal(err)
				}
				sum += x
				if n%5_000_000 == 0 {
					most = max(most, residentMB())
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
			if n != rowsWanted || sum != n*(n-1)/2 {
				t.Errorf("%d rows that add up to %d, want %d", n, sum, rowsWanted)
			}
			t.Logf("%d rows, %d MB of data: resident memory rose by %d MB", n, n*8>>20, most-before)
			if most-before > 150 {
				t.Errorf("resident memory rose by %d MB", most-before)
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		if err := conn.Exec(ctx, "CREATE TABLE t (batch UInt64, x UInt64) ENGINE = MergeTree ORDER BY x"); err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for worker := range uint64(8) {
			group.Go(func() {
				for i := range uint64(10) {
					if worker < 2 {
						if err := insertBatch(ctx, conn, worker*10+i); err != nil {
							t.Error(err)
						}
						continue
					}
					want := worker*1000 + i
					with := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"log_comment": strconv.FormatUint(want, 10)}))
					var x uint64
					var comment string
					if err := conn.QueryRow(with, "SELECT {x:UInt64} + 0 * count(), getSetting('log_comment') FROM t", clickhouse.Named("x", want)).Scan(&x, &comment); err != nil || x != want || comment != strconv.FormatUint(want, 10) {
						t.Errorf("got %d %s, want %d, error %v", x, comment, want, err)
					}
					if err := conn.Exec(ctx, "SELECT * FROM nosuch"); err == nil {
						t.Error("no error for an unknown table")
					}
					short, cancel := context.WithTimeout(ctx, time.Millisecond)
					_ = conn.Exec(short, "SELECT count() FROM numbers(100000000) WHERE sipHash64(number) = 1")
					cancel()
				}
			})
		}
		group.Wait()
		if n := count(t, conn, "SELECT count() FROM t"); n != 20*insertRows {
			t.Errorf("%d rows stored, want %d", n, 20*insertRows)
		}
	})
}

// Two queries that each sleep take one sleep's time together.
func TestQueriesRunInParallel(t *testing.T) {
	conn := chdbtest.Conn(t)
	start := time.Now()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := conn.Exec(t.Context(), "SELECT sleep(0.5)"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("four sleeps of 0.5 s took %s", took)
	}
}

func TestInsertDeduplicationToken(t *testing.T) {
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		for _, statement := range []string{
			`CREATE TABLE t (batch UInt64, x UInt64) ENGINE = MergeTree ORDER BY x SETTINGS non_replicated_deduplication_window = 100`,
			`CREATE TABLE sums (batch UInt64, n UInt64) ENGINE = SummingMergeTree ORDER BY batch SETTINGS non_replicated_deduplication_window = 100`,
			`CREATE MATERIALIZED VIEW v TO sums AS SELECT batch, count() AS n FROM t GROUP BY batch`,
		} {
			if err := conn.Exec(ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
		for _, token := range []string{"one", "one", "two", "one"} {
			with := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
				"insert_deduplication_token": token, "deduplicate_blocks_in_dependent_materialized_views": 1}))
			if err := insertBatch(with, conn, 1); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, conn, "SELECT count() FROM t"); n != 2*insertRows {
			t.Errorf("%d rows stored, want %d", n, 2*insertRows)
		}
		if n := count(t, conn, "SELECT sum(n) FROM sums"); n != 2*insertRows {
			t.Errorf("the view counted %d rows, want %d", n, 2*insertRows)
		}
	})
}
