package funneltest_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/funnel/funneltest"
)

// On any shop: the six states add up, groups and series add up to the whole, new and returning are all customers, no step has more
// carts than the one before.
func TestFiguresAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := funneltest.DrawShop(t)
		q := funneltest.DrawQuestion(t, d)
		a, err := funneltest.Ask(t.Context(), funnel.NewReference(d.Events, nil), d.Shop, q)
		if err != nil {
			t.Fatal(err)
		}
		if c := a.Checkout; c != nil {
			addUp(t, c.CheckoutFigures)
			grouped, inSeries := 0, 0
			for _, g := range c.Groups {
				addUp(t, g.CheckoutFigures)
				grouped += g.Totals.Carts
			}
			for _, p := range c.Series {
				addUp(t, p.CheckoutFigures)
				inSeries += p.Totals.Carts
			}
			if q.Query.By != "" && grouped != c.Totals.Carts {
				t.Errorf("groups have %d carts of %d", grouped, c.Totals.Carts)
			}
			if q.Query.Interval != "" && inSeries != c.Totals.Carts {
				t.Errorf("the series has %d carts of %d", inSeries, c.Totals.Carts)
			}
		}
		if c := a.Customers; c != nil {
			newOnes, fresh := 0, 0
			for _, p := range c.Series {
				newOnes += p.New
				if p.New+p.Returning != p.Customers {
					t.Errorf("%s: %d new + %d returning of %d", p.Start, p.New, p.Returning, p.Customers)
				}
			}
			for _, i := range c.Initiatives {
				fresh += i.NewCustomers
			}
			if c.New+c.Returning != c.Customers || fresh != c.New || q.Query.Interval != "" && newOnes != c.New {
				t.Errorf("customers %d, new %d, returning %d; new in the series %d, by initiative %d", c.Customers, c.New, c.Returning, newOnes, fresh)
			}
		}
	})
}

func addUp(t *rapid.T, f funnel.CheckoutFigures) {
	s := f.Totals
	if s.Purchased+s.Recovered+s.Abandoned+s.Emptied+s.Superseded+s.Open != s.Carts {
		t.Errorf("states do not add up: %+v", s)
	}
	abandoned := 0
	for i, step := range f.Steps {
		abandoned += step.Abandoned
		if i > 0 && step.Carts > f.Steps[i-1].Carts || step.Skipped > step.Carts {
			t.Errorf("steps: %+v", f.Steps)
		}
		for _, rate := range []*float64{step.RateFromFirst, step.RateFromPrevious, step.AbandonmentRate} {
			if rate != nil && (*rate < 0 || *rate > 1) {
				t.Errorf("a rate of %v: %+v", *rate, step)
			}
		}
	}
	if abandoned > s.Abandoned {
		t.Errorf("%d abandoned by step, %d in all", abandoned, s.Abandoned)
	}
}

// No answer depends on the order of arrival, nor on how often something arrives.
func TestArrivalChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := funneltest.DrawShop(t)
		q := funneltest.DrawQuestion(t, d)
		want, err := funneltest.Ask(t.Context(), funnel.NewReference(d.Events, nil), d.Shop, q)
		if err != nil {
			t.Fatal(err)
		}
		events := append(append([]funnel.Event{}, d.Events...), d.Events...)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		got, err := funneltest.Ask(t.Context(), funnel.NewReference(events, nil), d.Shop, q)
		if err != nil {
			t.Fatal(err)
		}
		if err := funneltest.Equal(got, want); err != nil {
			t.Error(err)
		}
	})
}
