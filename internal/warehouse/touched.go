package warehouse

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/collector"
)

// Kinds of marks in the table touched: which entity's facts are to be folded again.
const (
	touchedSession = "session"  // key: visitor, sub: given session or 0 for the visitor's sessions without an id
	touchedCart    = "cart"     // key: given cart
	touchedOwnCart = "own_cart" // key: visitor, whose cart events without a cart id are meant
	touchedOrder   = "order"    // key: order reference
)

type mark struct {
	kind, shop string
	key, sub   uint64
}

// marks are the entities that the events belong to, each once, in order of first appearance.
func marks(events []collector.Event) []mark {
	seen := make(map[mark]struct{}, len(events)/4)
	var list []mark
	add := func(m mark) {
		if _, ok := seen[m]; !ok {
			seen[m] = struct{}{}
			list = append(list, m)
		}
	}
	for i := range events {
		e := &events[i]
		if e.Session != 0 || e.Page != "" {
			add(mark{touchedSession, e.Shop, e.Visitor, e.Session})
		}
		if e.CartEvent {
			if e.Cart != 0 {
				add(mark{touchedCart, e.Shop, e.Cart, 0})
			} else {
				add(mark{touchedOwnCart, e.Shop, e.Visitor, 0})
			}
		}
		if e.Name == "purchase" || e.Name == "refund" {
			add(mark{touchedOrder, e.Shop, OrderRef(e), 0})
		}
	}
	return list
}

// OrderRef is the key of the order that a purchase or refund belongs to: its reference, else its cart, else its own id.
// The view order_events_view says the same.
func OrderRef(e *collector.Event) uint64 {
	switch {
	case e.Order != 0:
		return e.Order
	case e.Cart != 0:
		return e.Cart
	default:
		return binary.LittleEndian.Uint64(e.ID[:8])
	}
}

// kindSet is the kinds of entities that a batch touched.
type kindSet map[string]bool

// insertTouched marks what the batch touched, and then, where others may be at work on the same warehouse, that the batch is there.
func (w *Warehouse) insertTouched(ctx context.Context, b batch) (kindSet, error) {
	list := marks(b.Events)
	kinds := kindSet{}
	if len(list) == 0 {
		return kinds, nil
	}
	n := len(list)
	token, kind, shop := make([]string, n), make([]string, n), make([]string, n)
	key, sub, writer := make([]uint64, n), make([]uint64, n), make([]uint64, n)
	for i, m := range list {
		token[i], kind[i], shop[i], key[i], sub[i], writer[i] = b.Token, m.kind, m.shop, m.key, m.sub, w.writer
		kinds[m.kind] = true
	}
	err := w.send(plain(ctx), "marks", "insert_touched.sql", func(batch driver.Batch) error {
		for i, values := range []any{token, kind, shop, key, sub, writer} {
			if err := batch.Column(i).Append(values); err != nil {
				return fmt.Errorf("column %d: %w", i, err)
			}
		}
		return nil
	})
	if err != nil || w.exclusive {
		return kinds, err
	}
	if err := w.run(ctx, "insert_batch.sql", b.Token); err != nil {
		return nil, err
	}
	return kinds, nil
}
