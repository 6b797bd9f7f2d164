package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
)

// TestTwoWriters lets two processes' writers insert the events of the same visitors at once, in small batches: the facts come out as if
// one had done it.
func TestTwoWriters(t *testing.T) {
	opts := chdbtest.Options(t)
	writers := make([]*Warehouse, 3)
	for i := range writers {
		w, err := Open(context.Background(), Config{Options: opts})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		writers[i] = w
	}
	for round := range 3 {
		events := rapid.Custom(drawEvents).Example(round + 7)
		r := rand.New(rand.NewPCG(uint64(round), 1))
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		reset(t, writers[0])
		var wg sync.WaitGroup
		for i, w := range writers {
			wg.Go(func() {
				for n := i; n*3 < len(events); n += len(writers) {
					part := events[n*3 : min(n*3+3, len(events))]
					if err := w.Insert(context.Background(), fmt.Sprintf("round '%d' part %d", round, n), part, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		sameFacts(t, "two writers", storedFacts(t, writers[0]), modelFacts(events))
	}
}
