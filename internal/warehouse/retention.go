package warehouse

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Retention is how long each category is kept, by event time; 0 keeps it for ever. Contacts are the sealed contact and cart reference
// of events and carts, which go earlier than the rows they stand in.
type Retention struct {
	Events, Sessions, Carts, Orders, Contacts, Consents time.Duration
}

// of is the time that a category is kept. What sessions are folded from tells pages and times, so it goes with the events.
func (r Retention) of(category string) time.Duration {
	return map[string]time.Duration{"events": r.Events, "sessions": r.Sessions, "carts": r.Carts, "orders": r.Orders, "consents": r.Consents}[category]
}

// ttl is one thing that expires: a table's rows, or one column's values.
type ttl struct {
	table, column string // column: empty for rows
	time          string // column that retention counts from
	kept          time.Duration
}

func (r Retention) ttls() []ttl {
	var list []ttl
	for _, t := range PersonalTables() {
		list = append(list, ttl{table: t.Name, time: t.Time, kept: r.of(t.Category)})
	}
	list = append(list, ttl{table: "event_ids", time: "time", kept: r.Events})
	for _, table := range []string{"events", "cart_events", "cart_facts"} {
		at := "time"
		if table == "cart_facts" {
			at = "last_activity"
		}
		for _, column := range []string{"contact", "cart_ref"} {
			list = append(list, ttl{table: table, column: column, time: at, kept: r.Contacts})
		}
	}
	return list
}

// ApplyRetention makes the tables forget what is older than r says, where they do not already. ClickHouse removes it when it next
// merges the parts concerned, in the background.
func (w *Warehouse) ApplyRetention(ctx context.Context, r Retention) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range r.ttls() {
		if err := w.applyTTL(ctx, t); err != nil {
			return err
		}
	}
	w.retention = r
	return nil
}

func (w *Warehouse) applyTTL(ctx context.Context, t ttl) error {
	seconds := max(0, int64(t.kept/time.Second))
	var now int64 // seconds, 0 for none
	p := clickhouse.Parameters{"table": t.table, "column": t.column, "time": t.time, "seconds": strconv.FormatInt(seconds, 10)}
	if err := w.conn.QueryRow(parameters(ctx, p), statements.get("ttl_now.sql")).Scan(&now); err != nil {
		return fmt.Errorf("reading the retention of %s: %w", t.table, err)
	}
	if now == seconds {
		return nil
	}
	file := "ttl"
	if t.column != "" {
		file += "_" + t.column
	}
	if seconds == 0 {
		file += "_remove"
	}
	file += ".sql"
	if err := w.conn.Exec(parameters(ctx, p), statements.get(file)); err != nil {
		return fmt.Errorf("setting the retention of %s %s to %s: %w", t.table, t.column, t.kept, err)
	}
	return nil
}
