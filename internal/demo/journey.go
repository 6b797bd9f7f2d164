package demo

import (
	"fmt"
	"time"

	"github.com/kassa-analytics/kassa/collector"
)

// journey is one visit while it is walked.
type journey struct {
	m       *maker
	who     *person
	origin  origin
	visitor string
	device  string
	session string
	now     time.Time
	pages   int
	cart    *cartPlan
}

// cartPlan is a cart while it is filled.
type cartPlan struct {
	id     string
	lines  []line
	record cartRecord
}

type line struct {
	product  product
	quantity int64
}

func (c *cartPlan) cents() int64 {
	total := int64(0)
	for _, l := range c.lines {
		total += l.product.cents * l.quantity
	}
	return total
}

func euros(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

func items(lines []line) []collector.InputItem {
	out := make([]collector.InputItem, 0, len(lines))
	for _, l := range lines {
		out = append(out, collector.InputItem{ID: l.product.id, Name: l.product.name, Category: l.product.category, Price: euros(l.product.cents), Quantity: fmt.Sprint(l.quantity)})
	}
	return out
}

// chance is true with probability p.
func (m *maker) chance(p float64) bool { return m.rand.Float64() < p }

// walk lets a person visit the shop.
func (m *maker) walk(v visit) {
	j := &journey{m: m, who: v.who, origin: origins[v.origin], visitor: v.who.visitor, device: devices[v.who.device].name, now: v.at}
	if v.who.second != "" && v.who.orders > 0 && m.chance(0.5) {
		j.visitor, j.device = v.who.second, "desktop"
	}
	if v.resume != nil { // a cart is gone on with where it was left
		j.visitor, j.device, j.cart = v.resume.record.visitor, v.resume.record.device, v.resume
	}
	j.session = fmt.Sprintf("demo-session-%d-%d", m.plan.Seed, m.next())
	bought := j.browse()
	m.after(v.who, j.now, bought, j.cart != nil)
}

// pause passes some seconds, never so many that a session would end.
func (j *journey) pause(mean float64) {
	s := j.m.rand.ExpFloat64()*mean + 1
	j.now = j.now.Add(time.Duration(min(s, 900) * float64(time.Second))).Truncate(time.Millisecond)
}

// send makes one event happen, unless the history is over by then.
func (j *journey) send(name, page string, more func(*collector.Input)) bool {
	if !j.now.Before(j.m.plan.Until) {
		return false
	}
	e := collector.Input{
		ID: fmt.Sprintf("demo-%d-%d", j.m.plan.Seed, j.m.next()), Name: name, Time: j.now.UnixMilli(), Visitor: j.visitor, Session: j.session, Page: page,
	}
	if j.pages == 0 {
		e.Referrer, e.Campaign, e.Language = j.origin.referrer, j.origin.campaign, j.who.language
	}
	j.pages++
	if more != nil {
		more(&e)
	}
	j.m.history.Events = append(j.m.history.Events, Event{Device: j.device, Input: e})
	return true
}

// browse is a whole visit; it tells whether something was bought.
func (j *journey) browse() bool {
	if j.cart != nil {
		j.send("page_view", "/cart", nil)
		j.pause(20)
		return j.checkout()
	}
	landing := []string{"/", "/c/pans", "/c/glass", "/sale", "/inspiration/table"}[j.m.rand.IntN(5)]
	j.send("page_view", landing, nil)
	wish := 0.145 * j.origin.appetite
	if j.device == "mobile" {
		wish *= 0.8
	}
	if j.who.orders > 0 {
		wish *= 5
	}
	buyer := j.m.chance(wish)
	looks := 1 + j.m.poisson(1.3)
	if !buyer && j.m.chance(0.42) {
		return false // bounced
	}
	var seen product
	for range looks {
		seen = products[j.m.rand.IntN(len(products))]
		j.pause(25)
		j.send("page_view", "/p/"+seen.id, nil)
		j.send("view_item", "/p/"+seen.id, func(e *collector.Input) {
			e.Currency, e.Items = j.who.currency, items([]line{{seen, 1}})
		})
	}
	if !buyer {
		return false
	}
	j.cart = &cartPlan{id: fmt.Sprintf("demo-cart-%d-%d", j.m.plan.Seed, j.m.next())}
	j.pause(15)
	if j.m.chance(0.09) { // express checkout: straight from the article
		j.cart.lines = []line{{seen, 1}}
		return j.checkout()
	}
	if !j.fill(seen) {
		return false
	}
	return j.checkout()
}

// fill puts articles into the cart and perhaps takes them out again; it tells whether to go on to the checkout.
func (j *journey) fill(first product) bool {
	c := j.cart
	j.put(line{first, int64(1 + j.m.rand.IntN(2))})
	for j.m.chance(0.38) {
		j.pause(40)
		p := products[j.m.rand.IntN(len(products))]
		j.put(line{p, 1})
	}
	if j.m.chance(0.06) { // thought better of it
		for len(c.lines) > 0 {
			l := c.lines[len(c.lines)-1]
			c.lines = c.lines[:len(c.lines)-1]
			j.pause(12)
			j.step("remove_from_cart", "/cart", func(e *collector.Input) { e.Items, e.Value = items([]line{l}), euros(l.product.cents*l.quantity) })
		}
		j.leave()
		return false
	}
	if j.m.chance(0.6) {
		j.pause(15)
		j.step("view_cart", "/cart", j.priced)
	}
	if !j.m.chance(0.62) {
		j.leave()
		return false
	}
	j.pause(20)
	return true
}

func (j *journey) put(l line) {
	j.cart.lines = append(j.cart.lines, l)
	j.step("add_to_cart", "/p/"+l.product.id, func(e *collector.Input) { e.Items, e.Value = items([]line{l}), euros(l.product.cents*l.quantity) })
}

// priced puts the cart's lines and their sum onto an event.
func (j *journey) priced(e *collector.Input) {
	e.Items, e.Value = items(j.cart.lines), euros(j.cart.cents())
}

// step sends a cart event and keeps the record of what is true of the cart.
func (j *journey) step(name, page string, more func(*collector.Input)) {
	c := j.cart
	sent := j.send(name, page, func(e *collector.Input) {
		e.Cart, e.Currency = c.id, j.who.currency
		// Who has two devices is logged in on both; others tell who they are at the checkout's end.
		if j.who.second != "" || name == "purchase" {
			e.Customer = j.who.customer
		}
		if more != nil {
			more(e)
		}
	})
	if sent {
		c.record.note(name, j, c)
	}
}

// leave ends the visit with the cart unbought; some come back to it.
func (j *journey) leave() {
	c := j.cart
	if len(c.lines) == 0 || !j.m.chance(0.11) {
		j.m.carts = append(j.m.carts, c.record)
		return
	}
	email := 4
	back := time.Duration((3 + j.m.rand.ExpFloat64()*20) * float64(time.Hour))
	j.m.visits.push(visit{at: j.now.Add(back), who: j.who, origin: email, resume: c})
	if !j.now.Add(back).Before(j.m.plan.Until) {
		j.m.carts = append(j.m.carts, c.record) // that visit lies beyond the history
	}
}

// checkout walks the steps of the checkout; it tells whether something was bought.
func (j *journey) checkout() bool {
	m, c := j.m, j.cart
	back := len(c.record.seen) > 0 && c.record.furthest() >= 1
	j.step("begin_checkout", "/checkout", j.priced)
	j.pause(45)
	if !back && m.chance(0.17) {
		j.leave()
		return false
	}
	shipping, quits := "4.95", 0.07
	if m.planted.ShippingShock.holds(j.now.In(m.zone)) {
		shipping, quits = "12.95", 0.50
	}
	j.step("add_shipping_info", "/checkout/shipping", func(e *collector.Input) {
		j.priced(e)
		e.Shipping, e.ShippingTier = shipping, "standard"
	})
	j.pause(40)
	if !back && m.chance(quits) {
		j.leave()
		return false
	}
	method := payments[pick(m.rand, len(payments), func(i int) float64 { return payments[i].weight })].name
	pay := func(e *collector.Input) {
		j.priced(e)
		e.Shipping, e.PaymentType = shipping, method
	}
	j.step("add_payment_info", "/checkout/payment", pay)
	j.pause(30)
	fails, quits := 0.015, 0.05
	if method == failingPayment && m.planted.FailingPayment.holds(j.now.In(m.zone)) {
		fails = 0.70
	}
	if m.chance(fails) {
		j.step("checkout_error", "/checkout/payment", func(e *collector.Input) {
			pay(e)
			e.ErrorKind, e.ErrorDetail = "payment_error", "provider_timeout"
		})
		j.pause(20)
		quits = 0.75
	}
	if !back && m.chance(quits) {
		j.leave()
		return false
	}
	return j.buy(pay)
}

// buy completes the order, once.
func (j *journey) buy(pay func(*collector.Input)) bool {
	m, c, p := j.m, j.cart, j.who
	if p.joins && p.orders == 1 {
		p.customer, p.member = fmt.Sprintf("K-join-%s", p.visitor), true
	}
	order := fmt.Sprintf("demo-order-%d-%d", m.plan.Seed, m.next())
	if !j.now.Before(m.plan.Until) {
		m.carts = append(m.carts, c.record)
		return false
	}
	j.step("purchase", "/checkout/thanks", func(e *collector.Input) {
		pay(e)
		e.Order = order
	})
	p.orders++
	o := orderRecord{who: p, at: j.now, cents: c.cents(), currency: p.currency, visitor: j.visitor, device: j.device}
	if m.chance(0.03) { // sent back, in part or whole
		o.refunded = o.cents
		if len(c.lines) > 1 {
			o.refunded = c.lines[0].product.cents * c.lines[0].quantity
		}
		at := j.now.Add(time.Duration((2 + m.rand.Float64()*6) * 24 * float64(time.Hour))).Truncate(time.Millisecond)
		if at.Before(m.plan.Until) {
			m.history.Events = append(m.history.Events, Event{Device: "", Input: collector.Input{
				ID: fmt.Sprintf("demo-%d-%d", m.plan.Seed, m.next()), Name: "refund", Time: at.UnixMilli(), Visitor: j.visitor, Order: order, Currency: p.currency, Value: euros(o.refunded)}})
		} else {
			o.refunded = 0
		}
	}
	m.orders = append(m.orders, o)
	m.carts = append(m.carts, c.record)
	return true
}
