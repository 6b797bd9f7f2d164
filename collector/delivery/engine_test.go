package delivery

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// table is a Warehouse of one table on the real engine. Every second insert loses
// its answer after the engine has committed.
type table struct {
	conn  driver.Conn
	calls atomic.Int64
}

func newTable(t *testing.T) *table {
	t.Helper()
	w := &table{conn: chdbtest.Conn(t)}
	err := w.conn.Exec(t.Context(), `
		CREATE TABLE events (shop LowCardinality(String), event_id FixedString(16), time DateTime64(3, 'UTC'), visitor UInt64, page String)
		ENGINE = ReplacingMergeTree ORDER BY (shop, event_id)
		SETTINGS non_replicated_deduplication_window = 1000, fsync_after_insert = 1, fsync_part_directory = 1`)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *table) KnownEventIDs(ctx context.Context, shop string, ids [][16]byte) (map[[16]byte]int64, error) {
	hexes := make([]string, len(ids))
	for i, id := range ids {
		hexes[i] = hex.EncodeToString(id[:])
	}
	rows, err := w.conn.Query(ctx, `
		SELECT lower(hex(event_id)), toUnixTimestamp64Milli(min(time)) FROM events
		WHERE shop = {shop:String} AND event_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16)) GROUP BY event_id`,
		clickhouse.Named("shop", shop), clickhouse.Named("ids", hexes))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	known := map[[16]byte]int64{}
	for rows.Next() {
		var text string
		var at int64
		if err := rows.Scan(&text, &at); err != nil {
			return nil, err
		}
		var id [16]byte
		if _, err := hex.Decode(id[:], []byte(text)); err != nil {
			return nil, err
		}
		known[id] = at
	}
	return known, rows.Err()
}

func (w *table) Insert(ctx context.Context, token string, events []collector.Event, _ []consentgate.Record) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplicate": 1, "insert_deduplication_token": token}))
	b, err := w.conn.PrepareBatch(ctx, "INSERT INTO events")
	if err != nil {
		return err
	}
	for i := range events {
		ev := &events[i]
		if err := b.Append(ev.Shop, string(ev.ID[:]), time.UnixMilli(ev.Time), ev.Visitor, ev.Page); err != nil {
			return err
		}
	}
	if err := b.Send(); err != nil {
		return err
	}
	if w.calls.Add(1)%2 == 1 {
		return errLost
	}
	return nil
}

// On the real engine, with every second answer lost and a crash at each boundary, the
// raw table holds each event exactly once, before any merge.
func TestRealEngineHoldsEachEventOnce(t *testing.T) {
	wh := newTable(t)
	r := newRig(t)
	r.other = wh
	r.start()
	defer func() { r.stop() }()
	const n = 300
	next := 0
	for _, point := range []string{"judged", "sealed", "inserted", "lettered", "stated", ""} {
		r.arm(point)
		for range n / 6 {
			again := event(next / 2) // the same beacon once more, sooner or later
			r.add(0, event(next), again)
			next++
		}
		r.settle()
	}
	want := Counters{Outcome: Outcome{Stored: n, LateDuplicate: n}}
	r.want(want)
	var rows, distinct uint64
	if err := wh.conn.QueryRow(t.Context(), "SELECT count(), uniqExact(event_id) FROM events").Scan(&rows, &distinct); err != nil {
		t.Fatal(err)
	}
	if rows != n || distinct != n {
		t.Errorf("%d rows, %d distinct, want %d", rows, distinct, n)
	}
	if w := wh.calls.Load(); w < 2 {
		t.Error(fmt.Sprint(w, " inserts"))
	}
}
