package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/money"
)

// traffic makes up a shop's events in order of time: 2,000 sessions at once, of ten events on average, a cart in one of eight.
type traffic struct {
	r    *rand.Rand
	now  time.Time
	open []visit
}

type visit struct {
	visitor, session, cart uint64
	left, step             int
	source                 int
}

func newTraffic(begin time.Time) *traffic {
	return &traffic{r: rand.New(rand.NewPCG(1, 1)), now: begin, open: make([]visit, 2000)}
}

func (g *traffic) next() collector.Event {
	g.now = g.now.Add(time.Duration(g.r.IntN(1000)) * time.Millisecond)
	v := &g.open[g.r.IntN(len(g.open))]
	if v.left == 0 {
		*v = visit{visitor: g.r.Uint64N(1<<40) + 1, session: g.r.Uint64(), left: 4 + g.r.IntN(13), source: g.r.IntN(4)}
		if g.r.IntN(8) == 0 {
			v.cart = g.r.Uint64()
		}
	}
	v.left--
	ms := g.now.UnixMilli()
	e := collector.Event{
		Shop: "demo", Time: ms, Received: ms, Name: "page_view", Visitor: v.visitor, Session: v.session, ReceiptID: "01KABCDEFGHJKMNPQRSTVWXYZ0",
		GivenAt: ms - 60_000, Wire: "tag", Currency: "EUR", Page: fmt.Sprintf("/p/%d", g.r.IntN(5000)), Language: "nl",
		Device: []string{"mobile", "desktop"}[v.visitor%2], Browser: "Chrome", OS: "Android", Channel: "Direct",
	}
	binary.LittleEndian.PutUint64(e.ID[:8], g.r.Uint64())
	binary.LittleEndian.PutUint64(e.ID[8:], g.r.Uint64())
	if v.source > 0 && v.step == 0 {
		e.Referrer, e.Source, e.Medium, e.Channel = "www.google.com", "google", "organic", "Organic Search"
	}
	v.step++
	steps := []string{"add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase"}
	if v.cart != 0 && v.left < len(steps) && v.left >= int(v.visitor%4) {
		value, price := money.Amount(24_5000), money.Amount(12_2500)
		e.Name, e.Cart, e.CartEvent, e.Value = steps[len(steps)-1-v.left], v.cart, true, &value
		e.Items = []collector.Item{{ID: "SKU-1", Name: "Glass", Category: "Glas", Price: &price, Quantity: 2}}
	}
	return e
}
