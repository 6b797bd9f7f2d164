package delivery

import (
	"context"

	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

// Intake puts events and consent records into the spool in the form that the
// delivery reads: it is the collector's Appender and the consent gate's Ledger.
type Intake struct {
	// Spool's Append; it must not return before the record is on disk.
	Spool interface {
		Append(ctx context.Context, r spool.Record) (uint64, error)
	}
}

var _ consentgate.Ledger = Intake{}

// AppendEvents makes events as collector.AppendEvents encodes them durable.
func (i Intake) AppendEvents(ctx context.Context, data []byte, events int, tag uint64) (uint64, error) {
	return i.Spool.Append(ctx, spool.Record{Kind: KindEvents, Data: data, Events: events, Tag: tag})
}

// Append makes a consent record durable.
func (i Intake) Append(ctx context.Context, r consentgate.Record) error {
	data, err := consentgate.EncodeRecord(r)
	if err != nil {
		return err
	}
	_, err = i.Spool.Append(ctx, spool.Record{Kind: KindConsent, Data: data})
	return err
}
