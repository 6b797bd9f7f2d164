package spool

import (
	"fmt"
)

// cursor remembers where the last Read stopped, so that the next one need not search.
type cursor struct {
	index uint64 // next record
	gen   *generation
	entry uint64 // the block that holds it
}

// Notify receives after records were acknowledged; several may share one signal.
func (s *Spool) Notify() <-chan struct{} { return s.notify }

// First is the oldest record not forgotten; Last()+1 when there is none.
func (s *Spool) First() uint64 { return s.forgotten.Load() + 1 }

// Last is the newest acknowledged record; 0 before the first.
func (s *Spool) Last() uint64 { return s.last.Load() }

// Pending is the number of events acknowledged and not forgotten.
func (s *Spool) Pending() int64 { return s.events.Load() }

// Bytes is the size of the records acknowledged and not forgotten. The disk holds
// up to two segments more.
func (s *Spool) Bytes() int64 { return s.total.Load() }

// Read returns acknowledged records in order, beginning at from (or the oldest, if
// later): at least one if there is one, and no more once maxBytes of data are
// reached. Damaged records are reported as *CorruptionError only when they are the
// first to be read; the caller goes on at its Last+1.
func (s *Spool) Read(from uint64, maxBytes int) ([]Entry, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	from = max(from, s.First())
	var out []Entry
	for bytes := 0; from <= s.last.Load() && (len(out) == 0 || bytes < maxBytes); {
		v, err := s.viewOf(from)
		if err != nil {
			return out, err
		}
		entry, b, err := s.seek(v.g, from)
		if err == nil {
			n := len(out)
			out, bytes, err = takeRecords(out, b, from, min(v.last, b.last()), bytes, maxBytes)
			if len(out) > n {
				from = out[len(out)-1].Index + 1
				s.cursor = cursor{index: from, gen: v.g, entry: entry}
				if from > b.last() {
					s.cursor.entry++
				}
			}
		}
		if err != nil {
			if len(out) > 0 {
				return out, nil // the next Read begins at the damage and says so
			}
			return nil, s.damage(v, entry, from, err)
		}
	}
	return out, nil
}

// takeRecords appends records from..last of b to out until maxBytes are reached.
func takeRecords(out []Entry, b block, from, last uint64, bytes, maxBytes int) ([]Entry, int, error) {
	rest := b.records
	for i := b.first; i <= last; i++ {
		r, n, err := readRecord(rest)
		if n == 0 || (i >= from && err != nil) {
			return out, bytes, err
		}
		rest = rest[n:]
		if i < from {
			continue
		}
		if len(out) > 0 && bytes+len(r.Data) > maxBytes {
			return out, maxBytes, nil
		}
		out = append(out, Entry{Index: i, Record: r})
		bytes += len(r.Data)
	}
	return out, bytes, nil
}

// seek returns the block that holds record i of g.
func (s *Spool) seek(g *generation, i uint64) (uint64, block, error) {
	if c := s.cursor; c.gen == g && c.index == i {
		b, err := g.readBlock(c.entry)
		if err == nil && (i < b.first || i > b.last()) {
			err = errBlockOrder
		}
		return c.entry, b, err
	}
	return g.find(i)
}

// view is what a reader sees of a generation; the committer goes on meanwhile.
type view struct {
	g                       *generation
	last, nextEntry, events uint64
}

// viewOf returns the generation that has record i.
func (s *Spool) viewOf(i uint64) (view, error) {
	s.gens.Lock()
	defer s.gens.Unlock()
	if s.list == nil {
		return view{}, ErrClosed
	}
	for n := len(s.list) - 1; n >= 0; n-- {
		if g := s.list[n]; g.first <= i && i <= g.last {
			return view{g: g, last: g.last, nextEntry: g.nextEntry, events: g.events}, nil
		}
	}
	return view{}, fmt.Errorf("spool: record %d is in no log", i)
}

// damage describes what cannot be read at record from, in the given entry of g.
func (s *Spool) damage(v view, entry, from uint64, cause error) error {
	e := &CorruptionError{Segment: v.g.segmentOf(entry), Position: entry, First: from, Last: v.last, Events: -1, Err: cause}

	// Where the next readable block begins the damage ends.
	nextEvents := v.events
	for n := entry + 1; n < v.nextEntry; n++ {
		if b, err := v.g.readBlock(n); err == nil && b.first > from {
			e.Last = min(b.first-1, v.last)
			nextEvents = b.eventsBefore
			break
		}
	}
	b, err := v.g.readBlock(entry)
	if err != nil || from < b.first || from > b.last() {
		// The whole block is unreadable; what it carried is the difference of its
		// neighbours' totals.
		if entry > 1 {
			if p, err := v.g.readBlock(entry - 1); err == nil {
				if before, _, err := p.totalsAt(p.last()); err == nil && nextEvents >= before {
					e.Events = int64(nextEvents - before)
				}
			}
		} else {
			e.Events = int64(nextEvents)
		}
		return e
	}

	// The header is whole: one damaged record, if those after it can be read.
	e.Last = min(b.last(), v.last)
	lost := int64(nextEvents) - int64(b.eventsBefore)
	rest := b.records
	ended := false
	for i := b.first; i <= b.last(); i++ {
		r, n, err := readRecord(rest)
		if err == nil {
			lost -= int64(r.Events)
			if i > from && !ended {
				e.Last, ended = i-1, true
			}
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	e.Events = max(lost, 0)
	return e
}

// Forget releases all records up to and with upTo; it is idempotent. Disk space
// comes back segment by segment.
func (s *Spool) Forget(upTo uint64) error {
	s.gens.Lock()
	defer s.gens.Unlock()
	if s.list == nil {
		return ErrClosed
	}
	upTo = min(upTo, s.last.Load())
	if upTo <= s.forgotten.Load() {
		return nil
	}
	s.forgotten.Store(upTo)
	if err := s.mark.setForgotten(upTo); err != nil {
		s.cfg.Logger.Warn("spool: writing the mark failed", "error", err)
	}
	return s.dropForgotten()
}

// dropForgotten settles the accounts and frees what lies before First; s.gens is held.
func (s *Spool) dropForgotten() error {
	upTo := s.forgotten.Load()
	for len(s.list) > 1 && (s.list[0].empty() || s.list[0].last <= upTo) {
		g := s.list[0]
		s.list = s.list[1:]
		if err := g.remove(); err != nil {
			s.cfg.Logger.Warn("spool: removing a forgotten log failed", "dir", g.dir, "error", err)
		}
	}
	var events, bytes int64
	for _, g := range s.list {
		events += int64(g.events)
		bytes += int64(g.bytes)
	}
	g := s.list[0]
	if !g.empty() && upTo >= g.first {
		usedEvents, usedBytes, err := s.truncate(g, upTo)
		if err != nil {
			return err
		}
		events -= int64(usedEvents)
		bytes -= int64(usedBytes)
	}
	s.events.Store(events)
	s.total.Store(bytes)
	return nil
}

// truncate frees the segments of g that hold only records up to upTo and returns
// the events and bytes of all of these.
func (s *Spool) truncate(g *generation, upTo uint64) (events, bytes uint64, err error) {
	entry, b, err := g.find(upTo)
	if err != nil {
		// Damaged: counted as far as the block before it goes.
		s.cfg.Logger.Warn("spool: forgetting past a damaged block", "dir", g.dir, "entry", entry, "error", err)
		return g.totalsBefore(entry)
	}
	if events, bytes, err = b.totalsAt(min(upTo, g.last)); err != nil {
		return 0, 0, err
	}
	if upTo >= g.last {
		events, bytes = g.events, g.bytes
	}
	// The block with upTo stays: an empty log would not know where to go on. Each
	// cut costs two fsyncs, so only whole segments' worth is cut.
	if b.bytesBefore-g.cutBytes < uint64(s.cfg.SegmentBytes) {
		return events, bytes, nil
	}
	first, _, err := g.entries()
	if err != nil {
		return 0, 0, err
	}
	if entry > first {
		if err := g.wal.DeleteRange(first, entry-1); err != nil {
			return 0, 0, fmt.Errorf("spool: freeing forgotten records: %w", err)
		}
	}
	g.cutBytes = b.bytesBefore
	return events, bytes, nil
}

// totalsBefore returns the totals up to the nearest readable block before entry.
func (g *generation) totalsBefore(entry uint64) (events, bytes uint64, err error) {
	first, _, err := g.entries()
	if err != nil {
		return 0, 0, err
	}
	for e := entry; e > first; e-- {
		if b, err := g.readBlock(e - 1); err == nil {
			return b.totalsAt(b.last())
		}
	}
	return 0, 0, nil
}
