package chdb_test

import (
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// eachTransport runs a test against the engine in this process and against the
// same engine served over loopback HTTP.
func eachTransport(t *testing.T, test func(t *testing.T, conn driver.Conn)) {
	t.Helper()
	open := func(t *testing.T, options *clickhouse.Options) driver.Conn {
		conn, err := clickhouse.Open(options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	t.Run("in process", func(t *testing.T) { test(t, chdbtest.Conn(t)) })
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD, clickhouse.CompressionGZIP} {
		t.Run("over HTTP, compression "+method.String(), func(t *testing.T) { test(t, open(t, overHTTP(t, method))) })
	}
}

func TestQueryAndInsert(t *testing.T) {
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		if err := conn.Exec(ctx, "CREATE TABLE t (x UInt64, s String) ENGINE = MergeTree ORDER BY x"); err != nil {
			t.Fatal(err)
		}
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO t (x, s)")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if err := batch.Append(uint64(i), "row"); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		var n, sum uint64
		if err := conn.QueryRow(ctx, "SELECT count(), sum(x) FROM t").Scan(&n, &sum); err != nil {
			t.Fatal(err)
		}
		if n != 1000 || sum != 499500 {
			t.Errorf("got %d rows that add up to %d, want 1000 and 499500", n, sum)
		}
	})
}
