package delivery

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

// batch is what is sent together. The events of entry k have the places
// slot..slot+count in the seal's verdicts.
type batch struct {
	seal     *seal
	entries  []batchEntry
	events   []collector.Event // those that could be decoded
	at       []int             // events[i]'s place in the seal's verdicts
	consents []consentgate.Record
	letters  []Letter // whole records that cannot be read
	places   int
	resumed  bool
}

type batchEntry struct {
	index       uint64
	tag         uint64
	slot, count int
	lost        int64 // events that went with a damaged spool record
}

// gatherEvery is how often new records are looked at while a small batch lingers, so
// that a consent among them need not wait.
const gatherEvery = 25 * time.Millisecond

// nextBatch waits for records, gathers a batch, judges and seals it.
func (d *Delivery) nextBatch(ctx context.Context) (*batch, error) {
	from := d.position() + 1
	if s := d.resume; s != nil {
		d.resume = nil
		b, err := d.reread(ctx, s)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return b, nil
		}
	}
	entries, damage, err := d.gather(ctx, from)
	if err != nil {
		return nil, err
	}
	var b *batch
	if damage != nil {
		b = damagedBatch(damage, d.cfg.Clock())
	} else {
		b = decode(entries, d.cfg.Clock())
	}
	if err := d.judge(ctx, b); err != nil {
		return nil, err
	}
	d.at("judged")
	if err := d.saveSeal(ctx, b.seal); err != nil {
		return nil, err
	}
	d.at("sealed")
	return b, nil
}

func (d *Delivery) saveSeal(ctx context.Context, s *seal) error {
	return d.retry(ctx, "sealing a batch", func() error { return d.files.saveSeal(s) })
}

// read reads the spool, patiently: only damage and the spool's end are errors.
func (d *Delivery) read(ctx context.Context, from uint64) (entries []spool.Entry, damage *spool.CorruptionError, err error) {
	err = d.retry(ctx, "reading the spool", func() (err error) {
		damage = nil
		entries, err = d.cfg.Spool.Read(from, d.cfg.MaxBytes)
		if errors.As(err, &damage) {
			return nil
		}
		return err
	})
	return entries, damage, err
}

func (d *Delivery) position() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Position
}

// gather returns the records of the next batch, or the damage that is next.
func (d *Delivery) gather(ctx context.Context, from uint64) ([]spool.Entry, *spool.CorruptionError, error) {
	var got []spool.Entry
	var until time.Time
	events, bytes := 0, 0
	consents := false
	for {
		for _, e := range d.ahead {
			if len(got) > 0 && (events+e.Events > d.cfg.MaxEvents || bytes+len(e.Data) > d.cfg.MaxBytes) {
				d.ahead = append([]spool.Entry(nil), d.ahead...)
				return got, nil, nil
			}
			got = append(got, e)
			events += e.Events
			bytes += len(e.Data)
			consents = consents || e.Kind != KindEvents
			d.ahead = d.ahead[1:]
		}
		entries, damage, err := d.read(ctx, from+uint64(len(got)))
		if err != nil {
			return nil, nil, err
		}
		if damage != nil {
			if len(got) > 0 {
				return got, nil, nil // what lies before it first
			}
			return nil, damage, nil
		}
		if len(entries) > 0 {
			d.ahead = entries
			continue
		}
		if len(got) == 0 {
			select {
			case <-d.cfg.Spool.Notify():
			case <-d.kick:
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			}
			continue
		}
		now := d.cfg.Clock()
		if until.IsZero() {
			until = now.Add(d.linger())
		}
		if consents { // other collectors must learn of a withdrawal within two seconds
			until = earliest(until, now.Add(max(d.cfg.Linger, min(d.took, d.cfg.MaxLinger/4))))
		}
		if !now.Before(until) || d.urgentFrom(got[0].Index) {
			return got, nil, nil
		}
		pause := time.NewTimer(min(gatherEvery, until.Sub(now)))
		select {
		case <-pause.C:
		case <-d.kick:
		case <-ctx.Done():
			pause.Stop()
			return nil, nil, ctx.Err()
		}
		pause.Stop()
	}
}

// linger is how long a small batch waits for more. Where inserts take long it is longer: many small ones would cost the machine more
// than they tell the owner sooner.
func (d *Delivery) linger() time.Duration {
	return max(d.cfg.Linger, min(2*d.took, d.cfg.MaxLinger))
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// urgentFrom tells whether somebody waits for record i.
func (d *Delivery) urgentFrom(i uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return i <= d.urgent
}

// reread reads a sealed batch's records again; nil if they are not what was sealed.
func (d *Delivery) reread(ctx context.Context, s *seal) (*batch, error) {
	var got []spool.Entry
	for next := s.First; next <= s.Last; {
		entries, damage, err := d.read(ctx, next)
		if err != nil {
			return nil, err
		}
		if damage != nil && next == s.First && damage.Last == s.Last {
			b := damagedBatch(damage, d.cfg.Clock())
			b.seal = s
			return b, nil
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if e.Index > s.Last {
				break
			}
			got = append(got, e)
		}
		next = entries[len(entries)-1].Index + 1
	}
	b := decode(got, d.cfg.Clock())
	if len(got) == 0 || b.seal.First != s.First || b.seal.Last != s.Last || b.seal.Sum != s.Sum || b.places != len(s.Verdicts) {
		d.cfg.Logger.Warn("delivery: the sealed records have changed since; they are judged anew", "first", s.First, "last", s.Last)
		return nil, nil
	}
	b.seal, b.resumed = s, true
	return b, nil
}

// decode opens the records; the seal still lacks token and verdicts.
func decode(entries []spool.Entry, now time.Time) *batch {
	b := &batch{seal: &seal{}}
	n := 0
	for _, e := range entries {
		n += e.Events
	}
	n = min(n, 1<<20) // what records claim is not trusted with memory
	b.events, b.at = make([]collector.Event, 0, n), make([]int, 0, n)
	for i, e := range entries {
		if i == 0 {
			b.seal.First = e.Index
		}
		b.seal.Last = e.Index
		b.seal.Sum = crc32.Update(b.seal.Sum, castagnoli, e.Data)
		be := batchEntry{index: e.Index, tag: e.Tag, slot: b.places, count: e.Events}
		if err := b.open(e, &be); err != nil {
			be.count, be.lost = 0, int64(e.Events)
			b.letters = append(b.letters, Letter{
				Index: e.Index, Kind: e.Kind, Tag: e.Tag, Count: e.Events, Data: e.Data,
				Reason: err.Error(), At: now.UnixMilli(),
			})
		}
		b.places += be.count
		b.entries = append(b.entries, be)
	}
	return b
}

func (b *batch) open(e spool.Entry, be *batchEntry) error {
	switch e.Kind {
	case KindEvents:
		events, err := collector.DecodeEvents(e.Data)
		if err != nil {
			return err
		}
		if len(events) != e.Events {
			return fmt.Errorf("the record holds %d events and was counted as %d", len(events), e.Events)
		}
		for i := range events {
			b.at = append(b.at, be.slot+i)
		}
		b.events = append(b.events, events...)
	case KindConsent:
		r, err := consentgate.DecodeRecord(e.Data)
		if err != nil {
			return err
		}
		b.consents = append(b.consents, r)
	default:
		return fmt.Errorf("unknown kind of record %d; a newer version wrote it", e.Kind)
	}
	return nil
}

// damagedBatch stands for records that the spool cannot give back.
func damagedBatch(ce *spool.CorruptionError, now time.Time) *batch {
	lost := max(ce.Events, 0)
	return &batch{
		seal:    &seal{First: ce.First, Last: ce.Last},
		entries: []batchEntry{{index: ce.First, lost: lost}},
		letters: []Letter{{Index: ce.First, Count: int(lost), Reason: ce.Error(), At: now.UnixMilli()}},
	}
}
