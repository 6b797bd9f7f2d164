package funnel

import (
	"cmp"
	"context"
	"slices"

	"github.com/kassa-analytics/kassa/internal/money"
)

// Customers answers /customers.
func (r *Reference) Customers(ctx context.Context, shop Shop, q Query) (Customers, error) {
	if err := q.Check(); err != nil {
		return Customers{}, err
	}
	f := r.facts(shop)
	span := q.Span(shop)
	history := f.history()
	answer := Customers{
		Envelope:    NewEnvelope(shop, q, f.coverage(span)),
		Revenue:     Money{}.in(shop),
		Series:      []CustomerPoint{},
		Initiatives: f.initiatives(span, history),
	}
	for _, o := range f.excludedOrders {
		if span.Contains(o.purchase.Time) {
			answer.ExcludedOrders++
		}
	}
	orders := map[string]int{shop.Currency: 0}
	repeat := 0
	var revenues []money.Amount
	for _, own := range history {
		var inPeriod, byEnd int
		var revenue money.Amount
		var inCurrency bool
		for _, o := range own {
			if o.purchase.Time.Before(span.End) {
				byEnd++
			}
			if !span.Contains(o.purchase.Time) {
				continue
			}
			inPeriod++
			answer.Revenue.Add(o.purchase.Currency, o.revenue())
			orders[o.purchase.Currency]++
			if o.purchase.Currency == shop.Currency {
				revenue += o.revenue()
				inCurrency = true
			}
		}
		if inPeriod == 0 {
			continue
		}
		answer.Customers++
		answer.Orders += inPeriod
		if span.Contains(own[0].purchase.Time) {
			answer.New++
		} else {
			answer.Returning++
		}
		if byEnd >= 2 {
			repeat++
		}
		if inCurrency {
			revenues = append(revenues, revenue)
		}
	}
	answer.Concentration = Concentrate(revenues)
	answer = answer.WithRates(repeat, orders)
	for _, b := range span.buckets(q.Interval, shop) {
		answer.Series = append(answer.Series, point(shop, b, history))
	}
	if q.Compare {
		previous, err := r.Customers(ctx, shop, q.Previous())
		if err != nil {
			return Customers{}, err
		}
		answer.Previous = &previous
	}
	return answer, nil
}

// WithRates fills in the rates and averages of counted customers: repeat of them have two orders or more; orders are counted by
// currency, the shop's own always among them.
func (c Customers) WithRates(repeat int, orders map[string]int) Customers {
	c.OrdersPerCustomer = Rate(c.Orders, c.Customers)
	c.RepeatRate = Rate(repeat, c.Customers)
	c.AverageOrderValue = Averages{}
	for currency, n := range orders {
		c.AverageOrderValue[currency] = Average(currency, c.Revenue[currency], n)
	}
	return c
}

// history is each person's orders, in order.
func (f facts) history() map[person][]*order {
	history := map[person][]*order{}
	for _, o := range f.orders {
		history[o.customer] = append(history[o.customer], o)
	}
	return history
}

func point(shop Shop, b bucket, history map[person][]*order) CustomerPoint {
	p := CustomerPoint{Start: b.start, Revenue: Money{}.in(shop)}
	for _, own := range history {
		inBucket := 0
		for _, o := range own {
			if b.Contains(o.purchase.Time) {
				inBucket++
				p.Revenue.Add(o.purchase.Currency, o.revenue())
			}
		}
		if inBucket == 0 {
			continue
		}
		p.Customers++
		p.Orders += inBucket
		if b.Contains(own[0].purchase.Time) {
			p.New++
		} else {
			p.Returning++
		}
	}
	return p
}

// initiatives tells what brought the customers whose first order lies in the span, and what these ordered in it.
func (f facts) initiatives(span Span, history map[person][]*order) []Initiative {
	type key struct{ channel, source, medium, campaign string }
	found := map[key]*Initiative{}
	for _, own := range history {
		if !span.Contains(own[0].purchase.Time) {
			continue
		}
		k := key{NoChannel, NoSource, NoMedium, NoCampaign}
		if s := own[0].session; s != nil {
			e := s.first()
			k = key{cmp.Or(e.Channel, NoChannel), cmp.Or(e.Source, NoSource), cmp.Or(e.Medium, NoMedium), cmp.Or(e.Campaign, NoCampaign)}
		}
		i := found[k]
		if i == nil {
			i = &Initiative{Channel: k.channel, Source: k.source, Medium: k.medium, Campaign: k.campaign, Revenue: Money{}}
			found[k] = i
		}
		i.NewCustomers++
		for _, o := range own {
			if span.Contains(o.purchase.Time) {
				i.Revenue.Add(o.purchase.Currency, o.revenue())
			}
		}
	}
	out := make([]Initiative, 0, len(found))
	for _, i := range found {
		out = append(out, *i)
	}
	SortInitiatives(out)
	return out
}

// SortInitiatives puts initiatives in the order of an answer: most new customers first, then by their four names.
func SortInitiatives(list []Initiative) {
	slices.SortFunc(list, func(a, b Initiative) int {
		return cmp.Or(cmp.Compare(b.NewCustomers, a.NewCustomers), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Source, b.Source),
			cmp.Compare(a.Medium, b.Medium), cmp.Compare(a.Campaign, b.Campaign))
	})
}
