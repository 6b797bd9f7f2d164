package warehouse

import (
	"context"
	"time"
)

// Retention is how long each category is kept, by event time; 0 keeps it for ever.
type Retention struct {
	Events, Sessions, Carts, Orders, Contacts, Consents time.Duration
}

func (w *Warehouse) ApplyRetention(ctx context.Context, r Retention) error { return nil }
