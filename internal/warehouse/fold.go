package warehouse

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"
)

// settle folds what a batch touched and makes sure that its word is the last.
//
// A fold's version is the server's clock at its start, and a batch's events and marks are visible before its fold starts: of two folds
// of one entity the one with the greater version has seen all that made the other necessary. One thing remains where two processes
// write: sessions and carts without an id may be rearranged, and the other's fold cannot put a tombstone on what it did not see yet.
// So after its fold a process looks for batches that appeared meanwhile, and folds again what it has in common with them.
func (w *Warehouse) settle(ctx context.Context, token string, kinds kindSet) error {
	if w.exclusive {
		return w.fold(ctx, token, kinds)
	}
	before, err := w.others(ctx)
	if err != nil {
		return err
	}
	for round := 1; ; round++ {
		if err := w.fold(ctx, token, kinds); err != nil {
			return err
		}
		after, err := w.others(ctx)
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(slices.Clone(after), func(b string) bool { return slices.Contains(before, b) })
		if len(fresh) == 0 {
			return nil
		}
		again := fmt.Sprintf("%s/again/%d", token, round)
		shared, err := w.share(ctx, token, again, fresh)
		if err != nil || shared == 0 {
			return err
		}
		token, before = again, after
	}
}

// others are the batches that other processes have marked in the last quarter of an hour.
func (w *Warehouse) others(ctx context.Context) ([]string, error) {
	var list []string
	p := clickhouse.Parameters{"writer": strconv.FormatUint(w.writer, 10)}
	if err := w.conn.QueryRow(parameters(ctx, p), statements.get("other_batches.sql")).Scan(&list); err != nil {
		return nil, fmt.Errorf("looking for other writers' batches: %w", err)
	}
	return list, nil
}

// share marks under the token again what the batch has in common with others, and tells how many entities that is.
func (w *Warehouse) share(ctx context.Context, token, again string, others []string) (uint64, error) {
	quoted := make([]string, len(others))
	for i, o := range others {
		quoted[i] = "'" + escape.Replace(o) + "'"
	}
	p := clickhouse.Parameters{"batch": token, "again": again, "others": "[" + strings.Join(quoted, ",") + "]"}
	if err := w.conn.Exec(parameters(ctx, p), statements.get("mark_shared.sql")); err != nil {
		return 0, fmt.Errorf("marking what two writers touched: %w", err)
	}
	var n uint64
	if err := w.conn.QueryRow(parameters(ctx, clickhouse.Parameters{"batch": again}), statements.get("count_marks.sql")).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting what two writers touched: %w", err)
	}
	return n, nil
}

var escape = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// fold recomputes every fact that a batch touched from the distinct events: sessions first, for carts and orders take their channel
// from them; where a session's beginning moved, its visitor's carts and orders are folded too.
func (w *Warehouse) fold(ctx context.Context, token string, kinds kindSet) error {
	if kinds[touchedSession] {
		if err := w.run(ctx, "fold_sessions.sql", token); err != nil {
			return err
		}
		var moved uint64
		err := w.conn.QueryRow(parameters(ctx, clickhouse.Parameters{"batch": token}), statements.get("count_moved.sql")).Scan(&moved)
		if err != nil {
			return fmt.Errorf("looking for moved sessions: %w", err)
		}
		if moved > 0 {
			for _, file := range []string{"mark_moved_carts.sql", "mark_moved_orders.sql"} {
				if err := w.run(ctx, file, token); err != nil {
					return err
				}
			}
			kinds = kindSet{touchedCart: true, touchedOrder: true}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	if kinds[touchedCart] || kinds[touchedOwnCart] {
		group.Go(func() error { return w.run(ctx, "fold_carts.sql", token) })
	}
	if kinds[touchedOrder] {
		group.Go(func() error { return w.run(ctx, "fold_orders.sql", token) })
	}
	return group.Wait()
}

// run executes one statement of the fold.
func (w *Warehouse) run(ctx context.Context, file, token string) error {
	ctx = clickhouse.Context(parameters(ctx, w.foldParameters(file, token)), clickhouse.WithSettings(clickhouse.Settings{"os_thread_priority": writerNiceness}))
	if err := w.conn.Exec(ctx, statements.get(file)); err != nil {
		return fmt.Errorf("folding, %s: %w", file, err)
	}
	return nil
}

// foldParameters are the named values of a statement of the fold.
func (w *Warehouse) foldParameters(file, token string) clickhouse.Parameters {
	p := clickhouse.Parameters{"batch": token}
	switch file {
	case "fold_sessions.sql":
		p["horizon"] = w.horizon(min(positive(w.retention.Events), positive(w.retention.Sessions)))
	case "fold_carts.sql":
		p["horizon"] = w.horizon(positive(w.retention.Carts))
	case "mark_moved_carts.sql", "mark_moved_orders.sql", "insert_batch.sql":
		p["writer"] = strconv.FormatUint(w.writer, 10)
	}
	return p
}

const forever = time.Duration(1<<63 - 1)

func positive(d time.Duration) time.Duration {
	if d <= 0 {
		return forever
	}
	return d
}

// horizon is the time before which sessions and carts without an id are left alone: retention may have taken some of their events, and
// what is left must not pass for the whole.
func (w *Warehouse) horizon(kept time.Duration) string {
	if kept == forever {
		return "1970-01-01 00:00:00"
	}
	return w.clock().Add(24*time.Hour - kept).UTC().Format("2006-01-02 15:04:05")
}

func parameters(ctx context.Context, p clickhouse.Parameters) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithParameters(p))
}
