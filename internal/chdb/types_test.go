package chdb_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// wide is a row with every kind of column that the warehouse uses.
type wide struct {
	ID      uint64            `ch:"id"`
	Amount  decimal.Decimal   `ch:"amount"`
	At      time.Time         `ch:"at"`
	Day     time.Time         `ch:"day"`
	Key     string            `ch:"key"`
	Channel string            `ch:"channel"`
	Ratio   *float64          `ch:"ratio"`
	Steps   [][]any           `ch:"steps"`
	Names   []string          `ch:"names"`
	Labels  map[string]uint32 `ch:"labels"`
	Flag    bool              `ch:"flag"`
}

const wideTable = `CREATE TABLE wide (
	id UInt64, amount Decimal(18, 4), at DateTime64(3, 'UTC'), day Date, key FixedString(16),
	channel LowCardinality(String), ratio Nullable(Float64), steps Array(Tuple(String, UInt64)),
	names Array(LowCardinality(String)), labels Map(String, UInt32), flag Bool, big UInt128 DEFAULT toUInt128(id) * id
) ENGINE = MergeTree ORDER BY id`

func TestTypesRoundTrip(t *testing.T) {
	ratio := 0.25
	rows := []wide{
		{1, decimal.RequireFromString("24.5000"), time.UnixMilli(1763898000123).UTC(), time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC),
			"0123456789abcdef", "Organic Search", &ratio, [][]any{{"add_to_cart", uint64(7)}, {"purchase", uint64(9)}},
			[]string{"a", "b", "a"}, map[string]uint32{"x": 1, "y": 2}, true},
		{1 << 63, decimal.RequireFromString("-0.0001"), time.UnixMilli(-1).UTC(), time.Unix(0, 0).UTC(),
			"\x00\xff23456789abcd\n'", "", nil, [][]any{}, []string{}, map[string]uint32{}, false},
	}
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		if err := conn.Exec(ctx, wideTable); err != nil {
			t.Fatal(err)
		}
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO wide (id, amount, at, day, key, channel, ratio, steps, names, labels, flag)")
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if err := batch.AppendStruct(&rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		var got []wide
		if err := conn.Select(ctx, &got, "SELECT * EXCEPT big FROM wide ORDER BY id"); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(rows) {
			t.Fatalf("got %d rows, want %d", len(got), len(rows))
		}
		for i, want := range rows {
			if !got[i].Amount.Equal(want.Amount) {
				t.Errorf("row %d: amount %s, want %s", i, got[i].Amount, want.Amount)
			}
			got[i].Amount = want.Amount
			if !got[i].At.Equal(want.At) || !got[i].Day.Equal(want.Day) {
				t.Errorf("row %d: times %v and %v, want %v and %v", i, got[i].At, got[i].Day, want.At, want.Day)
			}
			got[i].At, got[i].Day = want.At, want.Day // equal, though their *Location may differ
			if !reflect.DeepEqual(got[i], want) {
				t.Errorf("row %d:\n got %#v\nwant %#v", i, got[i], want)
			}
		}
		var big string
		if err := conn.QueryRow(ctx, "SELECT toString(big) FROM wide WHERE id = 9223372036854775808").Scan(&big); err != nil {
			t.Fatal(err)
		}
		if big != "85070591730234615865843651857942052864" {
			t.Errorf("UInt128 is %s", big)
		}
	})
}

func TestParameters(t *testing.T) {
	texts := []string{
		"", "plain", `it's "quoted"`, `back\slash \' \\n`, "line one\nline two\r\n\ttabbed", "snow ☃ 雪 \U0001F6D2",
		"'; DROP TABLE t; --", `{x:String}`, "\x00nul\x00", `\N`, "NULL",
	}
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		for _, text := range texts {
			var got string
			err := conn.QueryRow(ctx, "SELECT {text:String}", clickhouse.Named("text", text)).Scan(&got)
			if err != nil || got != text {
				t.Errorf("String %q came back as %q, error %v", text, got, err)
			}
		}
		var list []string
		err := conn.QueryRow(ctx, "SELECT {list:Array(String)}", clickhouse.Named("list", texts[:8])).Scan(&list)
		if err != nil || !reflect.DeepEqual(list, texts[:8]) {
			t.Errorf("Array(String) came back as %q, error %v", list, err)
		}
		var (
			numbers []uint64
			at      time.Time
			none    *string
			same    bool
		)
		moment := time.UnixMilli(1763898000123).UTC()
		err = conn.QueryRow(ctx, `SELECT {numbers:Array(UInt64)}, {at:DateTime64(3, 'UTC')}, {none:Nullable(String)}, {id:Identifier} = 0
			FROM numbers(1) WHERE number < {n:UInt8} LIMIT {n:UInt8}`,
			clickhouse.Named("numbers", []uint64{1, 1 << 63}), clickhouse.Named("at", moment), clickhouse.Named("none", nil),
			clickhouse.Named("id", "number"), clickhouse.Named("n", 1)).Scan(&numbers, &at, &none, &same)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(numbers, []uint64{1, 1 << 63}) || !at.Equal(moment) || none != nil || !same {
			t.Errorf("got %v %v %v %v", numbers, at, none, same)
		}
	})
}

// Each kind of statement has its own path through the library.
func TestStatements(t *testing.T) {
	eachTransport(t, func(t *testing.T, conn driver.Conn) {
		ctx := t.Context()
		for _, statement := range []string{
			"CREATE TABLE t (x UInt64, s String) ENGINE = MergeTree ORDER BY x",
			"INSERT INTO t VALUES (1, 'one'), (2, 'it''s two')",
			"INSERT INTO t SELECT number + 10, 'many' FROM numbers(5)",
			"-- a comment\nINSERT INTO t (x) SELECT 100",
			"INSERT INTO t FORMAT JSONEachRow {\"x\": 200, \"s\": \"json\"}",
			"ALTER TABLE t DELETE WHERE x = 100 SETTINGS mutations_sync = 2",
			"OPTIMIZE TABLE t FINAL",
		} {
			if err := conn.Exec(ctx, statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		for query, want := range map[string]uint64{
			"SELECT count() FROM t":                                         8,
			"WITH 2 AS two SELECT count() FROM t WHERE x = two":             1,
			"(SELECT x FROM t WHERE x = 200)":                               200,
			"SELECT count() FROM t WHERE s = 'FORMAT'":                      0,
			"SELECT sum(x) FROM t WHERE x < 3 SETTINGS max_threads = 1":     3,
			"SELECT x FROM t WHERE x = 1 UNION ALL SELECT 1 FROM t WHERE 0": 1,
		} {
			var got uint64
			if err := conn.QueryRow(ctx, query).Scan(&got); err != nil || got != want {
				t.Errorf("%s: got %d, want %d, error %v", query, got, want, err)
			}
		}
		for query, want := range map[string]int{
			"SHOW TABLES": 1, "DESCRIBE TABLE t": 2, "SELECT x FROM t WHERE 0": 0, "EXISTS TABLE t": 1, "EXPLAIN AST SELECT 1": 5,
		} {
			rows, err := conn.Query(ctx, query)
			if err != nil {
				t.Errorf("%s: %v", query, err)
				continue
			}
			n := 0
			for rows.Next() {
				n++
			}
			if err := rows.Err(); err != nil || n != want {
				t.Errorf("%s: %d rows, want %d, error %v", query, n, want, err)
			}
		}
	})
}

// A streamed answer has the same bytes as the same answer in one piece, but
// for where its blocks are cut.
func TestStreamedAnswerIsWhole(t *testing.T) {
	engine := chdbtest.Engine(t)
	for _, query := range []string{
		"SELECT number FROM numbers(200000) ORDER BY number DESC",
		"SELECT number % 3 AS k, count() FROM numbers(100) GROUP BY k WITH TOTALS ORDER BY k",
		"SELECT number FROM numbers(10) SETTINGS extremes = 1",
		"SELECT number, [toString(number)] FROM numbers(70000) LIMIT 65000, 3000",
		"SELECT 1 WHERE 0",
	} {
		for _, format := range []string{"TabSeparated", "CSV", "JSONEachRow", "RowBinary", "Null"} {
			var answers [2]string
			for i, wait := range []string{"0", "1"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
					"http://embedded/?max_threads=1&wait_end_of_query="+wait+"&default_format="+format, strings.NewReader(query))
				if err != nil {
					t.Fatal(err)
				}
				res, err := engine.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(res.Body)
				if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
					t.Fatalf("%s in %s: %s %s %v", query, format, res.Status, text, err)
				}
				answers[i] = string(text)
			}
			if answers[0] != answers[1] {
				t.Errorf("%s in %s: streamed %d bytes …%.60q, in one piece %d bytes …%.60q", query, format,
					len(answers[0]), answers[0][max(0, len(answers[0])-60):], len(answers[1]), answers[1][max(0, len(answers[1])-60):])
			}
		}
	}
}
