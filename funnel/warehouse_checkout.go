package funnel

import (
	"context"
	"math/bits"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

// tally is what is counted of a set of carts on the way to its figures.
type tally struct {
	totals Totals
	steps  []StepCounts
}

func newTally(shop Shop) *tally {
	t := &tally{totals: Totals{AbandonedValue: Money{}}, steps: make([]StepCounts, len(shop.Steps))}
	for i, step := range shop.Steps {
		t.steps[i].Step = step
	}
	return t
}

// cartCount is one row of checkout.sql: so many carts that showed the same steps and came to the same state.
type cartCount struct {
	shown uint64 // bit i: step i was seen
	state string
	carts int
	// What they were worth, where they were abandoned and their value is known; else the currency is empty.
	currency string
	worth    *decimal.Decimal
}

// furthest is the furthest step shown, from 1; 0: none.
func (c cartCount) furthest() int { return bits.Len64(c.shown) }

func (t *tally) add(c cartCount) {
	if c.state == stateExcluded {
		t.totals.Excluded += c.carts
		return
	}
	t.totals.Carts += c.carts
	for i := range c.furthest() {
		t.steps[i].Carts += c.carts
		if c.shown&(1<<i) == 0 {
			t.steps[i].Skipped += c.carts
		}
	}
	unsettled := 0
	switch c.state {
	case statePurchased:
		t.totals.Purchased += c.carts
	case stateRecovered:
		t.totals.Recovered += c.carts
	case stateEmptied:
		t.totals.Emptied += c.carts
		unsettled = c.carts
	case stateSuperseded:
		t.totals.Superseded += c.carts
		unsettled = c.carts
	case stateOpen:
		t.totals.Open += c.carts
		unsettled = c.carts
	case stateAbandoned:
		t.totals.Abandoned += c.carts
		if c.currency != "" && c.worth != nil {
			t.totals.AbandonedValue.Add(c.currency, amount(*c.worth))
		}
	}
	if c.furthest() == 0 {
		return
	}
	last := &t.steps[c.furthest()-1]
	last.Unsettled += unsettled
	if c.state == stateAbandoned {
		last.Abandoned += c.carts
	}
}

func (t *tally) figures(shop Shop) CheckoutFigures {
	return CheckoutFigures{Steps: Steps(t.steps), Totals: t.totals.WithRates(shop)}
}

// checkoutTallies are the tallies of all carts, of each breakdown key, and of each interval.
type checkoutTallies struct {
	shop     Shop
	all      *tally
	byKey    map[string]*tally
	byBucket map[Date]*tally
}

func (c *checkoutTallies) key(k string) *tally {
	if c.byKey[k] == nil {
		c.byKey[k] = newTally(c.shop)
	}
	return c.byKey[k]
}

func (c *checkoutTallies) bucket(d Date) *tally {
	if c.byBucket[d] == nil {
		c.byBucket[d] = newTally(c.shop)
	}
	return c.byBucket[d]
}

// Checkout answers /checkout.
func (w *Warehouse) Checkout(ctx context.Context, shop Shop, q Query) (Checkout, error) {
	if err := q.CheckCheckout(); err != nil {
		return Checkout{}, err
	}
	tallies := &checkoutTallies{shop: shop, all: newTally(shop), byKey: map[string]*tally{}, byBucket: map[Date]*tally{}}
	var waits []stepWait
	var coverage Coverage
	var before *Checkout
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.checkout(gctx, shop, q, tallies) })
	g.Go(func() (err error) { waits, err = w.checkoutTimes(gctx, shop, q); return err })
	g.Go(func() (err error) { coverage, err = w.coverageOf(gctx, shop, q); return err })
	previous(gctx, g, shop, q, w.Checkout, &before)
	if err := g.Wait(); err != nil {
		return Checkout{}, err
	}
	for _, wait := range waits {
		tallies.time(wait)
	}
	return tallies.answer(q, coverage, before), nil
}

// checkout runs checkout.sql. Each cart is counted once under its key and once under its interval.
func (w *Warehouse) checkout(ctx context.Context, shop Shop, q Query, into *checkoutTallies) error {
	return w.each(ctx, "checkout", shop, q, func(rows driver.Rows) error {
		var (
			over, key string
			day       time.Time
			carts     uint64
			c         cartCount
		)
		if err := rows.Scan(&over, &key, &day, &c.shown, &c.state, &c.currency, &carts, &c.worth); err != nil {
			return err
		}
		c.carts = int(carts)
		if over == "bucket" {
			into.bucket(dateOf(day)).add(c)
			return nil
		}
		into.all.add(c)
		into.key(key).add(c)
		return nil
	})
}

// stepWait is one row of checkout_times.sql.
type stepWait struct {
	over, key string
	bucket    Date
	step      int // from 1
	seconds   float64
}

func (w *Warehouse) checkoutTimes(ctx context.Context, shop Shop, q Query) ([]stepWait, error) {
	var waits []stepWait
	err := w.each(ctx, "checkout_times", shop, q, func(rows driver.Rows) error {
		var (
			s    stepWait
			day  time.Time
			step uint8
		)
		if err := rows.Scan(&s.over, &s.key, &day, &step, &s.seconds); err != nil {
			return err
		}
		s.bucket, s.step = dateOf(day), int(step)
		waits = append(waits, s)
		return nil
	})
	return waits, err
}

func (c *checkoutTallies) time(s stepWait) {
	t := c.all
	switch s.over {
	case "key":
		t = c.key(s.key)
	case "bucket":
		t = c.bucket(s.bucket)
	}
	t.steps[s.step-1].MedianSecondsToNext = &s.seconds
}

func (c *checkoutTallies) answer(q Query, coverage Coverage, before *Checkout) Checkout {
	answer := Checkout{
		Envelope:        NewEnvelope(c.shop, q, coverage),
		CheckoutFigures: c.all.figures(c.shop),
		Groups:          []CheckoutGroup{},
		Series:          []CheckoutPoint{},
		Products:        []Product{},
		Previous:        before,
	}
	if q.By != "" {
		for key, t := range c.byKey {
			answer.Groups = append(answer.Groups, CheckoutGroup{Key: keyName(q.By, key), CheckoutFigures: t.figures(c.shop)})
		}
		SortGroups(answer.Groups)
	}
	for _, start := range q.Span(c.shop).Starts(q.Interval, c.shop.Timezone) {
		answer.Series = append(answer.Series, CheckoutPoint{Start: start, CheckoutFigures: c.bucket(start).figures(c.shop)})
	}
	return answer
}

// keyName is a breakdown key as the answer names it; that of nothing has a name of its own.
func keyName(by, key string) string {
	switch {
	case key != "":
		return key
	case by == "channel":
		return NoChannel
	}
	return NotSet
}
