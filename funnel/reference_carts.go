package funnel

import (
	"cmp"
	"slices"
	"time"

	"github.com/kassa-analytics/kassa/internal/money"
)

// cartIdle is the silence after which a visitor's cart without an id is another cart.
const cartIdle = 30 * 24 * time.Hour

// The states of a cart.
const (
	statePurchased  = "purchased"
	stateRecovered  = "recovered"
	stateEmptied    = "emptied"
	stateSuperseded = "superseded"
	stateOpen       = "open"
	stateAbandoned  = "abandoned"
	stateExcluded   = "excluded" // staff and test carts: beside the six, in no figure
)

// valueEvents are the cart events whose value is that of the whole cart.
var valueEvents = []string{"view_cart", "begin_checkout", "add_contact_info", "add_shipping_info", "add_payment_info", "purchase"}

// isCartEvent tells whether an event makes a cart and counts as its activity.
func (s Shop) isCartEvent(name string) bool {
	switch name {
	case "add_to_cart", "remove_from_cart", "checkout_error":
		return true
	}
	return slices.Contains(valueEvents, name) || slices.Contains(s.Steps, name)
}

// cart is the cart events that belong together.
type cart struct {
	events   []Event  // in order, at least one
	session  *session // of the first event; nil: none
	customer string   // the first reference given in it, else the sole customer its visitor is known as; empty: none
	excluded bool
}

// findCarts sorts a shop's cart events into carts. A given id is one cart for ever; a visitor's cart events without one are one cart up
// to the purchase or to 30 idle days.
func findCarts(shop Shop, events []Event, sessionOf func(Event) *session, known map[string]string) []*cart {
	var carts []*cart
	given := map[string]*cart{}
	current := map[string]*cart{} // by visitor: the cart that an event without an id continues
	for _, e := range events {
		if !shop.isCartEvent(e.Name) {
			continue
		}
		var c *cart
		if e.Cart != "" {
			c = given[e.Cart]
		} else if c = current[e.Visitor]; c != nil && e.Time.Sub(c.lastActivity()) > cartIdle {
			c = nil
		}
		if c == nil {
			c = &cart{session: sessionOf(e)}
			carts = append(carts, c)
		}
		c.events = append(c.events, e)
		c.excluded = c.excluded || shop.Exclude.matches(e)
		switch {
		case e.Cart != "":
			given[e.Cart] = c
		case e.Name == "purchase":
			delete(current, e.Visitor)
		default:
			current[e.Visitor] = c
		}
	}
	for _, c := range carts {
		c.customer = cmp.Or(c.reference(), known[c.visitor()])
	}
	return carts
}

func (c *cart) first() Event            { return c.events[0] }
func (c *cart) visitor() string         { return c.first().Visitor }
func (c *cart) lastActivity() time.Time { return c.events[len(c.events)-1].Time }

// reference is the first customer reference given in the cart; empty: none.
func (c *cart) reference() string {
	for _, e := range c.events {
		if e.Customer != "" {
			return e.Customer
		}
	}
	return ""
}

// purchasedAt is the time of the first purchase.
func (c *cart) purchasedAt() (time.Time, bool) {
	i := c.purchase()
	if i < 0 {
		return time.Time{}, false
	}
	return c.events[i].Time, true
}

func (c *cart) purchase() int {
	return slices.IndexFunc(c.events, func(e Event) bool { return e.Name == "purchase" })
}

// state is what became of the cart: the first of the six that holds. What happens in a cart after its purchase changes nothing.
func (c *cart) state(shop Shop, q Query, carts []*cart) string {
	switch {
	case c.purchase() >= 0 && c.hadGap(shop.AbandonAfter):
		return stateRecovered
	case c.purchase() >= 0:
		return statePurchased
	case c.emptied():
		return stateEmptied
	case c.superseded(shop.SupersededWithin, carts):
		return stateSuperseded
	case q.Now.Sub(c.lastActivity()) <= shop.AbandonAfter:
		return stateOpen
	}
	return stateAbandoned
}

// hadGap tells whether two activities, up to and including the purchase, lie further apart than that.
func (c *cart) hadGap(longerThan time.Duration) bool {
	for i := 1; i <= c.purchase(); i++ {
		if c.events[i].Time.Sub(c.events[i-1].Time) > longerThan {
			return true
		}
	}
	return false
}

// emptied tells whether nothing is left in the cart: its latest view_cart shows no items, or as much was taken out as was put in. The
// second says nothing of a cart in which neither was seen, such as an express checkout's.
func (c *cart) emptied() bool {
	var net int64
	var moved, viewedEmpty bool
	for _, e := range c.events {
		switch e.Name {
		case "add_to_cart":
			net, moved = net+e.quantity(), true
		case "remove_from_cart":
			net, moved = net-e.quantity(), true
		case "view_cart":
			viewedEmpty = len(e.Items) == 0
		}
	}
	return viewedEmpty || moved && net <= 0
}

// superseded tells whether the same visitor or the same customer purchased through another cart after this one's last activity, and
// no later than within.
func (c *cart) superseded(within time.Duration, carts []*cart) bool {
	if within <= 0 {
		return false
	}
	last := c.lastActivity()
	for _, other := range carts {
		if other == c || other.excluded {
			continue
		}
		same := other.visitor() == c.visitor() || c.customer != "" && other.customer == c.customer
		at, purchased := other.purchasedAt()
		if same && purchased && at.After(last) && !at.After(last.Add(within)) {
			return true
		}
	}
	return false
}

// value is what the cart is worth: the latest value told of the whole, else what was put in less what was taken out, in the currency
// of the latest of these. It is not known where no event tells an amount.
func (c *cart) value() (currency string, value money.Amount, known bool) {
	for _, e := range slices.Backward(c.events) {
		if slices.Contains(valueEvents, e.Name) && e.Value != nil {
			return e.Currency, *e.Value, true
		}
	}
	for _, e := range slices.Backward(c.events) {
		sign := money.Amount(1)
		switch e.Name {
		case "add_to_cart":
		case "remove_from_cart":
			sign = -1
		default:
			continue
		}
		a := e.amount()
		if a == nil {
			continue
		}
		if !known {
			currency, known = e.Currency, true
		}
		if e.Currency == currency {
			value += sign * *a
		}
	}
	return currency, value, known
}

// firsts are the times at which each of the steps was first seen; nil: never.
func (c *cart) firsts(steps []string) []*time.Time {
	out := make([]*time.Time, len(steps))
	for i, step := range steps {
		for _, e := range c.events {
			if e.Name == step {
				out[i] = &e.Time
				break
			}
		}
	}
	return out
}
