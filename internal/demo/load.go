package demo

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/csvimport"
)

// legalBasis is recorded with the history's events: they are nobody's.
const legalBasis = "made-up data"

// stretch is how many events are sorted by device class and sent together.
const stretch = 4000

// Load sends the history's events through the path of every import and waits until the warehouse has them. Loading the same history again
// changes nothing. progress is told of events that are on disk.
func Load(ctx context.Context, shop string, h *History, sink csvimport.Sink, progress func(events int)) error {
	tag := rand.Uint64() | 1 //nolint:gosec // tells this load from others, no secret
	for events := range slices.Chunk(h.Events, stretch) {
		part := slices.Clone(events)
		slices.SortStableFunc(part, func(a, b Event) int { return cmp.Compare(a.Device, b.Device) })
		for len(part) > 0 {
			n := 1
			for n < len(part) && n < collector.MaxEvents && part[n].Device == part[0].Device {
				n++
			}
			b := csvimport.Batch{Shop: shop, Basis: legalBasis, Device: part[0].Device, Tag: tag, Events: make([]collector.Input, n)}
			for i := range b.Events {
				b.Events[i] = part[i].Input
			}
			res, err := sink.Import(ctx, b)
			if err != nil {
				return fmt.Errorf("loading the demo's history: %w", err)
			}
			if len(res.Rejected) > 0 {
				return fmt.Errorf("loading the demo's history: %w", &res.Rejected[0])
			}
			progress(n)
			part = part[n:]
		}
	}
	out, err := sink.Outcome(ctx, tag)
	if err != nil {
		return fmt.Errorf("loading the demo's history: %w", err)
	}
	if !out.Complete || out.DeadLettered > 0 {
		return fmt.Errorf("loading the demo's history: the warehouse does not take it (%d stored, %d refused)", out.Stored, out.DeadLettered)
	}
	return nil
}
