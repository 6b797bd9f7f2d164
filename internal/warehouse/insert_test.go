package warehouse

import (
	"testing"

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
