package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/kassa-analytics/kassa/consentgate"
)

// insertConsents writes the ledger rows of a batch; refusals become counts of nobody.
func (w *Warehouse) insertConsents(ctx context.Context, b batch) error {
	var rows []consentgate.Record
	var refusals []consentgate.Record
	for _, r := range b.Consents {
		if r.Action == consentgate.ActionRefusal || r.Visitor == 0 {
			refusals = append(refusals, r)
		} else {
			rows = append(rows, r)
		}
	}
	if len(rows) > 0 {
		err := w.send(exact(ctx, b.Token+"/consents"), "consents", "insert_consents.sql", func(batch driver.Batch) error {
			for _, r := range rows {
				if err := batch.Append(r.Shop, uint64(r.Visitor), r.ID, numbers(r.Aliases), string(r.Action), r.ReceiptID,
					r.Granted, r.Denied, r.Revoked, string(r.Choices), r.NoticeVersion, r.NoticeLanguage, r.NoticeSHA256,
					r.Source, r.AttestedBy, milli(r.GivenAt), milli(r.RecordedAt), milli(r.ExpiresAt), bit(r.Erase)); err != nil {
					return fmt.Errorf("consent record: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(refusals) == 0 {
		return nil
	}
	return w.send(exact(ctx, b.Token+"/refusals"), "refusals", "insert_consent_counts.sql", func(batch driver.Batch) error {
		for _, r := range refusals {
			purposes := r.Denied
			if len(purposes) == 0 {
				purposes = []string{consentgate.AllPurposes}
			}
			for _, purpose := range purposes {
				if err := batch.Append(r.Shop, milli(r.GivenAt).Truncate(time.Hour), purpose, "refused", r.ID, uint64(1)); err != nil {
					return fmt.Errorf("refusal: %w", err)
				}
			}
		}
		return nil
	})
}

func milli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func numbers(list []consentgate.Pseudonym) []uint64 {
	out := make([]uint64, len(list))
	for i, p := range list {
		out[i] = uint64(p)
	}
	return out
}

func pseudonyms(list []uint64) []consentgate.Pseudonym {
	out := make([]consentgate.Pseudonym, len(list))
	for i, p := range list {
		out[i] = consentgate.Pseudonym(p)
	}
	return out
}
