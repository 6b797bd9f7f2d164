package funnel

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// What a key of nothing is called.
const (
	NoChannel  = "(direct)"
	NoSource   = "(direct)"
	NoMedium   = "(none)"
	NoCampaign = "(not set)"
	NotSet     = "(not set)"
)

// Checkout answers /checkout.
func (r *Reference) Checkout(ctx context.Context, shop Shop, q Query) (Checkout, error) {
	if err := q.CheckCheckout(); err != nil {
		return Checkout{}, err
	}
	f := r.facts(shop)
	span := q.Span(shop)
	in := func(span Span) []*cart {
		return slices.DeleteFunc(slices.Clone(f.carts), func(c *cart) bool { return !span.Contains(c.first().Time) })
	}
	carts := in(span)
	answer := Checkout{
		Envelope:        NewEnvelope(shop, q, f.coverage(span)),
		CheckoutFigures: figures(shop, q, carts, f.carts),
		Groups:          []CheckoutGroup{},
		Series:          []CheckoutPoint{},
		Products:        []Product{},
	}
	if q.By != "" {
		groups := map[string][]*cart{}
		for _, c := range carts {
			groups[c.key(q.By)] = append(groups[c.key(q.By)], c)
		}
		for key, carts := range groups {
			answer.Groups = append(answer.Groups, CheckoutGroup{Key: key, CheckoutFigures: figures(shop, q, carts, f.carts)})
		}
		SortGroups(answer.Groups)
	}
	for _, b := range span.buckets(q.Interval, shop) {
		answer.Series = append(answer.Series, CheckoutPoint{Start: b.start, CheckoutFigures: figures(shop, q, in(b.Span), f.carts)})
	}
	if q.Compare {
		previous, err := r.Checkout(ctx, shop, q.Previous())
		if err != nil {
			return Checkout{}, err
		}
		answer.Previous = &previous
	}
	return answer, nil
}

// CheckCheckout is Check, and whether /checkout can be broken down as asked.
func (q Query) CheckCheckout() error {
	if q.By != "" && !slices.Contains(CheckoutKeys(), q.By) {
		return &InvalidParameterError{Parameter: "by", Detail: fmt.Sprintf("%q is none of %v", q.By, CheckoutKeys())}
	}
	return q.Check()
}

// SortGroups puts groups in the order of an answer: most carts first, then by key.
func SortGroups(groups []CheckoutGroup) {
	slices.SortFunc(groups, func(a, b CheckoutGroup) int {
		return cmp.Or(cmp.Compare(b.Totals.Carts, a.Totals.Carts), cmp.Compare(a.Key, b.Key))
	})
}

// key is the cart's breakdown key, as it was at its first cart event. A channel is the session's, which is its earliest event's; that
// of the cart event itself where it is in no session.
func (c *cart) key(by string) string {
	switch by {
	case "device":
		return cmp.Or(c.first().Device, NotSet)
	case "channel":
		if c.session != nil {
			return cmp.Or(c.session.first().Channel, NoChannel)
		}
		return cmp.Or(c.first().Channel, NoChannel)
	}
	return ""
}

// figures counts carts by state and by furthest step. all are the shop's, since a cart may be superseded by one of another period.
func figures(shop Shop, q Query, carts, all []*cart) CheckoutFigures {
	totals := Totals{AbandonedValue: Money{}}
	counts := make([]StepCounts, len(shop.Steps))
	toNext := make([][]time.Duration, len(shop.Steps))
	for i, step := range shop.Steps {
		counts[i].Step = step
	}
	for _, c := range carts {
		if c.excluded {
			totals.Excluded++
			continue
		}
		state := c.state(shop, q, all)
		firsts := c.firsts(shop.Steps)
		furthest := -1
		for i, at := range firsts {
			if at != nil {
				furthest = i
			}
		}
		for i := 0; i <= furthest; i++ {
			counts[i].Carts++
			if firsts[i] == nil {
				counts[i].Skipped++
			} else if next := slices.IndexFunc(firsts[i+1:], func(t *time.Time) bool { return t != nil }); next >= 0 {
				// Who came back to an earlier step took no negative time.
				toNext[i] = append(toNext[i], max(0, firsts[i+1+next].Sub(*firsts[i])))
			}
		}
		totals.Carts++
		unsettled := false
		switch state {
		case statePurchased:
			totals.Purchased++
		case stateRecovered:
			totals.Recovered++
		case stateEmptied:
			totals.Emptied++
			unsettled = true
		case stateSuperseded:
			totals.Superseded++
			unsettled = true
		case stateOpen:
			totals.Open++
			unsettled = true
		case stateAbandoned:
			totals.Abandoned++
			if currency, value, known := c.value(); known {
				totals.AbandonedValue.Add(currency, value)
			}
		}
		if furthest >= 0 && unsettled {
			counts[furthest].Unsettled++
		}
		if furthest >= 0 && state == stateAbandoned {
			counts[furthest].Abandoned++
		}
	}
	for i := range counts {
		counts[i].MedianSecondsToNext = Median(toNext[i])
	}
	return CheckoutFigures{Steps: Steps(counts), Totals: totals.WithRates(shop)}
}
