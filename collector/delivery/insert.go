package delivery

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/consentgate"
)

func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// deliver sends the sealed batch until the warehouse has it.
func (d *Delivery) deliver(ctx context.Context, b *batch) error {
	if b.seal.Applied {
		return nil
	}
	first := !b.resumed
	var rows []collector.Event
	err := d.retry(ctx, "inserting a batch", func() error {
		// Consent may have been withdrawn while the warehouse was away. A changed batch
		// goes under another token; rows an earlier try may have stored are the
		// eraser's, who looks after what is stored.
		if !first && d.applyConsent(b) {
			b.seal.Turn++
			if err := d.files.saveSeal(b.seal); err != nil {
				return err
			}
			rows = nil
		}
		first = false
		if rows == nil {
			rows = b.rows()
		}
		return d.insert(ctx, b.seal.sent(), rows, b.consents)
	})
	if err == nil || !d.cfg.IsDataError(err) {
		return err
	}
	d.cfg.Logger.Warn("delivery: the warehouse refuses a row of the batch; looking for it", "error", err, "events", len(rows))
	return d.isolate(ctx, b, err)
}

func (d *Delivery) insert(ctx context.Context, token string, events []collector.Event, consents []consentgate.Record) error {
	if len(events) == 0 && len(consents) == 0 {
		return nil
	}
	start := d.cfg.Clock()
	err := d.cfg.Warehouse.Insert(ctx, token, events, consents)
	d.took = d.cfg.Clock().Sub(start)
	d.cfg.OnInsert(d.took, err)
	return err
}

// isolate finds what the warehouse refuses by halving, inserts the rest and seals
// who became a dead letter. Halves have tokens of their own, derived from the
// batch's: after a crash the search takes the same way.
func (d *Delivery) isolate(ctx context.Context, b *batch, cause error) error {
	var items []int // events, then consent records from len(b.events) on
	for i := range b.events {
		if b.seal.Verdicts[b.at[i]].inserted() {
			items = append(items, i)
		}
	}
	for i := range b.consents {
		items = append(items, len(b.events)+i)
	}
	b.seal.Reasons = nil
	if err := d.halve(ctx, b, items, cause); err != nil {
		return err
	}
	for _, r := range b.seal.Reasons {
		if r.Place < b.places {
			b.seal.Verdicts[r.Place] = verdictDeadLetter
		}
	}
	slices.SortFunc(b.seal.Reasons, func(x, y reason) int { return x.Place - y.Place })
	b.seal.Applied = true
	d.at("isolated")
	return d.saveSeal(ctx, b.seal)
}

// halve deals with items, which the warehouse refused together for cause.
func (d *Delivery) halve(ctx context.Context, b *batch, items []int, cause error) error {
	if len(items) == 1 {
		place := b.places + items[0] - len(b.events)
		if items[0] < len(b.events) {
			place = b.at[items[0]]
		}
		b.seal.Reasons = append(b.seal.Reasons, reason{Place: place, Text: cause.Error()})
		return nil
	}
	for _, part := range [][]int{items[:len(items)/2], items[len(items)/2:]} {
		if len(part) == 0 {
			continue
		}
		var rows []collector.Event
		var consents []consentgate.Record
		for _, i := range part {
			if i < len(b.events) {
				rows = append(rows, b.row(i))
			} else {
				consents = append(consents, b.consents[i-len(b.events)])
			}
		}
		token := b.seal.sent() + "-" + strconv.Itoa(part[0]) + "-" + strconv.Itoa(part[len(part)-1])
		err := d.retry(ctx, "inserting a part of a batch", func() error { return d.insert(ctx, token, rows, consents) })
		if err != nil && d.cfg.IsDataError(err) {
			err = d.halve(ctx, b, part, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeLetters keeps the batch's dead letters. Doing so again after a crash replaces
// them by the same.
func (d *Delivery) writeLetters(b *batch) error {
	letters := b.letters
	for _, r := range b.seal.Reasons {
		l, err := b.letter(r, d.cfg.Clock())
		if err != nil {
			return err
		}
		letters = append(letters, l)
	}
	for _, l := range letters {
		if err := d.cfg.DeadLetters.put(l); err != nil {
			return err
		}
		d.cfg.Logger.Warn("delivery: dead letter kept", "index", l.Index, "place", l.Place, "events", l.Count, "reason", l.Reason)
	}
	return nil
}

// letter makes the dead letter of one event or consent record.
func (b *batch) letter(r reason, now time.Time) (Letter, error) {
	l := Letter{Index: b.seal.First, Place: r.Place, Reason: r.Text, At: now.UnixMilli()}
	var err error
	if r.Place >= b.places {
		l.Kind = KindConsent
		l.Data, err = consentgate.EncodeRecord(b.consents[r.Place-b.places])
		return l, err
	}
	i, _ := slices.BinarySearch(b.at, r.Place)
	for _, e := range b.entries {
		if r.Place >= e.slot && r.Place < e.slot+e.count {
			l.Index, l.Place, l.Tag = e.index, r.Place-e.slot, e.tag
		}
	}
	l.Kind, l.Count = KindEvents, 1
	l.Data, err = collector.EncodeEvents([]collector.Event{b.events[i]})
	return l, err
}
