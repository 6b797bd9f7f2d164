package warehouse

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// fold recomputes every fact that a batch touched from the distinct events: sessions first, for carts and orders take their channel
// from them; where a session's beginning moved, its visitor's carts and orders are folded too.
//
// A fold's version is the server's clock at its start. A batch's events and marks are visible before its fold starts, so of two folds
// the one with the greater version has seen all that made the other necessary: the last word is right, whichever process says it.
func (w *Warehouse) fold(ctx context.Context, token string) error {
	if err := w.run(ctx, "fold_sessions.sql", token); err != nil {
		return err
	}
	var moved uint64
	err := w.conn.QueryRow(parameters(ctx, w.foldParameters("count_moved.sql", token)), statements.get("count_moved.sql")).Scan(&moved)
	if err != nil {
		return fmt.Errorf("looking for moved sessions: %w", err)
	}
	files := []string{"fold_carts.sql", "fold_orders.sql"}
	if moved > 0 {
		files = []string{"mark_moved_carts.sql", "mark_moved_orders.sql", "fold_carts.sql", "fold_orders.sql"}
	}
	for _, file := range files {
		if err := w.run(ctx, file, token); err != nil {
			return err
		}
	}
	return nil
}

// run executes one statement of the fold.
func (w *Warehouse) run(ctx context.Context, file, token string) error {
	if err := w.conn.Exec(parameters(ctx, w.foldParameters(file, token)), statements.get(file)); err != nil {
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
	case "mark_moved_carts.sql", "mark_moved_orders.sql":
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
