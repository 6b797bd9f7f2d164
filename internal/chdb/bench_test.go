package chdb_test

import (
	"fmt"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

func BenchmarkSmallQuery(b *testing.B) {
	conn := chdbtest.Conn(b)
	for _, query := range []string{"SELECT toUInt64(1)", "SELECT count() FROM system.one WHERE dummy = {x:UInt8}"} {
		b.Run(fmt.Sprintf("query=%q", query), func(b *testing.B) {
			for b.Loop() {
				var x uint64
				if err := conn.QueryRow(b.Context(), query, clickhouse.Named("x", 0)).Scan(&x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInsert inserts rows one Append at a time, as the writer does.
func BenchmarkInsert(b *testing.B) {
	for _, rows := range []int{1000, 20000, 200000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			ctx := b.Context()
			conn := chdbtest.Conn(b)
			if err := conn.Exec(ctx, `CREATE TABLE t (shop LowCardinality(String), visitor UInt64, id UInt128, at DateTime64(3), page String,
				value Decimal(18, 4)) ENGINE = MergeTree ORDER BY (shop, visitor)`); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				batch, err := conn.PrepareBatch(ctx, "INSERT INTO t (shop, visitor, at, page)")
				if err != nil {
					b.Fatal(err)
				}
				for i := range rows {
					if err := batch.Append("demo", uint64(i)*0x9E3779B97F4A7C15, int64(1763898000000+i), "/p/glass"); err != nil {
						b.Fatal(err)
					}
				}
				if err := batch.Send(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkSelect(b *testing.B) {
	const rows = 5_000_000
	conn := chdbtest.Conn(b)
	for b.Loop() {
		result, err := conn.Query(b.Context(), "SELECT number, toString(number) FROM numbers({n:UInt64})", clickhouse.Named("n", rows))
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ; result.Next(); n++ {
		}
		if err := result.Close(); err != nil || n != rows {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
