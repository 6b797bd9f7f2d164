package consentgate

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// Everything at once, for the race detector; and a withdrawal that has returned holds for every check that starts after it.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.CachedReceipts, c.CachedVisitors = 256, 256
		c.OnDecision = nil
		c.Clock = nil
	})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 25 {
				visitor := fmt.Sprintf("visitor-%d-%08d", i, n)
				o, err := w.Grant(t.Context(), decision(visitor, true, n%2 == 0))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := w.Check("demo", o.Receipt, visitor); err != nil {
					t.Errorf("granted, yet %v", err)
				}
				if _, err := w.Recorded(t.Context(), "demo", visitor); err != nil {
					t.Errorf("granted, yet recorded says %v", err)
				}
				if err := w.Withdraw(t.Context(), o.Receipt, n%3 == 0); err != nil {
					t.Error(err)
				}
				if _, err := w.Check("demo", o.Receipt, visitor); err == nil {
					t.Error("withdrawn, yet it passes")
				}
				if !w.Suppressed("demo", w.keys.Pseudonym("demo", KindVisitor, visitor), o.ReceiptID, o.GivenAt, time.Now()) {
					t.Error("withdrawn, yet it would be inserted")
				}
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			w.Prune()
			w.Overrides()
		}
	})
	wg.Wait()
}

func TestBoundedMapIsBounded(t *testing.T) {
	m := newBoundedMap[string, int](1000, hashString)
	for i := range 100_000 {
		k := fmt.Sprint(i)
		m.put(k, i)
		if v, ok := m.get(k); !ok || v != i {
			t.Fatalf("what was just written reads as %d, %v", v, ok)
		}
		m.get("0") // a hot one stays
	}
	n := 0
	for i := range m.shards {
		n += len(m.shards[i].young) + len(m.shards[i].old)
	}
	if _, ok := m.get("0"); !ok || n > 1100 {
		t.Errorf("%d entries; the hot one is there: %v", n, ok)
	}
}
