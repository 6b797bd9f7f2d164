package demo

import (
	"reflect"
	"testing"
	"time"
)

func plan() Plan {
	return Plan{Seed: 1, Days: 60, Until: time.Date(2026, 11, 23, 14, 5, 0, 0, time.UTC), Zone: "Europe/Brussels"}
}

func TestTheSamePlanMakesTheSameHistory(t *testing.T) {
	a, err := Make(plan())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Make(plan())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Events, b.Events) || !reflect.DeepEqual(a.Truth, b.Truth) {
		t.Error("two histories of one plan differ")
	}
	other := plan()
	other.Seed = 2
	c, err := Make(other)
	if err != nil {
		t.Fatal(err)
	}
	if reflect.DeepEqual(a.Truth.Periods, c.Truth.Periods) {
		t.Error("another seed makes the same history")
	}
}

func TestTheHistoryIsBelievable(t *testing.T) {
	h, err := Make(plan())
	if err != nil {
		t.Fatal(err)
	}
	p := h.Truth.Periods[0]
	t.Logf("%d events, %d refusals, %d customers, %d orders, %v, %+v", len(h.Events), p.Refusals, p.Customers, p.Orders, p.Revenue, p.Checkout)
	c := p.Checkout
	if c.Carts != c.Purchased+c.Recovered+c.Emptied+c.Superseded+c.Abandoned {
		t.Errorf("states do not add up: %+v", c)
	}
	for name, n := range map[string]int{
		"purchased": c.Purchased, "recovered": c.Recovered, "emptied": c.Emptied, "superseded": c.Superseded, "abandoned": c.Abandoned,
		"express": c.Steps[0].Skipped, "GBP": len(p.Revenue["GBP"]), "returning": h.Truth.Periods[1].Returning,
	} {
		if n == 0 {
			t.Errorf("no %s", name)
		}
	}
	sum := 0
	for _, by := range p.ByChannel {
		sum += by.Carts
	}
	if sum != c.Carts || len(p.ByChannel) != len(origins) || len(p.ByDevice) != 3 {
		t.Errorf("%d carts by %d channels, %d devices; %d in all", sum, len(p.ByChannel), len(p.ByDevice), c.Carts)
	}
	ids := map[string]bool{}
	for i, e := range h.Events {
		if ids[e.Input.ID] {
			t.Fatalf("event %d has the id of another: %s", i, e.Input.ID)
		}
		ids[e.Input.ID] = true
		if e.Input.Time > plan().Until.UnixMilli() {
			t.Fatalf("an event after the history's end: %+v", e)
		}
	}
}
