package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shoppers are load with an oracle: each consents, fills a cart, and goes a drawn way down the checkout. What is not acknowledged they send
// again, to whichever process serves by then, as kassa.js does; what is acknowledged they now and then send again too.
type shoppers struct {
	t      testing.TB
	ingest string
	base   atomic.Pointer[string] // where to send
	ending atomic.Bool            // no new shoppers
	halt   atomic.Bool            // nothing is sent any more
	wait   sync.WaitGroup

	mu       sync.Mutex
	shops    []*shopper
	odd      []string // answers that none of them should get
	repeated int      // duplicates answered
}

// shopper is one visitor with one cart.
type shopper struct {
	visitor, receipt, cart, customer string
	furthest                         int // 0: cart, 1: checkout, 2: purchase
	cents                            int
	batches                          [][]object
	acknowledged                     int // batches, from the first
	begun                            int // batches that may have arrived
}

// idle is the abandon_after that fits: no gap in a cart is longer, and every cart is left long enough ago.
const idle = "15s"

// shop starts shoppers, so many at one time, of a kassa whose carts are abandoned after idle.
func shop(t testing.TB, k *kassa, workers int) *shoppers {
	s := &shoppers{t: t, ingest: k.ingest}
	s.serving(k)
	for w := range workers {
		random := rand.New(rand.NewPCG(7, uint64(w)))
		s.wait.Go(func() {
			for n := 0; !s.ending.Load() && !s.halt.Load(); n++ {
				s.one(random, n)
			}
		})
	}
	t.Cleanup(func() { s.halt.Store(true); s.wait.Wait() })
	return s
}

// serving tells where to send from now on.
func (s *shoppers) serving(k *kassa) { base := k.public; s.base.Store(&base) }

// finish lets the shoppers under way come to their ends.
func (s *shoppers) finish() {
	s.t.Helper()
	s.ending.Store(true)
	timer := time.AfterFunc(60*time.Second, func() { s.halt.Store(true) })
	s.wait.Wait()
	if !timer.Stop() {
		s.t.Error("some shoppers were not acknowledged within a minute")
	}
	s.check()
}

// cease stops sending at once, whatever is under way.
func (s *shoppers) cease() {
	s.halt.Store(true)
	s.wait.Wait()
	s.check()
}

func (s *shoppers) check() {
	s.t.Helper()
	if len(s.odd) > 0 {
		s.t.Errorf("%d unexpected answers, the first: %s", len(s.odd), s.odd[0])
	}
}

func (s *shoppers) one(random *rand.Rand, n int) {
	v := &shopper{visitor: fresh("shopper"), cart: fresh("cart"), furthest: random.IntN(3), cents: 100 + random.IntN(20_000)}
	v.customer = fmt.Sprintf("customer-%d", random.IntN(40))
	start := time.Now().Add(-50 * time.Second) // events may lie up to a minute before the consent
	value := fmt.Sprintf("%d.%02d", v.cents/100, v.cents%100)
	event := func(place int, name string, fields object) object {
		e := object{"id": fresh("event"), "name": name, "time": start.Add(time.Duration(place) * 5 * time.Second).UnixMilli(), "cart": v.cart, "currency": "EUR", "value": value, "page": "/p/" + name}
		maps.Copy(e, fields)
		return e
	}
	all := []object{
		event(0, "page_view", object{"referrer": "https://www.google.com/"}), event(1, "add_to_cart", nil), event(2, "begin_checkout", nil),
		event(3, "purchase", object{"order": "order-of-" + v.cart, "customer": v.customer}),
	}[:v.furthest+2]
	cut := 1 + random.IntN(len(all)-1)
	v.batches = [][]object{all[:cut], all[cut:]}

	d := decision(v.visitor, true, false)
	var changes []change
	if n%10 == 0 { // the shop's server says so
		d["given_at"], d["source"] = time.Now().Add(-time.Hour).UnixMilli(), "api"
		changes = append(changes, bearer(s.ingest))
	}
	granted, ok := s.send("/v1/consent", d, http.StatusCreated, nil, changes...)
	if !ok {
		return
	}
	v.receipt = *granted.Receipt
	s.mu.Lock()
	s.shops = append(s.shops, v)
	s.mu.Unlock()
	for i, events := range v.batches {
		if _, ok := s.send("/v1/events", batch(v.visitor, v.receipt, events...), http.StatusAccepted, func() { v.begun = i + 1 }); !ok {
			return
		}
		v.acknowledged = i + 1
		if n%5 == 0 {
			a, ok := s.send("/v1/events", batch(v.visitor, v.receipt, events...), http.StatusAccepted, nil)
			if !ok {
				return
			}
			s.mu.Lock()
			s.repeated += a.Duplicates
			s.mu.Unlock()
		}
	}
}

// send sends until it is acknowledged; false: halted before.
func (s *shoppers) send(path string, body any, want int, begin func(), changes ...change) (answer, bool) {
	for !s.halt.Load() {
		if begin != nil {
			begin()
		}
		a, err := request(http.MethodPost, *s.base.Load()+path, body, changes...)
		switch {
		case err != nil: // nobody there, or gone in the middle
		case a.status == want && len(a.Rejected) == 0:
			return a, true
		case a.status == http.StatusServiceUnavailable && a.Type == "not-durable" && a.header.Get("Retry-After") != "":
		default:
			s.mu.Lock()
			s.odd = append(s.odd, fmt.Sprintf("%s: %d %s", path, a.status, a.body))
			s.mu.Unlock()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return answer{}, false
}

// ids are the event ids acknowledged, and those that may or may not have arrived.
func (s *shoppers) ids() (acknowledged, unknown []string) {
	for _, v := range s.shops {
		for i, events := range v.batches {
			for _, e := range events {
				switch {
				case i < v.acknowledged:
					acknowledged = append(acknowledged, e["id"].(string))
				case i < v.begun:
					unknown = append(unknown, e["id"].(string))
				}
			}
		}
	}
	return acknowledged, unknown
}

// wrong compares the reports with what the shoppers did, all of which must have been acknowledged.
func (s *shoppers) wrong(k *kassa) string {
	steps := []string{"add_to_cart", "begin_checkout", "purchase"}
	carts, abandoned, left, revenue := map[string]int{}, map[string]int{}, 0, 0
	customer := map[string]bool{}
	for _, v := range s.shops {
		for i := 0; i <= v.furthest; i++ {
			carts[steps[i]]++
		}
		if v.furthest < 2 {
			abandoned[steps[v.furthest]]++
			left += v.cents
		} else {
			customer[v.customer] = true
			revenue += v.cents
		}
	}
	var c checkout
	if err := k.report("/checkout?"+span(1), &c); err != nil {
		return err.Error()
	}
	for _, step := range c.Steps {
		if slices.Contains(steps, step.Step) && (step.Carts != carts[step.Step] || step.Abandoned != abandoned[step.Step]) {
			return fmt.Sprintf("%s: %d carts, %d abandoned; want %d, %d", step.Step, step.Carts, step.Abandoned, carts[step.Step], abandoned[step.Step])
		}
	}
	if t := c.Totals; t.Carts != len(s.shops) || t.Purchased != carts["purchase"] || t.Abandoned != len(s.shops)-carts["purchase"] || t.AbandonedValue["EUR"] != euros(left) {
		return fmt.Sprintf("totals %+v; want %d carts, %d purchased, %s left behind", t, len(s.shops), carts["purchase"], euros(left))
	}
	var who customers
	if err := k.report("/customers?"+span(1), &who); err != nil {
		return err.Error()
	}
	if who.Orders != carts["purchase"] || who.Customers != len(customer) || who.New != len(customer) || who.Revenue["EUR"] != euros(revenue) {
		return fmt.Sprintf("customers %+v; want %d orders of %d customers, %s", who, carts["purchase"], len(customer), euros(revenue))
	}
	return ""
}

func euros(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
