package funneltest

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/money"
)

// Drawn is a generated shop: what happened in it, in an order of arrival that may repeat events, and when to ask.
type Drawn struct {
	Shop   funnel.Shop
	Events []funnel.Event
	Now    time.Time
	Days   funnel.Period // holds most of it
}

// DrawShop makes a small shop full of what is awkward: events of one instant, things without ids, carts that two visitors share,
// visitors that two customers share, refunds before their orders, orders of two currencies, gaps of exactly the limits, copies of an
// event with a later time. Times lie on a coarse grid, so that ties and exact limits are common.
func DrawShop(t *rapid.T) Drawn { return rapid.Custom(drawShop).Draw(t, "shop") }

func drawShop(t *rapid.T) Drawn {
	zone, err := time.LoadLocation(rapid.SampledFrom([]string{"UTC", "Europe/Brussels", "America/Havana"}).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	d := Drawn{Shop: funnel.Shop{
		ID: "demo", Currency: "EUR", Timezone: zone, PricesIncludeTax: true,
		AbandonAfter:     rapid.SampledFrom([]time.Duration{30 * time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "abandon_after"),
		SupersededWithin: rapid.SampledFrom([]time.Duration{0, 2 * time.Hour, 7 * 24 * time.Hour}).Draw(t, "superseded_within"),
		Steps: rapid.SampledFrom([][]string{
			funnel.DefaultSteps(), {"view_cart", "begin_checkout", "purchase"}, {"begin_checkout", "add_to_cart", "gift_wrap", "purchase"},
		}).Draw(t, "steps"),
	}}
	begin := time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC) // the clocks go back that night
	d.Now = begin.Add(time.Duration(rapid.IntRange(0, 72).Draw(t, "now")) * time.Hour)
	d.Days = funnel.Period{From: funnel.Date{Year: 2026, Month: 10, Day: 25}, To: funnel.Date{Year: 2026, Month: 10, Day: 26}}
	n := rapid.IntRange(0, 40).Draw(t, "events")
	for i := range n {
		d.Events = append(d.Events, drawEvent(t, d.Shop, begin, fmt.Sprintf("e%d", i)))
	}
	for i := range n {
		if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
			again := d.Events[i]
			again.Time = again.Time.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "later")) * time.Hour)
			d.Events = append(d.Events, again)
		}
	}
	d.Events = rapid.Permutation(d.Events).Draw(t, "arrival")
	return d
}

// GoString shows a shop nearly as a scenario would tell it.
func (d Drawn) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "shop timezone %s abandon_after %s superseded_within %s steps %s\nnow %s\n", d.Shop.Timezone, d.Shop.AbandonAfter,
		d.Shop.SupersededWithin, strings.Join(d.Shop.Steps, ","), d.Now.Format(time.RFC3339))
	for _, e := range d.Events {
		fmt.Fprintf(&b, "  %s %s@%s(id=%s", e.Visitor, e.Name, e.Time.Format("2006-01-02T15:04:05.999Z07:00"), e.ID)
		for _, f := range []struct{ name, value string }{
			{"session", e.Session}, {"cart", e.Cart}, {"order", e.Order}, {"customer", e.Customer}, {"page", e.Page}, {"device", e.Device},
			{"channel", e.Channel}, {"currency", e.Currency},
		} {
			if f.value != "" {
				fmt.Fprintf(&b, ", %s=%s", f.name, f.value)
			}
		}
		if e.Value != nil {
			fmt.Fprintf(&b, ", value=%s", e.Value.Format(2))
		}
		for i, item := range e.Items {
			fmt.Fprintf(&b, "%s%s:%d", map[bool]string{true: ", items=", false: "+"}[i == 0], item.ID, item.Quantity)
			if item.Price != nil {
				fmt.Fprintf(&b, ":%s", item.Price.Format(2))
			}
		}
		b.WriteString(")\n")
	}
	return b.String()
}

func drawEvent(t *rapid.T, shop funnel.Shop, begin time.Time, id string) funnel.Event {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	e := funnel.Event{
		Shop: shop.ID, ID: id,
		Name: one("name", "page_view", "view_item", "add_to_cart", "add_to_cart", "add_to_cart", "remove_from_cart", "view_cart", "begin_checkout",
			"add_shipping_info", "add_payment_info", "checkout_error", "gift_wrap", "purchase", "purchase", "refund", "login"),
		Visitor:  one("visitor", "v1", "v2", "v3", "v4"),
		Session:  one("session", "", "", "", "s1"),
		Cart:     one("cart", "", "", "c1", "c2", "c3"),
		Order:    one("order", "", "", "o1", "o2", "c1"),
		Customer: one("customer", "", "", "", "k1", "k2", "v1"),
		Page:     one("page", "", "/", "/p/glass"),
		Device:   one("device", "", "mobile", "desktop"),
		Currency: one("currency", "", "EUR", "EUR", "EUR", "USD"),
	}
	// Mostly quarters of an hour, sometimes milliseconds, sometimes a month on.
	e.Time = begin.Add(time.Duration(rapid.IntRange(0, 4*40).Draw(t, "quarter")) * 15 * time.Minute)
	switch rapid.IntRange(0, 9).Draw(t, "when") {
	case 0:
		e.Time = e.Time.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "ms")) * time.Millisecond)
	case 1:
		e.Time = e.Time.Add(30 * 24 * time.Hour)
	}
	switch rapid.IntRange(0, 5).Draw(t, "origin") {
	case 0:
		e.Source, e.Medium, e.Campaign, e.Channel = "news", "email", "spring", "Email"
	case 1:
		e.Source, e.Medium, e.Referrer, e.Channel = "google", "organic", "www.google.com", "Organic Search"
	default:
		e.Channel = "Direct"
	}
	if rapid.Bool().Draw(t, "worth") {
		value := money.Amount(rapid.Int64Range(0, 20_000).Draw(t, "cents")) * 100
		e.Value = &value
	}
	for range rapid.IntRange(0, 2).Draw(t, "lines") {
		item := funnel.Item{ID: one("item", "glass", "bowl"), Quantity: rapid.Int64Range(0, 3).Draw(t, "quantity")}
		if rapid.Bool().Draw(t, "priced") {
			price := money.Amount(rapid.Int64Range(0, 5_000).Draw(t, "price")) * 100
			item.Price = &price
		}
		e.Items = append(e.Items, item)
	}
	return e
}

// DrawQuestion asks something of a drawn shop.
func DrawQuestion(t *rapid.T, d Drawn) Question {
	q := Question{Report: rapid.SampledFrom([]string{"checkout", "customers", "coverage"}).Draw(t, "report")}
	q.Sections = sections(q.Report)
	q.Query = funnel.Query{
		Period: d.Days, Now: d.Now,
		Interval: rapid.SampledFrom([]funnel.Interval{"", funnel.Day, funnel.Week, funnel.Month}).Draw(t, "interval"),
		Compare:  rapid.Bool().Draw(t, "compare"),
	}
	switch rapid.IntRange(0, 3).Draw(t, "period") {
	case 0:
		q.Query.Period.To = q.Query.Period.To.AddDays(40)
	case 1:
		q.Query.Rolling = 24 * time.Hour
	}
	if q.Report == "checkout" {
		q.Query.By = rapid.SampledFrom(append([]string{""}, funnel.CheckoutKeys()...)).Draw(t, "by")
	}
	return q
}
