package warehouse

import (
	"context"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
)

func TestInsertOnceAToken(t *testing.T) {
	w := openTest(t)
	events := []collector.Event{
		{Shop: "demo", ID: eventID(1), Name: "page_view", Time: at(0), Visitor: 1, Session: 5, Page: "/"},
		{Shop: "demo", ID: eventID(2), Name: "add_to_cart", Time: at(1), Visitor: 1, Session: 5, Cart: 7, CartEvent: true, Value: euro("24.50"), Currency: "EUR",
			Items: []collector.Item{{ID: "a", Name: "Glass", Price: euro("12.25"), Quantity: 2}, {ID: "b"}}},
		{Shop: "demo", ID: eventID(3), Name: "purchase", Time: at(2), Visitor: 1, Session: 5, Cart: 7, Customer: 9, CartEvent: true, Value: euro("24.50"), Currency: "EUR"},
	}
	for range 3 {
		insert(t, w, "one", events...)
	}
	for sql, want := range map[string]uint64{
		"SELECT count() FROM events":                                                                 3,
		"SELECT count() FROM event_ids":                                                              3,
		"SELECT count() FROM session_events":                                                         3,
		"SELECT count() FROM cart_events":                                                            2,
		"SELECT count() FROM order_events":                                                           1,
		"SELECT count() FROM identities":                                                             1,
		"SELECT toUInt64(sum(quantity)) FROM cart_events WHERE name = 'add_to_cart'":                 3,
		"SELECT toUInt64(sum(amount * 100)) FROM cart_events":                                        4900,
		"SELECT toUInt64(items.price[1] * 100) FROM events WHERE name = 'add_to_cart'":               1225,
		"SELECT toUInt64(count()) FROM events WHERE items.price[2] IS NULL AND name = 'add_to_cart'": 1,
	} {
		if got := count(t, w, sql); got != want {
			t.Errorf("%s: got %d, want %d", sql, got, want)
		}
	}
}

var storedOnce = collector.Event{Shop: "demo", ID: eventID(1), Name: "add_to_cart", Time: at(0), Visitor: 1, Page: "/", CartEvent: true, Value: euro("1.00"), Currency: "EUR"}

// TestAcknowledgementLost sends the same rows under a new token, as after an outage longer than the deduplication window: raw rows
// stand twice until they are merged, facts do not.
func TestAcknowledgementLost(t *testing.T) {
	w := openTest(t)
	events := []collector.Event{
		storedOnce,
		{Shop: "demo", ID: eventID(2), Name: "purchase", Time: at(5000), Visitor: 1, Page: "/", CartEvent: true, Value: euro("1.00"), Currency: "EUR"},
		{Shop: "demo", ID: eventID(3), Name: "refund", Time: at(6000), Visitor: 1, Order: OrderRef(&collector.Event{ID: eventID(2)}), Value: euro("0.25"), Currency: "EUR"},
	}
	insert(t, w, "a", events...)
	want := storedFacts(t, w)
	insert(t, w, "b", events...)
	sameFacts(t, "after the second time", storedFacts(t, w), want)
	sameFacts(t, "against the model", want, modelFacts(events))
	for _, table := range []string{"events", "session_events", "cart_events", "order_events", "event_ids"} {
		if n := count(t, w, "SELECT uniqExact(event_id) FROM "+table+" FINAL") - count(t, w, "SELECT count() FROM "+table+" FINAL"); n != 0 {
			t.Errorf("%s: %d rows too many", table, -n)
		}
	}
}

// TestCrashBetweenTables makes a view fail after the events are in: sending the batch again fills in what is missing.
func TestCrashBetweenTables(t *testing.T) {
	w := openTest(t)
	ctx := context.Background()
	exec := func(sql string) {
		t.Helper()
		if err := w.conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	events := []collector.Event{storedOnce, {Shop: "demo", ID: eventID(2), Name: "purchase", Time: at(5000), Visitor: 1, Page: "/", CartEvent: true, Value: euro("1.00"), Currency: "EUR"}}
	// The tables behind the views go read-only one after the other: the events go in, the rest does not.
	for _, table := range []string{"event_ids", "session_events", "cart_events", "order_events", "identities"} {
		exec("ALTER TABLE " + table + " ADD CONSTRAINT away CHECK shop != 'demo'")
	}
	if err := w.Insert(ctx, "a", events, nil); err == nil {
		t.Fatal("inserted in spite of refusing tables")
	}
	if n := count(t, w, "SELECT count() FROM events"); n != 2 {
		t.Logf("%d events went in before the failure", n)
	}
	for _, table := range []string{"event_ids", "session_events", "cart_events", "order_events", "identities"} {
		exec("ALTER TABLE " + table + " DROP CONSTRAINT away")
	}
	for range 2 {
		insert(t, w, "a", events...)
		sameFacts(t, "sent again", storedFacts(t, w), modelFacts(events))
		if n := count(t, w, "SELECT count() FROM events"); n != 2 {
			t.Errorf("%d events, want 2", n)
		}
	}
}

func TestPoisonIsADataError(t *testing.T) {
	w := openTest(t)
	ctx := context.Background()
	if err := w.conn.Exec(ctx, "ALTER TABLE events ADD CONSTRAINT IF NOT EXISTS poison CHECK page != '/poison'"); err != nil {
		t.Fatal(err)
	}
	e := storedOnce
	e.Page = "/poison"
	if err := w.Insert(ctx, "a", []collector.Event{e}, nil); !IsDataError(err) {
		t.Errorf("refused row: %v, want a data error", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := w.Insert(cancelled, "b", []collector.Event{storedOnce}, nil); err == nil || IsDataError(err) {
		t.Errorf("cancelled: %v, want an unknown outcome", err)
	}
	huge := int64(1) << 62
	wild := collector.Event{Shop: "demo\xff", ID: eventID(9), Name: "add_to_cart", Time: at(0), Visitor: 1, CartEvent: true, Currency: "EUR",
		Items: []collector.Item{{ID: "a", Price: euro("900000000"), Quantity: huge}, {ID: "b", Price: euro("900000000"), Quantity: huge}}}
	if err := w.Insert(ctx, "c", []collector.Event{wild}, nil); err != nil {
		t.Errorf("absurd but storable: %v", err)
	}
}

func TestRetention(t *testing.T) {
	w := openTest(t)
	ctx := context.Background()
	day := 24 * time.Hour
	w.clock = func() time.Time { return time.Now() }
	old, young := time.Now().Add(-40*day).UnixMilli(), time.Now().Add(-time.Hour).UnixMilli()
	mk := func(id, visitor uint64, ms int64) collector.Event {
		return collector.Event{Shop: "demo", ID: eventID(id), Name: "purchase", Time: ms, Visitor: visitor, Session: visitor, Page: "/", Cart: visitor, CartEvent: true, Customer: visitor,
			Currency: "EUR", Value: euro("1.00"), Contact: []byte("c"), CartRef: []byte("r")}
	}
	insert(t, w, "a", mk(1, 1, old), mk(2, 2, young))
	tables := []string{"events", "event_ids", "session_events", "cart_events", "order_events", "identities", "session_facts", "cart_facts", "order_facts"}
	keep := func(r Retention) {
		t.Helper()
		if err := w.ApplyRetention(ctx, r); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			if err := w.conn.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
				t.Fatal(err)
			}
		}
	}
	contacts := "SELECT countIf(contact != '' AND cart_ref != '') FROM cart_facts"
	keep(Retention{Contacts: 30 * day})
	for _, table := range tables {
		if n := count(t, w, "SELECT count() FROM "+table); n != 2 {
			t.Errorf("kept for ever: %s has %d rows", table, n)
		}
	}
	if n := count(t, w, contacts); n != 1 {
		t.Errorf("%d contacts left, want the young one", n)
	}
	month := Retention{Events: 30 * day, Sessions: 30 * day, Carts: 30 * day, Orders: 30 * day, Contacts: 30 * day, Consents: 30 * day}
	keep(month)
	keep(month) // nothing to change
	for _, table := range tables {
		if n := count(t, w, "SELECT count() FROM "+table); n != 1 {
			t.Errorf("kept a month: %s has %d rows, want 1", table, n)
		}
	}
	keep(Retention{})
	if n := count(t, w, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND create_table_query LIKE '%TTL%' AND name NOT IN ('touched', 'batches')"); n != 0 {
		t.Errorf("%d tables still forget", n)
	}
}
