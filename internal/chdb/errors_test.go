package chdb_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

func TestExceptions(t *testing.T) {
	tests := []struct {
		name, query string
		settings    clickhouse.Settings
		code        int32
		text        string
	}{
		{"syntax", "SELEC 1 FROM", nil, 62, "Syntax error"},
		{"unknown table", "SELECT * FROM nosuch", nil, 60, "nosuch"},
		{"unknown column", "SELECT nosuch FROM numbers(1)", nil, 47, "nosuch"},
		{"unknown database", "CREATE TABLE nosuch.t (x UInt8) ENGINE = Memory", nil, 81, "nosuch"},
		{"parameter not given", "SELECT {x:UInt8}", nil, 456, "x"},
		{"memory", "SELECT groupArray(number) FROM numbers(100000000)", clickhouse.Settings{"max_memory_usage": 10 << 20}, 241, "memory"},
		{"time", "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1", clickhouse.Settings{"max_execution_time": 0.2}, 159, "exceeded"},
		{"unknown setting", "SELECT 1", clickhouse.Settings{"nosuch_setting": 1}, 115, "nosuch_setting"},
		{"bad value of a setting", "SELECT 1", clickhouse.Settings{"max_threads": "many"}, 27, "many"},
		{"odd name of a setting", "SELECT 1", clickhouse.Settings{"max_threads = 1; DROP": "x"}, 115, "Unknown setting"},
		{"deep nesting", "SELECT " + strings.Repeat("negate(", 20000) + "1" + strings.Repeat(")", 20000),
			clickhouse.Settings{"max_parser_depth": 0, "max_ast_depth": 0, "max_parser_backtracks": 0}, 306, "Stack size too large"},
		{"two statements", "SELECT 1; SELECT 2", nil, 62, "Multi-statements"},
		{"session", "SELECT 1", clickhouse.Settings{"session_id": "s"}, 48, "session_id"},
		{"before the first row", "SELECT throwIf(number = 0) FROM numbers(10)", nil, 395, "throwIf"},
		{"after many rows", "SELECT throwIf(number = 3000000), number FROM numbers(10000000)", clickhouse.Settings{"max_threads": 1}, 395, "throwIf"},
	}
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(test.settings))
				rows, err := conn.Query(ctx, test.query)
				if err == nil {
					for rows.Next() {
					}
					err = rows.Err()
				}
				var x *clickhouse.Exception
				if !errors.As(err, &x) {
					t.Fatalf("got %v, want an exception", err)
				}
				if x.Code != test.code || !strings.Contains(x.Message, test.text) {
					t.Errorf("got code %d, %s; want code %d and %q", x.Code, x.Message, test.code, test.text)
				}
			})
		}
	})
}

func TestInsertExceptions(t *testing.T) {
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		if err := conn.Exec(ctx, "CREATE TABLE t (x UInt64, CONSTRAINT small CHECK x < 10) ENGINE = MergeTree ORDER BY x"); err != nil {
			t.Fatal(err)
		}
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO t")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []uint64{1, 100} {
			if err := batch.Append(x); err != nil {
				t.Fatal(err)
			}
		}
		var x *clickhouse.Exception
		if err := batch.Send(); !errors.As(err, &x) || x.Code != 469 {
			t.Errorf("got %v, want code 469 (VIOLATED_CONSTRAINT)", err)
		}
		if n := count(t, conn, "SELECT count() FROM t"); n != 0 {
			t.Errorf("%d rows of a refused batch were stored", n)
		}
	})
}

// Nothing a statement sets may be seen by the next one.
func TestStatementsAreIsolated(t *testing.T) {
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		want := count(t, conn, "SELECT toUInt64(getSetting('max_block_size'))")
		with := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_block_size": 7, "log_comment": "mine", "allow_experimental_time_series_table": true}))
		var (
			size    uint64
			comment string
		)
		if err := conn.QueryRow(with, "SELECT toUInt64(getSetting('max_block_size')), getSetting('log_comment')").Scan(&size, &comment); err != nil || size != 7 || comment != "mine" {
			t.Errorf("settings were not passed on: %d %q %v", size, comment, err)
		}
		for _, statement := range []string{"SET max_block_size = 9", "USE system", "CREATE TEMPORARY TABLE one (x UInt8)"} {
			if err := conn.Exec(ctx, statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if got := count(t, conn, "SELECT toUInt64(getSetting('max_block_size'))"); got != want {
			t.Errorf("max_block_size is %d in a later statement, want %d", got, want)
		}
		if got := count(t, conn, "SELECT count() FROM system.databases WHERE name = currentDatabase() AND name LIKE 'test%'"); got != 1 {
			t.Error("USE leaked into a later statement")
		}
		if err := conn.Exec(ctx, "SELECT * FROM one"); err == nil {
			t.Error("a temporary table leaked into a later statement")
		}
	})
}

func TestCancellation(t *testing.T) {
	const running = "SELECT count() FROM system.processes WHERE query LIKE '%424242424242%' AND query NOT LIKE '%processes%'"
	for _, query := range []string{
		"SELECT count() FROM numbers_mt(424242424242) WHERE sipHash64(number) = 1", // no row before the end
		"SELECT number FROM numbers(424242424242)",                                 // rows all the time
		"INSERT INTO FUNCTION null('x UInt64') SELECT number FROM numbers(424242424242)",
		"SELECT number FROM numbers(424242424242) FORMAT TabSeparatedWithNames", // not streamed
	} {
		t.Run(query, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, conn driver.Conn) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				result := make(chan error, 1)
				go func() {
					rows, err := conn.Query(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_result_bytes": 0})), query)
					if err == nil {
						for rows.Next() {
						}
						err = errors.Join(rows.Err(), rows.Close())
					}
					result <- err
				}()
				waitFor(t, "the query to run", func() bool { return count(t, conn, running) == 1 })
				cancel()
				select {
				case err := <-result:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("got %v, want the context's error", err)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the caller was not let go within 10 s")
				}
				waitFor(t, "the query to stop in the engine", func() bool { return count(t, conn, running) == 0 })
			})
		})
	}
}

func count(t *testing.T, conn driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}
