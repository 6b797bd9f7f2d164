package warehouse

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// idsAQuestion bounds how many ids one query carries: they travel in the address of an HTTP request, which servers cut at 1 MiB.
const idsAQuestion = 8192

// KnownEventIDs returns those of a shop's event ids that are stored, with the earliest time stored for each (Unix milliseconds).
func (w *Warehouse) KnownEventIDs(ctx context.Context, shop string, ids [][16]byte) (map[[16]byte]int64, error) {
	known := make(map[[16]byte]int64)
	for len(ids) > 0 {
		n := min(len(ids), idsAQuestion)
		if err := w.knownEventIDs(ctx, shop, ids[:n], known); err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return known, nil
}

func (w *Warehouse) knownEventIDs(ctx context.Context, shop string, ids [][16]byte, known map[[16]byte]int64) error {
	var text strings.Builder
	text.Grow(32 * len(ids))
	for i := range ids {
		text.WriteString(hex.EncodeToString(ids[i][:]))
	}
	rows, err := w.conn.Query(parameters(ctx, clickhouse.Parameters{"shop": shop, "ids": text.String()}), statements.get("known_event_ids.sql"))
	if err != nil {
		return fmt.Errorf("looking up %d event ids: %w", len(ids), err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var at time.Time
		if err := rows.Scan(&id, &at); err != nil {
			return fmt.Errorf("reading known event ids: %w", err)
		}
		known[[16]byte([]byte(id))] = at.UnixMilli()
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading known event ids: %w", err)
	}
	return nil
}

// EachEventID calls add with every stored event id of every shop, in no order; an id may come more than once.
func (w *Warehouse) EachEventID(ctx context.Context, add func(id [16]byte)) error {
	rows, err := w.conn.Query(ctx, statements.get("each_event_id.sql"))
	if err != nil {
		return fmt.Errorf("reading all event ids: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("reading all event ids: %w", err)
		}
		add([16]byte([]byte(id)))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading all event ids: %w", err)
	}
	return nil
}
