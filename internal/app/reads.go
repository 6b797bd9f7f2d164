package app

import (
	"context"
	_ "embed"
	"encoding/hex"
	"fmt"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/consentgate"
)

//go:embed sql/known_event_ids.sql
var knownEventIDs string

//go:embed sql/decisions.sql
var decisions string

//go:embed sql/latest_decisions.sql
var latestDecisions string

// reads answers what the gate and the delivery ask of the warehouse.
type reads struct{ conn driver.Conn }

// KnownEventIDs tells which ids are stored, with their earliest time in Unix milliseconds; see delivery.Warehouse.
func (r reads) KnownEventIDs(ctx context.Context, shop string, ids [][16]byte) (map[[16]byte]int64, error) {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = hex.EncodeToString(id[:])
	}
	rows, err := r.conn.Query(ctx, knownEventIDs, clickhouse.Named("shop", shop), clickhouse.Named("ids", texts))
	if err != nil {
		return nil, fmt.Errorf("looking for known event ids: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	known := map[[16]byte]int64{}
	for rows.Next() {
		var id string
		var at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, fmt.Errorf("looking for known event ids: %w", err)
		}
		known[[16]byte([]byte(id))] = at
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("looking for known event ids: %w", err)
	}
	return known, nil
}

// Decisions goes through the whole ledger, by shop, visitor and time; see consentgate.Gate.Restore.
func (r reads) Decisions(ctx context.Context) iter.Seq2[consentgate.Record, error] {
	return func(yield func(consentgate.Record, error) bool) {
		rows, err := r.conn.Query(ctx, decisions)
		if err != nil {
			yield(consentgate.Record{}, fmt.Errorf("reading the consent ledger: %w", err))
			return
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			record, err := scanRecord(rows)
			if !yield(record, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(consentgate.Record{}, fmt.Errorf("reading the consent ledger: %w", err))
		}
	}
}

// LatestDecisions implements consentgate.History.
func (r reads) LatestDecisions(ctx context.Context, shop string, visitor []consentgate.Pseudonym) ([]consentgate.Record, error) {
	ids := make([]uint64, len(visitor))
	for i, v := range visitor {
		ids[i] = uint64(v)
	}
	rows, err := r.conn.Query(ctx, latestDecisions, clickhouse.Named("shop", shop), clickhouse.Named("visitors", ids))
	if err != nil {
		return nil, fmt.Errorf("reading a visitor's decisions: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	var records []consentgate.Record
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading a visitor's decisions: %w", err)
	}
	return records, nil
}

func scanRecord(rows driver.Rows) (consentgate.Record, error) {
	var r consentgate.Record
	var visitor uint64
	var aliases []uint64
	var action, choices string
	var erase uint8
	err := rows.Scan(&r.ID, &r.Shop, &visitor, &aliases, &action, &r.ReceiptID, &r.Granted, &r.Denied, &r.Revoked, &choices, &r.NoticeVersion, &r.NoticeLanguage,
		&r.NoticeSHA256, &r.Source, &r.AttestedBy, &r.GivenAt, &r.RecordedAt, &r.ExpiresAt, &erase)
	if err != nil {
		return r, fmt.Errorf("reading a ledger row: %w", err)
	}
	r.Visitor, r.Action, r.Choices, r.Erase = consentgate.Pseudonym(visitor), consentgate.Action(action), []byte(choices), erase != 0
	for _, a := range aliases {
		r.Aliases = append(r.Aliases, consentgate.Pseudonym(a))
	}
	if choices == "" {
		r.Choices = nil
	}
	return r, nil
}
