package warehouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/consentgate"
)

// batch is what was sealed: after an error that is no DataError the same rows in the same order come again under the same token.
type batch struct {
	Token    string // unique to the batch and the spool
	Events   []collector.Event
	Consents []consentgate.Record
}

// Insert stores a sealed batch and brings every fact that it touches up to date. It returns nil once all of it is fsynced. The token
// names the batch: no other rows ever come under it.
//
// Inserting the same batch again, wholly or after a crash in the middle, changes nothing. A *DataError says that the batch is at
// fault; after any other error the outcome is unknown, and the same rows in the same order are to be sent again.
func (w *Warehouse) Insert(ctx context.Context, token string, events []collector.Event, consents []consentgate.Record) error {
	b := batch{token, events, consents}
	if b.Token == "" {
		return fmt.Errorf("inserting a batch: it has no token")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.insertConsents(ctx, b); err != nil {
		return err
	}
	if len(b.Events) == 0 {
		return nil
	}
	if err := w.insertEvents(ctx, b); err != nil {
		return err
	}
	kinds, err := w.insertTouched(ctx, b)
	if err != nil {
		return err
	}
	return w.settle(ctx, b.Token, kinds)
}

// writerNiceness makes the engine's threads give way while they bring batches in: where the machine is short of processors, taking events
// in and answering reports go first, and the spool holds the rest. It takes effect where the server may set priorities (CAP_SYS_NICE).
const writerNiceness = 10

// exact are the settings under which rows go in: at once, whole, once a token, in every table fed by a view as well.
func exact(ctx context.Context, token string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"async_insert":               0,
		"insert_deduplicate":         1,
		"insert_deduplication_token": token,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		"max_insert_threads":       1,
		"parallel_view_processing": 1,
		// One block: a batch is one part a table, or none.
		"max_insert_block_size":       1_048_576,
		"min_insert_block_size_rows":  1_048_576,
		"min_insert_block_size_bytes": 1 << 30,
		"os_thread_priority":          writerNiceness,
	}))
}

// plain are the settings of rows that may stand there twice.
func plain(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"async_insert": 0}))
}

// insertHalves is the number of events from which a batch goes in as two inserts at once: a single one keeps little more than one
// processor busy.
const insertHalves = 10_000

// insertEvents sends the events, a large batch in two halves. The cut depends on nothing but their number, so that a repeat is the same.
func (w *Warehouse) insertEvents(ctx context.Context, b batch) error {
	if len(b.Events) < insertHalves {
		return w.insertSome(ctx, b.Token+"/events", b.Events)
	}
	half := len(b.Events) / 2
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return w.insertSome(ctx, b.Token+"/events/1", b.Events[:half]) })
	group.Go(func() error { return w.insertSome(ctx, b.Token+"/events/2", b.Events[half:]) })
	return group.Wait()
}

func (w *Warehouse) insertSome(ctx context.Context, token string, events []collector.Event) error {
	return w.send(exact(ctx, token), "events", "insert_events.sql", func(batch driver.Batch) error {
		for i, c := range eventColumns() {
			if err := batch.Column(i).Append(c.fill(events)); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		return nil
	})
}

// send prepares, fills and sends one insert. Errors: *DataError or of unknown outcome.
func (w *Warehouse) send(ctx context.Context, what, file string, fill func(driver.Batch) error) error {
	batch, err := w.conn.PrepareBatch(ctx, statements.get(file))
	if err != nil {
		return fmt.Errorf("preparing to insert %s: %w", what, err)
	}
	defer batch.Close()
	if err := fill(batch); err != nil {
		return encoded(what, err)
	}
	if err := batch.Send(); err != nil {
		return sent(what, err)
	}
	return nil
}
