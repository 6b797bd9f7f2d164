package warehouse

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/collector"
)

// drawEvents makes a few visitors' events, close enough together that gaps, ties, purchases and shared carts are common.
func drawEvents(t *rapid.T) []collector.Event {
	names := []string{"page_view", "page_view", "view_item", "add_to_cart", "add_to_cart", "remove_from_cart", "view_cart", "begin_checkout", "add_shipping_info", "purchase", "refund"}
	gaps := []time.Duration{0, 0, time.Second, time.Minute, 30 * time.Minute, 30*time.Minute + 1e6, 2 * time.Hour, 30 * 24 * time.Hour, 30*24*time.Hour + 1e6}
	n := rapid.IntRange(1, 40).Draw(t, "events")
	clock := time.Duration(0)
	events := make([]collector.Event, 0, n)
	for i := range n {
		clock += rapid.SampledFrom(gaps).Draw(t, "gap")
		e := collector.Event{
			Shop: "demo", Time: at(clock), Name: rapid.SampledFrom(names).Draw(t, "name"),
			Visitor:  rapid.Uint64Range(1, 3).Draw(t, "visitor"),
			Session:  rapid.SampledFrom([]uint64{0, 0, 0, 11, 12}).Draw(t, "session"),
			Cart:     rapid.SampledFrom([]uint64{0, 0, 21, 22}).Draw(t, "cart"),
			Order:    rapid.SampledFrom([]uint64{0, 31, 32}).Draw(t, "order"),
			Customer: rapid.SampledFrom([]uint64{0, 0, 41, 42}).Draw(t, "customer"),
			Page:     rapid.SampledFrom([]string{"", "/", "/a"}).Draw(t, "page"),
			Currency: rapid.SampledFrom([]string{"EUR", "EUR", "USD"}).Draw(t, "currency"),
			Excluded: rapid.IntRange(0, 20).Draw(t, "excluded") == 0,
		}
		e.ID = eventID(uint64(rapid.IntRange(0, 1_000_000).Draw(t, "id"))*100 + uint64(i)) // distinct, in no order
		switch rapid.IntRange(0, 4).Draw(t, "origin") {
		case 0:
			e.Referrer, e.Source, e.Medium = "google.com", "google", "organic"
		case 1:
			e.Source, e.Medium, e.Campaign = "news", "email", "winter"
		}
		e.Channel = "ch-" + e.Source
		switch e.Name {
		case "page_view", "view_item", "refund":
		default:
			e.CartEvent = true
		}
		if rapid.Bool().Draw(t, "has value") && e.Name != "page_view" {
			e.Value = euro(fmt.Sprintf("%d.%02d", rapid.IntRange(0, 99).Draw(t, "units"), i))
		}
		if e.Name == "add_shipping_info" && rapid.Bool().Draw(t, "has shipping") {
			e.Shipping = euro("6.95")
		}
		for range rapid.IntRange(0, 2).Draw(t, "items") {
			it := collector.Item{ID: "sku", Quantity: rapid.Int64Range(0, 3).Draw(t, "quantity")}
			if rapid.Bool().Draw(t, "priced") {
				it.Price = euro("3.10")
			}
			e.Items = append(e.Items, it)
		}
		events = append(events, e)
	}
	return events
}

// TestFactsDoNotDependOnArrival sends the same events as one batch in order, and as many small batches out of order with copies of
// other times among them: the facts are the model's both times.
func TestFactsDoNotDependOnArrival(t *testing.T) {
	fewer(t)
	whole, pieces := openTest(t), openTest(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		events := drawEvents(rt)
		all := events
		for _, e := range events {
			if rapid.IntRange(0, 3).Draw(rt, "copy") == 0 {
				e.Time += rapid.SampledFrom([]int64{0, 1, -1, 60_000, -60_000, 3_600_000, -3_600_000}).Draw(rt, "shift")
				all = append(all, e)
			}
		}
		shop := fmt.Sprintf("s%d", round)
		rename := func(list []collector.Event) []collector.Event {
			out := append([]collector.Event(nil), list...)
			for i := range out {
				out[i].Shop = shop
			}
			return out
		}
		reset(rt, whole)
		reset(rt, pieces)
		want := modelFacts(rename(all))
		if err := whole.Insert(context.Background(), shop, rename(all), nil); err != nil {
			rt.Fatal(err)
		}
		sameFacts(rt, "one batch", storedFacts(t, whole), want)

		shuffled := rapid.Permutation(rename(all)).Draw(rt, "order of arrival")
		for n := 0; len(shuffled) > 0; n++ {
			size := min(rapid.IntRange(1, 15).Draw(rt, "batch"), len(shuffled))
			if err := pieces.Insert(context.Background(), fmt.Sprintf("%s-%d", shop, n), shuffled[:size], nil); err != nil {
				rt.Fatal(err)
			}
			shuffled = shuffled[size:]
		}
		sameFacts(rt, "many batches", storedFacts(t, pieces), want)
	})
}

// reset empties every table of facts and events.
func reset(t interface{ Fatal(...any) }, w *Warehouse) {
	for _, table := range []string{"events", "event_ids", "session_events", "cart_events", "order_events", "identities", "touched", "session_facts", "cart_facts", "order_facts"} {
		if err := w.conn.Exec(context.Background(), "TRUNCATE TABLE "+table+" SYNC"); err != nil {
			t.Fatal(err)
		}
	}
}

// fewer runs a dozen checks instead of rapid's hundred unless the command line says how many: each costs a second on the real engine.
func fewer(t *testing.T) {
	t.Helper()
	f := flag.Lookup("rapid.checks")
	if f == nil || f.Value.String() != f.DefValue {
		return
	}
	if err := flag.Set("rapid.checks", "12"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", f.DefValue) }) // was valid before
}
