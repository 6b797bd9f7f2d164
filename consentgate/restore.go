package consentgate

import (
	"context"
	"fmt"
	"iter"
)

// Observe takes in a record that is in the ledger: one of our own, or one that another collector wrote. Doing so twice, or in any order,
// changes nothing.
func (g *Gate) Observe(r Record) {
	if r.Visitor == 0 {
		return
	}
	s := g.visitors.update(visitorKey{r.Shop, r.Visitor}, func(old *visitorState, found bool) *visitorState {
		var before visitorState
		if found {
			before = *old
		}
		g.override(r, before)
		after := before.with(r)
		return &after
	})
	for _, alias := range r.Aliases {
		g.visitors.put(visitorKey{r.Shop, alias}, s)
	}
}

// override adds what a record takes back: what it says itself, and what follows from records that crossed it on the way, when its writer
// could not know of a grant on another collector.
func (g *Gate) override(r Record, before visitorState) {
	g.deny(r, g.bits(r.Revoked), r.GivenAt)
	if r.Erase {
		g.deny(r, erasedBit, r.GivenAt)
	}
	for _, p := range r.Denied {
		if before.everGranted(p) {
			g.deny(r, g.bit(p), r.GivenAt)
		}
	}
	for _, p := range r.Granted {
		if at, denied := before.denial(p); denied && at >= r.GivenAt {
			g.deny(r, g.bit(p), at)
		}
	}
}

func (g *Gate) deny(r Record, mask uint64, at int64) {
	g.overrides.add(r.Shop, r.Visitor, mask, at)
	for _, alias := range r.Aliases {
		g.overrides.add(r.Shop, alias, mask, at)
	}
}

// Restore rebuilds what is in force, before the gate serves: first from the warehouse's ledger, then from the records still in the
// spool. Of the warehouse it needs the rows with Revoked, in any order; given all rows ordered by shop, visitor and GivenAt it also finds the
// denials whose writer could not know of an earlier grant. Rows too old to matter are passed over. Either sequence may be nil.
func (g *Gate) Restore(ctx context.Context, warehouse, spool iter.Seq2[Record, error]) error {
	now := g.clock()
	var key visitorKey
	var state visitorState
	n := 0
	for r, err := range orEmpty(warehouse) {
		if err != nil {
			return fmt.Errorf("restoring consent from the warehouse's ledger: %w", err)
		}
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return fmt.Errorf("restoring consent: %w", ctx.Err())
		}
		if r.Visitor == 0 || !r.Erase && g.forgotten(fromMillis(r.GivenAt), now) {
			continue
		}
		if k := (visitorKey{r.Shop, r.Visitor}); k != key {
			key, state = k, visitorState{}
		}
		g.override(r, state)
		if len(r.Granted) > 0 || len(state.choices) > 0 { // a row on its own needs no state
			state = state.with(r)
		}
	}
	for r, err := range orEmpty(spool) {
		if err != nil {
			return fmt.Errorf("restoring consent from the spool: %w", err)
		}
		g.Observe(r)
	}
	return nil
}

func orEmpty(s iter.Seq2[Record, error]) iter.Seq2[Record, error] {
	if s == nil {
		return func(func(Record, error) bool) {}
	}
	return s
}

// Prune forgets overrides that no live receipt can meet any more, and says how many; call it once a day or so.
func (g *Gate) Prune() int {
	now := g.clock()
	return g.overrides.prune(func(at int64) bool { return g.forgotten(fromMillis(at), now) })
}

// Overrides is the number of visitors with a decision in force that takes back an older one.
func (g *Gate) Overrides() int { return g.overrides.len() }
