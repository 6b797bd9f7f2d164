package warehouse

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/consentgate"
)

// ConsentRecords are the ledger's rows recorded at or after since (zero: all), ordered by shop, visitor and the time of the decision,
// as consentgate.Gate.Restore wants them. They are streamed; an error ends the sequence.
func (w *Warehouse) ConsentRecords(ctx context.Context, since time.Time) iter.Seq2[consentgate.Record, error] {
	return func(yield func(consentgate.Record, error) bool) {
		ms := int64(0)
		if !since.IsZero() {
			ms = since.UnixMilli()
		}
		p := clickhouse.Parameters{"since": strconv.FormatInt(ms, 10)}
		rows, err := w.conn.Query(parameters(ctx, p), statements.get("consent_records.sql"))
		if err != nil {
			yield(consentgate.Record{}, fmt.Errorf("reading the consent ledger: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanRecord(rows)
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(consentgate.Record{}, fmt.Errorf("reading the consent ledger: %w", err))
		}
	}
}

// LatestDecisions are all ledger rows of a visitor, under any of its pseudonyms, in the order of the decisions.
func (w *Warehouse) LatestDecisions(ctx context.Context, shop string, visitor []consentgate.Pseudonym) ([]consentgate.Record, error) {
	rows, err := w.conn.Query(parameters(ctx, clickhouse.Parameters{"shop": shop, "visitors": array(visitor)}), statements.get("latest_decisions.sql"))
	if err != nil {
		return nil, fmt.Errorf("looking up a visitor's consent: %w", err)
	}
	defer rows.Close()
	var list []consentgate.Record
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("looking up a visitor's consent: %w", err)
	}
	return list, nil
}

func scanRecord(rows driver.Rows) (consentgate.Record, error) {
	var r consentgate.Record
	var visitor uint64
	var aliases []uint64
	var action, choices string
	var given, recorded, expires time.Time
	var erase uint8
	err := rows.Scan(&r.Shop, &visitor, &r.ID, &aliases, &action, &r.ReceiptID, &r.Granted, &r.Denied, &r.Revoked, &choices,
		&r.NoticeVersion, &r.NoticeLanguage, &r.NoticeSHA256, &r.Source, &r.AttestedBy, &given, &recorded, &expires, &erase)
	if err != nil {
		return r, fmt.Errorf("reading a row of the consent ledger: %w", err)
	}
	r.Visitor, r.Action, r.Erase = consentgate.Pseudonym(visitor), consentgate.Action(action), erase != 0
	r.GivenAt, r.RecordedAt, r.ExpiresAt = given.UnixMilli(), recorded.UnixMilli(), expires.UnixMilli()
	if len(aliases) > 0 {
		r.Aliases = pseudonyms(aliases)
	}
	if choices != "" {
		r.Choices = []byte(choices)
	}
	// A record comes back as it was written: what is empty was nil.
	for _, list := range []*[]string{&r.Granted, &r.Denied, &r.Revoked} {
		if len(*list) == 0 {
			*list = nil
		}
	}
	return r, nil
}

// array writes pseudonyms as a value of an {x:Array(UInt64)} parameter.
func array(list []consentgate.Pseudonym) string {
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = strconv.FormatUint(uint64(p), 10)
	}
	return "[" + strings.Join(parts, ",") + "]"
}
