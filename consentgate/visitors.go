package consentgate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// choice is the newest yes, or the newest no, of a visitor about one purpose.
type choice struct {
	purpose   string // AllPurposes: about every purpose
	granted   bool
	at        int64 // Unix ms
	expires   int64 // Unix ms, grants only
	receiptID string
}

// visitorState is what memory knows about one visitor; it is never changed, only replaced.
type visitorState struct {
	choices []choice
	loaded  int64 // Unix ms of the last look into the history; 0: never, so there may be more than is here
}

// with adds a record's choices: the newest wins, of equals the denial.
func (s visitorState) with(r Record) visitorState {
	s.choices = slices.Clone(s.choices)
	for _, p := range r.Granted {
		s.add(choice{purpose: p, granted: true, at: r.GivenAt, expires: r.ExpiresAt, receiptID: r.ReceiptID})
	}
	for _, p := range r.Denied {
		s.add(choice{purpose: p, at: r.GivenAt})
	}
	for _, p := range r.Revoked {
		s.add(choice{purpose: p, at: r.GivenAt})
	}
	return s
}

func (s *visitorState) add(c choice) {
	for i, old := range s.choices {
		if old.purpose != c.purpose || old.granted != c.granted {
			continue
		}
		if newerChoice(c, old) {
			s.choices[i] = c
		}
		return
	}
	s.choices = append(s.choices, c)
}

// newerChoice tells whether a replaces b.
func newerChoice(a, b choice) bool {
	if a.at != b.at {
		return a.at > b.at
	}
	if a.granted != b.granted {
		return b.granted
	}
	return a.receiptID > b.receiptID
}

// on is the newest choice about a purpose.
func (s visitorState) on(purpose string) (newest choice, ok bool) {
	for _, c := range s.choices {
		if c.purpose != purpose && c.purpose != AllPurposes {
			continue
		}
		if !ok || newerChoice(c, newest) {
			newest, ok = c, true
		}
	}
	return newest, ok
}

// denial is the newest no about a purpose.
func (s visitorState) denial(purpose string) (at int64, ok bool) {
	for _, c := range s.choices {
		if !c.granted && (c.purpose == purpose || c.purpose == AllPurposes) {
			at, ok = max(at, c.at), true
		}
	}
	return at, ok
}

// everGranted tells whether there was a yes about a purpose.
func (s visitorState) everGranted(purpose string) bool {
	return slices.ContainsFunc(s.choices, func(c choice) bool { return c.granted && c.purpose == purpose })
}

// newest is the time of the newest choice, Unix ms; 0 without one.
func (s visitorState) newest() int64 {
	var t int64
	for _, c := range s.choices {
		t = max(t, c.at)
	}
	return t
}

// granted lists the purposes whose newest choice is a grant.
func (s visitorState) granted() []choice {
	var list []choice
	for _, c := range s.choices {
		if newest, _ := s.on(c.purpose); c.granted && newest.granted {
			list = append(list, c)
		}
	}
	return list
}

// turns lets decisions of one visitor happen one after the other, without holding up others for long.
type turns [1024]sync.Mutex

// take waits for the visitor's turn; the caller unlocks.
func (t *turns) take(visitor Pseudonym) *sync.Mutex {
	m := &t[uint64(visitor)%uint64(len(t))]
	m.Lock()
	return m
}

const (
	// historyTimeout bounds one look into the history: a visitor's decision must not hang on a warehouse that does.
	historyTimeout = 2 * time.Second
	// historyPause is how long the history is left alone after it failed, so that a warehouse that is down slows nobody.
	historyPause = time.Second
)

// nothingRecordedTTL is how long it is believed that nothing is recorded for a visitor.
const nothingRecordedTTL = 2 * time.Second

// visitor gives what is recorded for a visitor (all live pseudonyms, primary first), from memory or from the history. With an error
// (ErrUnavailable) it still gives what memory holds.
func (g *Gate) visitor(ctx context.Context, shop string, visitor []Pseudonym) (visitorState, error) {
	key := visitorKey{shop, visitor[0]}
	now := g.clock().UnixMilli()
	var known visitorState
	if s, ok := g.visitors.get(key); ok {
		known = *s
		ttl := g.historyTTL.Milliseconds()
		if len(s.choices) == 0 {
			ttl = min(ttl, nothingRecordedTTL.Milliseconds())
		}
		if s.loaded != 0 && now-s.loaded < ttl && now >= s.loaded {
			return known, nil
		}
	}
	if g.history == nil {
		return known, nil
	}
	if now < g.silentUntil.Load() {
		return known, fmt.Errorf("%w: the warehouse failed a moment ago", ErrUnavailable)
	}
	lookup, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	rows, err := g.history.LatestDecisions(lookup, shop, visitor)
	if err != nil {
		if ctx.Err() == nil { // else it was the caller who gave up
			g.silentUntil.Store(now + historyPause.Milliseconds())
		}
		return known, fmt.Errorf("%w: looking up recorded consent: %w", ErrUnavailable, err)
	}
	s := g.visitors.update(key, func(old *visitorState, found bool) *visitorState {
		var merged visitorState
		if found {
			merged = *old
		}
		for _, r := range rows {
			merged = merged.with(r)
		}
		merged.loaded = now
		return &merged
	})
	return *s, nil
}
