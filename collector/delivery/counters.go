package delivery

import "maps"

// Outcome counts what became of events.
type Outcome struct {
	Stored        int64 `cbor:"1,keyasint"`
	LateDuplicate int64 `cbor:"2,keyasint"` // its id was stored before
	DeadLettered  int64 `cbor:"3,keyasint"` // the warehouse refuses it, or it cannot be read
	Suppressed    int64 `cbor:"4,keyasint"` // consent gone, or erased, before the insert
}

func (o Outcome) sum() int64 { return o.Stored + o.LateDuplicate + o.DeadLettered + o.Suppressed }

func (o Outcome) plus(v verdict, n int64) Outcome {
	switch v {
	case verdictStore, verdictStoreNoContact:
		o.Stored += n
	case verdictDuplicate, verdictEarlierDuplicate, verdictEarlierDuplicateNoContact:
		o.LateDuplicate += n
	case verdictSuppressed:
		o.Suppressed += n
	case verdictDeadLetter:
		o.DeadLettered += n
	}
	return o
}

// Counters are totals since the data directory was made, taken at one moment.
type Counters struct {
	Outcome
	Pending int64 // accepted, no outcome yet
}

// Accepted is every event that was acknowledged.
func (c Counters) Accepted() int64 { return c.sum() + c.Pending }

// Counters takes a snapshot.
func (d *Delivery) Counters() Counters {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Counters{Outcome: d.state.Total, Pending: d.cfg.Spool.Pending()}
}

// TagOutcome is what became so far of the records appended with a tag; Flush first.
func (d *Delivery) TagOutcome(tag uint64) Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Tags[tag].Outcome
}

// maxTags bounds what is kept by tag; the tags longest without news go first.
const maxTags = 1024

// tagState is a tag's outcome and the last record that carried it.
type tagState struct {
	Outcome Outcome `cbor:"1,keyasint"`
	Last    uint64  `cbor:"2,keyasint"`
}

// state is what is durable about the past; never changed in place.
type state struct {
	Position uint64              `cbor:"1,keyasint"` // all records up to it have their outcome
	Total    Outcome             `cbor:"2,keyasint"`
	Tags     map[uint64]tagState `cbor:"3,keyasint,omitempty"`
}

// with returns the state after b.
func (s state) with(b *batch) state {
	s.Tags = maps.Clone(s.Tags)
	add := func(tag uint64, v verdict, n int64) {
		s.Total = s.Total.plus(v, n)
		if tag == 0 || n == 0 {
			return
		}
		if s.Tags == nil {
			s.Tags = map[uint64]tagState{}
		}
		s.Tags[tag] = tagState{s.Tags[tag].Outcome.plus(v, n), b.seal.Last}
	}
	for i := range b.entries {
		e := &b.entries[i]
		for _, v := range b.seal.Verdicts[e.slot : e.slot+e.count] {
			add(e.tag, v, 1)
		}
		add(e.tag, verdictDeadLetter, e.lost)
	}
	for len(s.Tags) > maxTags {
		var oldest uint64
		for tag, t := range s.Tags {
			if o, ok := s.Tags[oldest]; !ok || t.Last < o.Last {
				oldest = tag
			}
		}
		delete(s.Tags, oldest)
	}
	s.Position = b.seal.Last
	return s
}
