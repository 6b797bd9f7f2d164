package funnel

import (
	"context"
	"maps"
	"slices"
)

// Reference answers reports from plain slices of events. It is slow and keeps everything in memory, and is written to be read: it is
// the definition that the warehouse's queries are held against.
type Reference struct {
	events    []Event
	decisions []Decision
}

var _ Reports = (*Reference)(nil)

// NewReference makes an engine over events and consent decisions, in any order and with any repeats of events.
func NewReference(events []Event, decisions []Decision) *Reference {
	return &Reference{events: events, decisions: decisions}
}

// facts is everything that is known of a shop, before any question.
type facts struct {
	events         []Event
	sessions       []*session
	carts          []*cart
	orders         []*order
	excludedOrders []*order
}

func (r *Reference) facts(shop Shop) facts {
	events := distinct(shop, r.events)
	sessions, sessionOf := findSessions(events)
	known := soleCustomers(events)
	f := facts{events: events, sessions: sessions, carts: findCarts(shop, events, sessionOf, known)}
	for _, o := range findOrders(shop, events, sessionOf, known) {
		if o.excluded {
			f.excludedOrders = append(f.excludedOrders, o)
		} else {
			f.orders = append(f.orders, o)
		}
	}
	return f
}

// Coverage answers /coverage.
func (r *Reference) Coverage(ctx context.Context, shop Shop, q Query) (CoverageReport, error) {
	if err := q.Check(); err != nil {
		return CoverageReport{}, err
	}
	f := r.facts(shop)
	span := q.Span(shop)
	answer := CoverageReport{
		Envelope:  NewEnvelope(shop, q, f.coverage(span)),
		Decisions: r.countDecisions(shop, span),
		Series:    []CoveragePoint{},
	}
	for _, b := range span.buckets(q.Interval, shop) {
		answer.Series = append(answer.Series, CoveragePoint{Start: b.start, Coverage: f.coverage(b.Span), Decisions: r.countDecisions(shop, b.Span)})
	}
	if q.Compare {
		previous, err := r.Coverage(ctx, shop, q.Previous())
		if err != nil {
			return CoverageReport{}, err
		}
		answer.Previous = &previous
	}
	return answer, nil
}

func (f facts) coverage(span Span) Coverage {
	var c Coverage
	for _, s := range f.sessions {
		if span.Contains(s.first().Time) {
			c.ConsentedSessions++
		}
	}
	for _, o := range f.orders {
		if span.Contains(o.purchase.Time) {
			c.OrdersMeasured++
		}
	}
	return c
}

func (r *Reference) countDecisions(shop Shop, span Span) []DecisionCount {
	counts := map[DecisionCount]int{}
	for _, d := range r.decisions {
		if d.Shop == shop.ID && span.Contains(d.Time) {
			counts[DecisionCount{Purpose: d.Purpose, Decision: d.Decision}]++
		}
	}
	out := []DecisionCount{}
	for _, key := range slices.SortedFunc(maps.Keys(counts), compareDecisions) {
		key.Count = counts[DecisionCount{Purpose: key.Purpose, Decision: key.Decision}]
		out = append(out, key)
	}
	return out
}

// bucket is one interval of a series: the part of it that lies in the period.
type bucket struct {
	start Date
	Span
}

func (s Span) buckets(i Interval, shop Shop) []bucket {
	var out []bucket
	for _, start := range s.Starts(i, shop.Timezone) {
		b := bucket{start: start, Span: Span{Start: start.Start(shop.Timezone), End: i.next(start).Start(shop.Timezone)}}
		if b.Start.Before(s.Start) {
			b.Start = s.Start
		}
		if b.End.After(s.End) {
			b.End = s.End
		}
		out = append(out, b)
	}
	return out
}
