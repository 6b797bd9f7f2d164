package warehouse

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/money"
)

// The model says in plain Go what the folds say in SQL: facts as lines of text, sorted, without the ids that only the folds make up.

func byTime(a, b collector.Event) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), bytes.Compare(a.ID[:], b.ID[:]))
}

// distinctEvents keeps each id's earliest copy, in order.
func distinctEvents(events []collector.Event) []collector.Event {
	type key struct {
		shop string
		id   [16]byte
	}
	first := map[key]collector.Event{}
	for _, e := range events {
		k := key{e.Shop, e.ID}
		if seen, ok := first[k]; !ok || e.Time < seen.Time {
			first[k] = e
		}
	}
	var out []collector.Event
	for _, e := range first {
		out = append(out, e)
	}
	slices.SortFunc(out, byTime)
	return out
}

type modelKey struct {
	shop string
	a, b uint64
}

type modelSession struct {
	given  bool
	id     uint64
	events []collector.Event
}

func modelSessions(events []collector.Event) (list []*modelSession, of map[[16]byte]*modelSession) {
	of = map[[16]byte]*modelSession{}
	given, current, origin := map[modelKey]*modelSession{}, map[modelKey]*modelSession{}, map[*modelSession]string{}
	for _, e := range events {
		var s *modelSession
		switch {
		case e.Session != 0:
			k := modelKey{e.Shop, e.Visitor, e.Session}
			if s = given[k]; s == nil {
				s = &modelSession{given: true, id: e.Session}
				given[k], list = s, append(list, s)
			}
		case e.Page != "":
			k := modelKey{e.Shop, e.Visitor, 0}
			o := ""
			if e.Referrer+e.Source+e.Medium+e.Campaign != "" {
				o = strings.Join([]string{e.Referrer, e.Source, e.Medium, e.Campaign}, "|")
			}
			s = current[k]
			if s == nil || e.Time-s.events[len(s.events)-1].Time > 30*time.Minute.Milliseconds() || o != "" && o != origin[s] {
				s = &modelSession{}
				list = append(list, s)
			}
			current[k] = s
			if o != "" {
				origin[s] = o
			}
		default:
			continue
		}
		s.events = append(s.events, e)
		of[e.ID] = s
	}
	return list, of
}

func modelFacts(all []collector.Event) []string {
	var out []string
	events := distinctEvents(all)
	sessions, sessionOf := modelSessions(events)
	for _, s := range sessions {
		f := s.events[0]
		views, landing := 0, ""
		for _, e := range s.events {
			if e.Name == "page_view" {
				views++
			}
			if landing == "" {
				landing = e.Page
			}
		}
		out = append(out, fmt.Sprintf("session %s v%d given=%v id=%d start=%d end=%d landing=%s %s/%s/%s/%s/%s views=%d events=%d", f.Shop, f.Visitor, s.given, s.id,
			f.Time, s.events[len(s.events)-1].Time, landing, f.Referrer, f.Channel, f.Source, f.Medium, f.Campaign, views, len(s.events)))
	}
	out = append(out, modelCarts(events, sessionOf)...)
	out = append(out, modelOrders(events, sessionOf)...)
	slices.Sort(out)
	return out
}

func visitOf(e collector.Event, of map[[16]byte]*modelSession) string {
	s := of[e.ID]
	if s == nil {
		return fmt.Sprintf("none %s/%s/%s/%s", e.Channel, e.Source, e.Medium, e.Campaign)
	}
	f := s.events[0]
	return fmt.Sprintf("s%d %s/%s/%s/%s", s.id, f.Channel, f.Source, f.Medium, f.Campaign)
}

func modelCarts(events []collector.Event, of map[[16]byte]*modelSession) (out []string) {
	var carts [][]collector.Event
	index := map[modelKey]int{}
	for _, e := range events {
		if !e.CartEvent {
			continue
		}
		k := modelKey{e.Shop, e.Cart, 0}
		if e.Cart == 0 {
			k.b = e.Visitor
		}
		i, ok := index[k]
		if ok && e.Cart == 0 {
			last := carts[i][len(carts[i])-1]
			ok = last.Name != "purchase" && e.Time-last.Time <= 30*24*time.Hour.Milliseconds()
		}
		if !ok {
			i = len(carts)
			carts = append(carts, nil)
			index[k] = i
		}
		carts[i] = append(carts[i], e)
	}
	for _, c := range carts {
		out = append(out, modelCart(c, of))
	}
	return out
}

func modelCart(c []collector.Event, of map[[16]byte]*modelSession) string {
	f, last := c[0], c[len(c)-1]
	var customer, order uint64
	var bought, gap int64
	visitors := map[uint64]bool{}
	var names []string
	first, seen := map[string]int64{}, map[string]int{}
	net, lines := "-", "-"
	quantity := int64(0)
	currency, value := f.Currency, "-"
	var costs []string
	excluded := 0
	var told *money.Amount
	for i, e := range c {
		visitors[e.Visitor] = true
		if customer == 0 {
			customer = e.Customer
		}
		if i > 0 && bought == 0 {
			gap = max(gap, e.Time-c[i-1].Time)
		}
		if e.Name == "purchase" && bought == 0 {
			bought, order = e.Time, OrderRef(&e)
		}
		if seen[e.Name]++; seen[e.Name] == 1 {
			names = append(names, e.Name)
			first[e.Name] = e.Time
		}
		pieces := int64(1)
		if len(e.Items) > 0 {
			pieces = 0
			for _, it := range e.Items {
				pieces += max(it.Quantity, 1)
			}
		}
		switch e.Name {
		case "add_to_cart":
			quantity += pieces
			net = fmt.Sprint(quantity)
		case "remove_from_cart":
			quantity -= pieces
			net = fmt.Sprint(quantity)
		case "view_cart":
			lines = fmt.Sprint(len(e.Items))
		}
		if e.Value != nil && slices.Contains([]string{"view_cart", "begin_checkout", "add_contact_info", "add_shipping_info", "add_payment_info", "purchase"}, e.Name) {
			told, currency = e.Value, e.Currency
		}
		if e.Shipping != nil {
			costs = append(costs, fmt.Sprintf("%s@%d=%s", e.Name, e.Time, e.Shipping.Format(4)))
		}
		if e.Excluded {
			excluded = 1
		}
	}
	if told != nil {
		value = told.Format(4)
	} else if cur, sum, ok := addsMinusRemoves(c); ok {
		currency, value = cur, sum.Format(4)
	}
	var steps []string
	for _, n := range names {
		steps = append(steps, fmt.Sprintf("%s:%d:%d", n, first[n], seen[n]))
	}
	var vs []uint64
	for v := range visitors {
		vs = append(vs, v)
	}
	slices.Sort(vs)
	return fmt.Sprintf("cart %s c%d v%d %v customer=%d first=%d last=%d bought=%d order=%d gap=%d steps=%v net=%s lines=%s value=%s %s costs=%v %s excluded=%d events=%d",
		f.Shop, f.Cart, f.Visitor, vs, customer, f.Time, last.Time, bought, order, gap, steps, net, lines, value, currency, costs, visitOf(f, of), excluded, len(c))
}

func addsMinusRemoves(c []collector.Event) (currency string, sum money.Amount, ok bool) {
	for _, e := range slices.Backward(c) {
		sign := map[string]money.Amount{"add_to_cart": 1, "remove_from_cart": -1}[e.Name]
		a := e.Value
		for _, it := range e.Items {
			if e.Value == nil && it.Price != nil {
				line := it.Price.Times(max(it.Quantity, 1))
				if a != nil {
					line += *a
				}
				a = &line
			}
		}
		if sign == 0 || a == nil {
			continue
		}
		if !ok {
			currency, ok = e.Currency, true
		}
		if e.Currency == currency {
			sum += sign * *a
		}
	}
	return currency, sum, ok
}

func modelOrders(events []collector.Event, of map[[16]byte]*modelSession) (out []string) {
	type order struct {
		purchases []collector.Event
		refunds   []collector.Event
	}
	orders := map[modelKey]*order{}
	for _, e := range events {
		if e.Name != "purchase" && e.Name != "refund" {
			continue
		}
		k := modelKey{e.Shop, OrderRef(&e), 0}
		if orders[k] == nil {
			orders[k] = &order{}
		}
		if e.Name == "purchase" {
			orders[k].purchases = append(orders[k].purchases, e)
		} else {
			orders[k].refunds = append(orders[k].refunds, e)
		}
	}
	for k, o := range orders {
		if len(o.purchases) == 0 {
			continue
		}
		p := o.purchases[0]
		var value, refunded money.Amount
		if p.Value != nil {
			value = *p.Value
		}
		for _, r := range o.refunds {
			if r.Value != nil && r.Currency == p.Currency {
				refunded += *r.Value
			}
		}
		excluded := 0
		for _, e := range o.purchases {
			if e.Excluded {
				excluded = 1
			}
		}
		out = append(out, fmt.Sprintf("order %s o%d v%d customer=%d cart=%d time=%d value=%s refunded=%s %s %s excluded=%d", k.shop, k.a, p.Visitor, p.Customer, p.Cart,
			p.Time, value.Format(4), min(refunded, value).Format(4), p.Currency, visitOf(p, of), excluded))
	}
	return out
}

// storedFacts reads the facts in the model's form.
func storedFacts(t testing.TB, w *Warehouse) []string {
	t.Helper()
	var out []string
	for _, sql := range []string{
		`SELECT format('session {} v{} given={} id={} start={} end={} landing={} {}/{}/{}/{}/{} views={} events={}', shop, toString(visitor), given ? 'true' : 'false',
			toString(if(given, session, 0)), toString(toUnixTimestamp64Milli(start)), toString(toUnixTimestamp64Milli(end)), landing_page, referrer, channel, source, medium, campaign,
			toString(page_views), toString(events)) FROM session_facts FINAL`,
		`SELECT concat('cart ', shop, ' c', toString(if(given, cart, 0)), ' v', toString(visitor), ' [', arrayStringConcat(arrayMap(x -> toString(x), visitors), ' '), '] customer=', toString(customer),
			' first=', toString(toUnixTimestamp64Milli(first_event)), ' last=', toString(toUnixTimestamp64Milli(last_activity)),
			' bought=', toString(ifNull(toUnixTimestamp64Milli(purchased_at), 0)), ' order=', toString(order_ref), ' gap=', toString(max_gap_ms),
			' steps=[', arrayStringConcat(arrayMap((n, f, c) -> concat(n, ':', toString(toUnixTimestamp64Milli(f)), ':', toString(c)), step_names, step_first, step_count), ' '),
			'] net=', ifNull(toString(net_quantity), '-'), ' lines=', ifNull(toString(view_cart_items), '-'),
			' value=', ifNull(toDecimalString(value, 4), '-'), ' ', currency,
			' costs=[', arrayStringConcat(arrayMap(x -> concat(x.1, '@', toString(toUnixTimestamp64Milli(x.2)), '=', ifNull(toDecimalString(x.3, 4), '-')), extra_costs), ' '),
			'] ', if(session = 0, 'none', concat('s', toString(if(session IN (SELECT session FROM session_facts WHERE NOT given), 0, session)))), ' ', channel, '/', source, '/', medium, '/', campaign,
			' excluded=', toString(excluded), ' events=', toString(events)) FROM cart_facts FINAL`,
		`SELECT concat('order ', shop, ' o', toString(order_ref), ' v', toString(visitor), ' customer=', toString(customer), ' cart=', toString(cart), ' time=', toString(toUnixTimestamp64Milli(time)),
			' value=', toDecimalString(value, 4), ' refunded=', toDecimalString(refunded, 4), ' ', currency, ' ',
			if(session = 0, 'none', concat('s', toString(if(session IN (SELECT session FROM session_facts WHERE NOT given), 0, session)))), ' ', channel, '/', source, '/', medium, '/', campaign,
			' excluded=', toString(excluded)) FROM order_facts FINAL`,
	} {
		rows, err := w.conn.Query(context.Background(), sql)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	slices.Sort(out)
	return out
}

// sameFacts compares and shows what differs.
func sameFacts(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	var b strings.Builder
	for _, g := range got {
		if !slices.Contains(want, g) {
			b.WriteString("  have " + g + "\n")
		}
	}
	for _, s := range want {
		if !slices.Contains(got, s) {
			b.WriteString("  want " + s + "\n")
		}
	}
	t.Fatalf("%s: %d facts, want %d:\n%s", what, len(got), len(want), b.String())
}
