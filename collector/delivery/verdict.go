package delivery

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
)

// verdict is what is to become of one event.
type verdict byte

const (
	verdictStore          verdict = iota
	verdictStoreNoContact         // marketing consent is gone: without contact and cart reference
	verdictDuplicate              // its id is stored, or earlier in this batch
	// An id that is stored with a later time: the copy is inserted, since the earliest
	// time of an event counts whichever copy comes first, but it is a duplicate.
	verdictEarlierDuplicate
	verdictEarlierDuplicateNoContact
	verdictSuppressed
	verdictDeadLetter
)

func (v verdict) stored() bool { return v == verdictStore || v == verdictStoreNoContact }

// inserted tells whether the event is sent to the warehouse.
func (v verdict) inserted() bool {
	return v.stored() || v == verdictEarlierDuplicate || v == verdictEarlierDuplicateNoContact
}

func (v verdict) withContact() bool { return v == verdictStore || v == verdictEarlierDuplicate }

func (v verdict) withoutContact() verdict {
	switch v {
	case verdictStore:
		return verdictStoreNoContact
	case verdictEarlierDuplicate:
		return verdictEarlierDuplicateNoContact
	}
	return v
}

type eventKey struct {
	shop string
	id   [16]byte
}

// judge gives each event its verdict and the batch its token.
func (d *Delivery) judge(ctx context.Context, b *batch) error {
	b.seal.Token = newToken()
	b.seal.Verdicts = make([]verdict, b.places)
	d.applyConsent(b)

	// Of copies within the batch the earliest stays.
	best := make(map[eventKey]int, len(b.events))
	for i := range b.events {
		v := &b.seal.Verdicts[b.at[i]]
		if !v.inserted() {
			continue
		}
		k := eventKey{b.events[i].Shop, b.events[i].ID}
		j, seen := best[k]
		switch {
		case !seen:
			best[k] = i
		case b.events[i].Time < b.events[j].Time:
			b.seal.Verdicts[b.at[j]] = verdictDuplicate
			best[k] = i
		default:
			*v = verdictDuplicate
		}
	}

	ask := map[string][][16]byte{}
	for k := range best {
		if d.cfg.Filter.MayHave(k.id) {
			ask[k.shop] = append(ask[k.shop], k.id)
		}
	}
	for shop, ids := range ask {
		var known map[[16]byte]int64
		err := d.retry(ctx, "asking for known event ids", func() (err error) {
			known, err = d.cfg.Warehouse.KnownEventIDs(ctx, shop, ids)
			return err
		})
		if err != nil {
			return err
		}
		for id, earliest := range known {
			i, ok := best[eventKey{shop, id}]
			if !ok {
				continue
			}
			v := &b.seal.Verdicts[b.at[i]]
			switch {
			case b.events[i].Time >= earliest:
				*v = verdictDuplicate
			case *v == verdictStore:
				*v = verdictEarlierDuplicate
			case *v == verdictStoreNoContact:
				*v = verdictEarlierDuplicateNoContact
			}
		}
	}
	return nil
}

// applyConsent takes away what may not be inserted any more, and tells whether that
// changed a verdict. Verdicts only ever get stricter.
func (d *Delivery) applyConsent(b *batch) (changed bool) {
	for i := range b.events {
		v := &b.seal.Verdicts[b.at[i]]
		if !v.inserted() {
			continue
		}
		ev := &b.events[i]
		keep, contact := d.cfg.Consent.Judge(ev)
		switch {
		case !keep:
			*v, changed = verdictSuppressed, true
		case !contact && v.withContact() && (len(ev.Contact) > 0 || len(ev.CartRef) > 0):
			*v, changed = v.withoutContact(), true
		}
	}
	return changed
}

// rows are the events to insert, in order.
func (b *batch) rows() []collector.Event {
	if !slices.ContainsFunc(b.seal.Verdicts, func(v verdict) bool { return v != verdictStore }) {
		return b.events // the usual case: nothing to leave out, nothing to copy
	}
	rows := make([]collector.Event, 0, len(b.events))
	for i := range b.events {
		if v := b.seal.Verdicts[b.at[i]]; v.inserted() {
			rows = append(rows, b.row(i))
		}
	}
	return rows
}

// row is event i as it is inserted.
func (b *batch) row(i int) collector.Event {
	ev := b.events[i]
	if !b.seal.Verdicts[b.at[i]].withContact() {
		ev.Contact, ev.CartRef = nil, nil
	}
	return ev
}

// newToken is unique among all collectors that write to one warehouse.
func newToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// retry calls f until it succeeds, its error is one of data, or ctx ends. The pause
// grows to RetryMax, with jitter so that several collectors spread out.
func (d *Delivery) retry(ctx context.Context, doing string, f func() error) error {
	pause := d.cfg.RetryMin
	for {
		err := f()
		if err == nil || d.cfg.IsDataError(err) || errors.Is(err, spool.ErrClosed) {
			d.setErr(nil)
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.setErr(err)
		wait := pause/2 + jitter(pause/2)
		d.cfg.Logger.Warn("delivery: "+doing+" failed, trying again", "error", err, "pause", wait.Round(time.Millisecond))
		if err := d.sleep(ctx, wait); err != nil {
			return err
		}
		pause = min(2*pause, d.cfg.RetryMax)
	}
}
