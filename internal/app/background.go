package app

import (
	"context"
	"sync"
	"time"

	"github.com/kassa-analytics/kassa/internal/config"
)

const (
	// followEvery keeps the promise that a withdrawal taken in by another collector holds here within 2 s of reaching the warehouse.
	followEvery = 500 * time.Millisecond
	// followOverlap is how far the ledger is read back each time: rows of a collector whose clock is behind, or whose insert took long.
	followOverlap = 5 * time.Minute
	pruneEvery    = 24 * time.Hour
	// lookEvery is how often the warehouse is asked whether it is there: without traffic nothing else tells.
	lookEvery = 10 * time.Second
)

// background starts what goes on beside requests, until ctx ends.
func (a *App) background(ctx context.Context, wait *sync.WaitGroup) {
	wait.Go(func() {
		if err := a.filter.Load(ctx, a.Warehouse.EachEventID); err != nil && ctx.Err() == nil {
			a.logger.Warn("the warehouse is asked about every event id: its list could not be read", "error", err)
		}
	})
	a.look(ctx)
	wait.Go(func() { every(ctx, lookEvery, func() { a.look(ctx) }) })
	wait.Go(func() { every(ctx, pruneEvery, func() { a.Gate.Prune() }) })
	if a.Config().Warehouse != config.Embedded { // nobody else writes into the embedded one
		since := a.clock()
		wait.Go(func() { every(ctx, followEvery, func() { since = a.follow(ctx, since) }) })
	}
}

// look asks the warehouse whether it is there, for kassa_warehouse_up.
func (a *App) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	a.metrics.up.Store(a.Warehouse.Ping(ctx) == nil)
}

func every(ctx context.Context, d time.Duration, f func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f()
		}
	}
}

// follow puts decisions in force that other collectors have written since, and tells from when to read next.
func (a *App) follow(ctx context.Context, since time.Time) time.Time {
	next := a.clock()
	for record, err := range a.Warehouse.ConsentRecords(ctx, since.Add(-followOverlap)) {
		if err != nil {
			if ctx.Err() == nil {
				a.logger.Warn("decisions of other collectors cannot be read; the delivery still looks at every consent it knows", "error", err)
			}
			return since
		}
		a.Gate.Observe(record)
	}
	return next
}
