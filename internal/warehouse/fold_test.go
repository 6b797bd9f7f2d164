package warehouse

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
)

// step is one event of a table test: name, when, and what else.
func step(id uint64, name string, after time.Duration, more ...func(*collector.Event)) collector.Event {
	e := collector.Event{Shop: "demo", ID: eventID(id), Name: name, Time: at(after), Visitor: 1, Currency: "EUR", CartEvent: name != "page_view" && name != "refund"}
	for _, m := range more {
		m(&e)
	}
	return e
}

func of(visitor uint64) func(*collector.Event) {
	return func(e *collector.Event) { e.Visitor = visitor }
}
func in(cart uint64) func(*collector.Event)   { return func(e *collector.Event) { e.Cart = cart } }
func page(p string) func(*collector.Event)    { return func(e *collector.Event) { e.Page = p } }
func worth(s string) func(*collector.Event)   { return func(e *collector.Event) { e.Value = euro(s) } }
func order(o uint64) func(*collector.Event)   { return func(e *collector.Event) { e.Order = o } }
func session(s uint64) func(*collector.Event) { return func(e *collector.Event) { e.Session = s } }
func source(s string) func(*collector.Event) {
	return func(e *collector.Event) { e.Source, e.Channel = s, s }
}
func quantity(q int64) func(*collector.Event) {
	return func(e *collector.Event) { e.Items = []collector.Item{{ID: "a", Quantity: q}} }
}

// TestFoldRules sends each case's batches one after the other and asks one question of the facts.
func TestFoldRules(t *testing.T) {
	const day = 24 * time.Hour
	carts := "SELECT arrayStringConcat(arraySort(groupArray(%s)), ' ') FROM cart_facts FINAL"
	sessions := "SELECT arrayStringConcat(arraySort(groupArray(%s)), ' ') FROM session_facts FINAL"
	orders := "SELECT arrayStringConcat(arraySort(groupArray(%s)), ' ') FROM order_facts FINAL"
	type events = []collector.Event
	w := openTest(t)
	for _, c := range []struct {
		name    string
		batches []events
		ask     string
		want    string
	}{
		{"a given cart is one for all visitors", []events{{step(2, "add_to_cart", 60e9, in(7), of(2))}, {step(1, "add_to_cart", 0, in(7))}},
			fmt.Sprintf(carts, "toString((visitor, visitors, events))"), "(1,[1,2],2)"},
		{"a purchase ends a cart without id", []events{{step(1, "add_to_cart", 0), step(2, "purchase", 1e9), step(3, "add_to_cart", 2e9)}},
			fmt.Sprintf(carts, "toString((step_names, purchased_at IS NOT NULL))"), "(['add_to_cart','purchase'],1) (['add_to_cart'],0)"},
		{"so do more than 30 idle days", []events{{step(1, "add_to_cart", 0), step(2, "add_to_cart", 30*day), step(3, "add_to_cart", 60*day+1e6)}},
			fmt.Sprintf(carts, "toString(events)"), "1 2"},
		{"a late event joins two carts, one of them goes", []events{{step(1, "add_to_cart", 0), step(3, "add_to_cart", 40*day)}, {step(2, "view_cart", 20*day)}},
			fmt.Sprintf(carts, "toString(events)"), "3"},
		{"a late purchase parts one cart", []events{{step(1, "add_to_cart", 0), step(3, "add_to_cart", 2e9)}, {step(2, "purchase", 1e9)}},
			fmt.Sprintf(carts, "toString(events)"), "1 2"},
		{"the gap up to the purchase", []events{{step(1, "add_to_cart", 0, in(7)), step(2, "purchase", 3e9, in(7)), step(3, "view_cart", 60e9, in(7))}},
			fmt.Sprintf(carts, "toString((max_gap_ms, last_activity))"), "(3000,'2026-01-05 09:01:00.000')"},
		{"the latest value", []events{{step(1, "begin_checkout", 0, in(7), worth("10.00")), step(2, "add_payment_info", 1e9, in(7), worth("12.00")), step(3, "add_to_cart", 2e9, in(7), worth("99.00"))}},
			fmt.Sprintf(carts, "toString(value)"), "12"},
		{"adds minus removes without one", []events{{step(1, "add_to_cart", 0, in(7), worth("10.00")), step(2, "add_to_cart", 1e9, in(7), worth("5.00")), step(3, "remove_from_cart", 2e9, in(7), worth("10.00"))}},
			fmt.Sprintf(carts, "toString((value, net_quantity))"), "(5,1)"},
		{"net quantity over items", []events{{step(1, "add_to_cart", 0, in(7), quantity(3)), step(2, "remove_from_cart", 1e9, in(7), quantity(0)), step(3, "remove_from_cart", 2e9, in(7))}},
			fmt.Sprintf(carts, "toString(net_quantity)"), "1"},
		{"an express checkout has no net quantity", []events{{step(1, "begin_checkout", 0, in(7))}},
			fmt.Sprintf(carts, "toString(net_quantity IS NULL)"), "1"},
		{"the earliest copy is the event", []events{{step(1, "add_to_cart", 5e9, in(7))}, {step(1, "add_to_cart", 3e9, in(7))}, {step(1, "add_to_cart", 9e9, in(7))}},
			fmt.Sprintf(carts, "toString((first_event, last_activity, events))"), "('2026-01-05 09:00:03.000','2026-01-05 09:00:03.000',1)"},
		{"thirty minutes are no gap, a millisecond more is", []events{{step(1, "page_view", 0, page("/")), step(2, "page_view", 30*time.Minute, page("/")), step(3, "page_view", 60*time.Minute+1e6, page("/"))}},
			fmt.Sprintf(sessions, "toString(events)"), "1 2"},
		{"a new source starts a session, the same one does not", []events{{step(1, "page_view", 0, page("/")), step(2, "page_view", 1e9, page("/"), source("news")), step(3, "page_view", 2e9, page("/"), source("news"))}},
			fmt.Sprintf(sessions, "toString((source, events))"), "('',1) ('news',2)"},
		{"a given session wins over gaps and sources", []events{{step(1, "page_view", 0, session(5)), step(2, "page_view", 5*day, session(5), source("news"))}},
			fmt.Sprintf(sessions, "toString((session, given, events))"), "(5,1,2)"},
		{"neither session nor page: no session", []events{{step(1, "add_to_cart", 0)}},
			fmt.Sprintf(sessions, "toString(events)"), ""},
		{"a late first event gives the session's carts and orders their channel", []events{
			{step(2, "purchase", 1e9, in(7), session(5), source("direct"), order(3), worth("1.00"))}, {step(1, "page_view", 0, session(5), source("news"))}},
			"SELECT concat(c.channel, ' ', o.channel) FROM cart_facts AS c FINAL, order_facts AS o FINAL", "news news"},
		{"a cart in no session keeps its own event's channel", []events{{step(1, "page_view", 0, session(5), source("news")), step(2, "add_to_cart", 1e9, source("mail"))}},
			fmt.Sprintf(carts, "concat(toString(session), ' ', channel)"), "0 mail"},
		{"one order a reference; the earliest purchase counts", []events{{step(2, "purchase", 1e9, order(3), worth("9.00"))}, {step(1, "purchase", 0, order(3), worth("5.00"), of(2))}},
			fmt.Sprintf(orders, "toString((order_ref, visitor, value))"), "(3,2,5)"},
		{"without a reference the cart's id", []events{{step(1, "purchase", 0, in(7), worth("5.00")), step(2, "purchase", 1e9, in(7), worth("6.00"))}},
			fmt.Sprintf(orders, "toString((order_ref, value))"), "(7,5)"},
		{"refunds wait for their purchase and never exceed it", []events{{step(2, "refund", 1e9, order(3), worth("3.00"))}, {step(3, "refund", 2e9, order(3), worth("4.00"))}, {step(1, "purchase", 0, order(3), worth("5.00"))}},
			fmt.Sprintf(orders, "toString((value, refunded))"), "(5,5)"},
		{"a refund alone is no order", []events{{step(2, "refund", 1e9, order(3), worth("3.00"))}},
			fmt.Sprintf(orders, "toString(order_ref)"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			reset(t, w)
			for i, b := range c.batches {
				insert(t, w, fmt.Sprint(c.name, i), b...)
			}
			var got string
			if err := w.conn.QueryRow(context.Background(), c.ask).Scan(&got); err != nil || got != c.want {
				t.Errorf("got %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}
