package delivery

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

type gateConsent struct {
	gate  *consentgate.Gate
	clock func() time.Time
}

// ByGate judges events by the gate's overrides: withdrawals and erasures known to
// this process, its own and those read from the ledger.
func ByGate(gate *consentgate.Gate, clock func() time.Time) Consent {
	return gateConsent{gate, clock}
}

func (c gateConsent) Judge(ev *collector.Event) (keep, contact bool) {
	var given time.Time // zero for imports: they do not rest on consent
	if ev.GivenAt != 0 {
		given = time.UnixMilli(ev.GivenAt)
	}
	now, visitor := c.clock(), consentgate.Pseudonym(ev.Visitor)
	if c.gate.Suppressed(ev.Shop, visitor, ev.ReceiptID, given, now) {
		return false, false
	}
	if len(ev.Contact) == 0 && len(ev.CartRef) == 0 {
		return true, true
	}
	return true, !c.gate.Denied(ev.Shop, visitor, consentgate.PurposeMarketing, given, now)
}

// SpooledConsents goes through the consent records that are still in the spool, for
// consentgate's Restore. Records the spool cannot give back are passed over here; the
// delivery reports them.
func SpooledConsents(sp Spool) iter.Seq2[consentgate.Record, error] {
	return func(yield func(consentgate.Record, error) bool) {
		last := sp.Last()
		for next := sp.First(); next <= last; {
			entries, err := sp.Read(next, 4<<20)
			if damage := (*spool.CorruptionError)(nil); errors.As(err, &damage) {
				next = damage.Last + 1
				continue
			}
			if err != nil {
				yield(consentgate.Record{}, fmt.Errorf("reading the spool's consent records: %w", err))
				return
			}
			if len(entries) == 0 {
				return
			}
			for _, e := range entries {
				next = e.Index + 1
				if e.Kind != KindConsent {
					continue
				}
				r, err := consentgate.DecodeRecord(e.Data)
				if err != nil {
					continue // becomes a dead letter
				}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}
