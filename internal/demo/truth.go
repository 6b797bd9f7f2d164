package demo

import (
	"time"
)

// Truth is what is true of a made-up history, counted while it was made and not by any report. Carts' states are those of a moment when
// no cart of the history is open any more and no purchase of the live traffic matters.
type Truth struct {
	Plan    Plan     `json:"plan"`
	Planted Planted  `json:"planted"`
	Periods []Period `json:"periods"`
}

// Planted says what was made to go wrong in the shop.
type Planted struct {
	ShippingShock  Stretch `json:"shipping_shock"`
	FailingPayment Stretch `json:"failing_payment"`
}

// Stretch is some days, both included, in the shop's time zone.
type Stretch struct {
	From string `json:"from"`
	To   string `json:"to"`
	What string `json:"what"`
}

// Period is what is true of some days, both included.
type Period struct {
	From      string            `json:"from"`
	To        string            `json:"to"`
	Customers int               `json:"customers"`
	New       int               `json:"new"`
	Returning int               `json:"returning"`
	Orders    int               `json:"orders"`
	Revenue   map[string]string `json:"revenue"` // by currency, refunds taken off
	Checkout  Carts             `json:"checkout"`
	ByChannel map[string]Carts  `json:"by_channel"`
	ByDevice  map[string]Carts  `json:"by_device"`
	Consents  int               `json:"consents"`
	Refusals  int               `json:"consent_refusals"`
}

// Carts counts carts by state, and by step.
type Carts struct {
	Carts          int               `json:"carts"`
	Purchased      int               `json:"purchased"`
	Recovered      int               `json:"recovered"`
	Emptied        int               `json:"emptied"`
	Superseded     int               `json:"superseded"`
	Abandoned      int               `json:"abandoned"`
	AbandonedValue map[string]string `json:"abandoned_value,omitempty"` // by currency
	Steps          []StepCarts       `json:"steps"`

	value map[string]int64 // cents
}

// StepCarts counts the carts that reached a step, and those left there.
type StepCarts struct {
	Step      string `json:"step"`
	Carts     int    `json:"carts"`
	Abandoned int    `json:"abandoned"`
	Skipped   int    `json:"skipped"` // went further without it
}

// Steps are the demo shop's checkout.
var Steps = []string{"add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase"}

// abandonAfter and supersededWithin are the demo shop's.
const (
	abandonAfter     = time.Hour
	supersededWithin = 7 * 24 * time.Hour
)

// cartRecord is what is known of a cart.
type cartRecord struct {
	who      *person
	visitor  string
	customer string // told by some event of the cart
	channel  string
	device   string
	currency string
	first    time.Time
	last     time.Time // last activity, at most the purchase
	gap      bool      // some pause was longer than abandonAfter
	bought   bool
	emptied  bool
	cents    int64 // its value by its latest priced event, else what was put in
	priced   bool
	seen     map[string]bool
}

// orderRecord is what is known of an order.
type orderRecord struct {
	who             *person
	at              time.Time
	cents, refunded int64
	currency        string
	visitor, device string
}

// note takes an event of the cart in.
func (r *cartRecord) note(name string, j *journey, c *cartPlan) {
	if r.seen == nil {
		*r = cartRecord{who: j.who, visitor: j.visitor, channel: j.origin.channel, device: j.device, currency: j.who.currency, first: j.now, last: j.now, seen: map[string]bool{}}
	}
	if j.now.Sub(r.last) > abandonAfter {
		r.gap = true
	}
	r.last = j.now
	r.seen[name] = true
	r.emptied = len(c.lines) == 0
	r.bought = r.bought || name == "purchase"
	if j.who.second != "" || name == "purchase" {
		r.customer = j.who.customer
	}
	switch name {
	case "add_to_cart", "remove_from_cart":
		if !r.priced {
			r.cents = c.cents()
		}
	case "checkout_error":
	default:
		r.cents, r.priced = c.cents(), true
	}
}

// furthest is the index of the furthest step reached, -1 for none.
func (r *cartRecord) furthest() int {
	for i := len(Steps) - 1; i >= 0; i-- {
		if r.seen[Steps[i]] {
			return i
		}
	}
	return -1
}

// truth counts the whole history, its last 30 days and its last 7.
func (m *maker) truth(today time.Time) Truth {
	t := Truth{Plan: m.plan, Planted: m.planted}
	for _, days := range []int{m.plan.Days, 30, 7} {
		if days <= m.plan.Days {
			t.Periods = append(t.Periods, m.period(today.AddDate(0, 0, -days), today))
		}
	}
	return t
}

// period counts what lies in [from, to).
func (m *maker) period(from, to time.Time) Period {
	p := Period{From: from.Format(time.DateOnly), To: to.AddDate(0, 0, -1).Format(time.DateOnly), ByChannel: map[string]Carts{}, ByDevice: map[string]Carts{}}
	inside := func(t time.Time) bool { return !t.Before(from) && t.Before(to) }
	first := map[*person]time.Time{}
	for _, o := range m.orders {
		if f, ok := first[o.who]; !ok || o.at.Before(f) {
			first[o.who] = o.at
		}
	}
	buyers, revenue := map[*person]bool{}, map[string]int64{}
	for _, o := range m.orders {
		if inside(o.at) {
			p.Orders++
			buyers[o.who] = true
			revenue[o.currency] += o.cents - o.refunded
		}
	}
	for who := range buyers {
		p.Customers++
		if inside(first[who]) {
			p.New++
		} else {
			p.Returning++
		}
	}
	p.Revenue = inEuros(revenue)
	superseded := m.superseded()
	for i := range m.carts {
		c := &m.carts[i]
		if c.seen == nil || !inside(c.first) {
			continue
		}
		channel, device := p.ByChannel[c.channel], p.ByDevice[c.device]
		for _, into := range []*Carts{&p.Checkout, &channel, &device} {
			into.count(c, superseded[i])
		}
		p.ByChannel[c.channel], p.ByDevice[c.device] = channel, device
	}
	for _, c := range m.history.Choices {
		switch {
		case !inside(c.At):
		case c.Visitor == "":
			p.Refusals++
		default:
			p.Consents++
		}
	}
	return p
}

func inEuros(cents map[string]int64) map[string]string {
	out := make(map[string]string, len(cents))
	for currency, n := range cents {
		out[currency] = euros(n)
	}
	return out
}

func (t *Carts) count(c *cartRecord, superseded bool) {
	if t.Steps == nil {
		t.value = map[string]int64{}
		for _, s := range Steps {
			t.Steps = append(t.Steps, StepCarts{Step: s})
		}
	}
	t.Carts++
	last := c.furthest()
	for k := 0; k <= last; k++ {
		t.Steps[k].Carts++
		if k < last && !c.seen[Steps[k]] {
			t.Steps[k].Skipped++
		}
	}
	switch {
	case c.bought && c.gap:
		t.Recovered++
	case c.bought:
		t.Purchased++
	case c.emptied:
		t.Emptied++
	case superseded:
		t.Superseded++
	default:
		t.Abandoned++
		if last >= 0 {
			t.Steps[last].Abandoned++
		}
		t.value[c.currency] += c.cents
		t.AbandonedValue = inEuros(t.value)
	}
}

// superseded tells of each cart whether its visitor or customer bought through another one soon after.
func (m *maker) superseded() []bool {
	byVisitor, byCustomer := map[string][]int{}, map[string][]int{}
	for i := range m.carts {
		if c := &m.carts[i]; c.bought {
			byVisitor[c.visitor] = append(byVisitor[c.visitor], i)
			if c.customer != "" {
				byCustomer[c.customer] = append(byCustomer[c.customer], i)
			}
		}
	}
	out := make([]bool, len(m.carts))
	for i := range m.carts {
		c := &m.carts[i]
		candidates := byVisitor[c.visitor]
		if c.customer != "" {
			candidates = append(append([]int(nil), candidates...), byCustomer[c.customer]...)
		}
		for _, other := range candidates {
			at := m.carts[other].last
			if other != i && at.After(c.last) && !at.After(c.last.Add(supersededWithin)) {
				out[i] = true
			}
		}
	}
	return out
}
