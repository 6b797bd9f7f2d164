package funnel

import (
	"slices"

	"github.com/kassa-analytics/kassa/internal/money"
)

// order is one order reference's purchase. Who placed it is worked out of everything that is known of its visitor, so that history is
// restated when a visitor turns out to be a customer.
type order struct {
	purchase Event // the earliest: it gives time, value, visitor, customer
	refunded money.Amount
	customer person
	session  *session // of the purchase; nil: none
	excluded bool
}

// person is who placed an order: a customer the shop knows, or a visitor of whom it knows no more.
type person struct {
	kind, id string
}

// value is what the earliest purchase tells; one that tells none is worth nothing.
func (o *order) value() money.Amount {
	if o.purchase.Value == nil {
		return 0
	}
	return *o.purchase.Value
}

// revenue is what the goods brought: value less refunds, which never take more than the value.
func (o *order) revenue() money.Amount { return o.value() - min(o.refunded, o.value()) }

// reference is the order that a purchase or refund speaks of: as told, else its cart's, else its own.
func (e Event) reference() [2]string {
	switch {
	case e.Order != "":
		return [2]string{"order", e.Order}
	case e.Cart != "":
		return [2]string{"cart", e.Cart}
	}
	return [2]string{"event", e.ID}
}

// findOrders makes one order of all purchases of one reference, in the order of their time.
func findOrders(shop Shop, events []Event, sessionOf func(Event) *session, known map[string]string) []*order {
	var orders []*order
	byReference := map[[2]string]*order{}
	for _, e := range events {
		if e.Name != "purchase" {
			continue
		}
		o := byReference[e.reference()]
		if o == nil {
			o = &order{purchase: e, session: sessionOf(e)}
			byReference[e.reference()] = o
			orders = append(orders, o)
		}
		o.excluded = o.excluded || shop.Exclude.matches(e)
	}
	for _, e := range events {
		if o := byReference[e.reference()]; e.Name == "refund" && o != nil && e.Value != nil && e.Currency == o.purchase.Currency {
			o.refunded += *e.Value
		}
	}
	for _, o := range orders {
		switch p := o.purchase; {
		case p.Customer != "":
			o.customer = person{"customer", p.Customer}
		case known[p.Visitor] != "":
			o.customer = person{"customer", known[p.Visitor]}
		default:
			o.customer = person{"visitor", p.Visitor}
		}
	}
	return orders
}

// soleCustomers tells as which customer a visitor is known, for visitors known as just one.
func soleCustomers(events []Event) map[string]string {
	all := map[string][]string{}
	for _, e := range events {
		if e.Customer != "" && !slices.Contains(all[e.Visitor], e.Customer) {
			all[e.Visitor] = append(all[e.Visitor], e.Customer)
		}
	}
	sole := map[string]string{}
	for visitor, customers := range all {
		if len(customers) == 1 {
			sole[visitor] = customers[0]
		}
	}
	return sole
}
