package funnel

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/internal/money"
)

// Event is an event as the reference engine reads it: the stored event's fields that reports look at, with references as the shop
// wrote them instead of pseudonyms. Empty strings and nil amounts mean "not told".
type Event struct {
	Shop string
	ID   string    // scoped to the shop; the same id again is the same event
	Key  string    // order among events of one instant; empty: ID. A stored event's is the keyed hash of its id.
	Time time.Time // to the millisecond
	Name string

	Visitor, Session, Cart, Order, Customer string

	Page, Referrer           string // path; host, empty for the shop's own
	Source, Medium, Campaign string
	Channel                  string // of this event's own referrer and campaign
	Device, Language         string

	Currency                             string // empty: the shop's
	Value, Shipping, Tax, Fees, Discount *money.Amount
	Coupon, PaymentType, Tier, ErrorKind string
	Items                                []Item
}

// Item is one line of goods. Price is a unit's.
type Item struct {
	ID, Name string
	Price    *money.Amount
	Quantity int64 // 0 = not told, counts as one
}

// Decision is one decision about one purpose: "granted", "refused" or "withdrawn".
type Decision struct {
	Shop, Purpose, Decision string
	Time                    time.Time // when it was given
}

// before is the order of events everywhere: time, then key.
func before(a, b Event) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Key, b.Key))
}

// distinct is the shop's events, each id once (its earliest copy), in order.
func distinct(shop Shop, events []Event) []Event {
	byID := map[string]Event{}
	for _, e := range events {
		if e.Shop != shop.ID {
			continue
		}
		if e.Key == "" {
			e.Key = e.ID
		}
		if e.Currency == "" {
			e.Currency = shop.Currency
		}
		e.Time = e.Time.Truncate(time.Millisecond)
		if seen, ok := byID[e.ID]; !ok || e.Time.Before(seen.Time) {
			byID[e.ID] = e
		}
	}
	out := make([]Event, 0, len(byID))
	for _, e := range byID {
		out = append(out, e)
	}
	slices.SortFunc(out, before)
	return out
}

// quantity is how many pieces an event speaks of: one where it names none.
func (e Event) quantity() int64 {
	if len(e.Items) == 0 {
		return 1
	}
	var n int64
	for _, item := range e.Items {
		n += item.pieces()
	}
	return n
}

func (i Item) pieces() int64 {
	if i.Quantity == 0 {
		return 1
	}
	return i.Quantity
}

// amount is what the goods of an add or a remove are worth: its value, else its priced items; nil where it tells neither.
func (e Event) amount() *money.Amount {
	if e.Value != nil {
		return e.Value
	}
	var sum *money.Amount
	for _, item := range e.Items {
		if item.Price == nil {
			continue
		}
		if sum == nil {
			sum = new(money.Amount)
		}
		*sum += item.Price.Times(item.pieces())
	}
	return sum
}

// excluded tells whether this is a staff or test event.
func (x Exclude) matches(e Event) bool {
	return e.Customer != "" && slices.Contains(x.Customers, e.Customer) || e.Coupon != "" && slices.ContainsFunc(x.Coupons, func(c string) bool { return strings.EqualFold(c, e.Coupon) })
}

func compareDecisions(a, b DecisionCount) int {
	return cmp.Or(cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Decision, b.Decision))
}
