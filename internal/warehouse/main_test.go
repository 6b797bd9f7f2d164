package warehouse

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/delivery"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/consentgate/httpapi"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
	"github.com/kassa-analytics/kassa/internal/money"
)

// open gives a warehouse in a fresh database on the real engine.
func openTest(t testing.TB) *Warehouse {
	t.Helper()
	w, err := Open(context.Background(), Config{Options: chdbtest.Options(t), Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

var base = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// at is base plus d in milliseconds.
func at(d time.Duration) int64 { return base.Add(d).UnixMilli() }

func eventID(n uint64) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func euro(s string) *money.Amount {
	a, err := money.Parse(s, 2)
	if err != nil {
		panic(err)
	}
	return &a
}

// count answers a query of one number.
func count(t testing.TB, w *Warehouse, sql string) uint64 {
	t.Helper()
	var n uint64
	if err := w.conn.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func insert(t testing.TB, w *Warehouse, token string, events ...collector.Event) {
	t.Helper()
	if err := w.Insert(context.Background(), token, events, nil); err != nil {
		t.Fatal(err)
	}
}

var (
	_ delivery.Warehouse   = (*Warehouse)(nil)
	_ consentgate.History  = (*Warehouse)(nil)
	_ httpapi.PersonalData = (*Warehouse)(nil)
)
