package funneltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/funnel"
)

// Answer is what a runner got for a question: the report asked for, or the refusal of a parameter.
type Answer struct {
	Checkout  *funnel.Checkout
	Customers *funnel.Customers
	Coverage  *funnel.CoverageReport
	Refused   *funnel.InvalidParameterError
}

// Text is the answer as a scenario shows it.
func (q Question) Text(a Answer) string {
	r := renderer{q: q}
	switch {
	case a.Refused != nil:
		r.line("refused: %s", a.Refused.Parameter)
	case a.Checkout != nil:
		r.checkout(*a.Checkout)
	case a.Customers != nil:
		r.customers(*a.Customers)
	case a.Coverage != nil:
		r.coverage(*a.Coverage)
	}
	return r.b.String()
}

type renderer struct {
	q Question
	b strings.Builder
}

func (r *renderer) shows(section string) bool { return slices.Contains(r.q.Sections, section) }

func (r *renderer) line(format string, args ...any) {
	r.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	r.b.WriteByte('\n')
}

func (r *renderer) checkout(a funnel.Checkout) {
	r.figures(a.CheckoutFigures)
	for _, g := range a.Groups {
		r.line("%s %s:", r.q.Query.By, g.Key)
		r.figures(g.CheckoutFigures)
	}
	for _, p := range a.Series {
		r.line("%s %s:", r.q.Query.Interval, p.Start)
		r.figures(p.CheckoutFigures)
	}
	if a.Previous != nil {
		r.line("previous, %s to %s:", a.Previous.Period.From, a.Previous.Period.To)
		r.figures(a.Previous.CheckoutFigures)
	}
}

func (r *renderer) figures(f funnel.CheckoutFigures) {
	if r.shows("steps") {
		rows := [][]string{{"step", "carts", "of_first", "of_prev", "skipped", "abandoned", "rate", "low", "high", "to_next"}}
		for _, s := range f.Steps {
			rows = append(rows, []string{
				s.Step, fmt.Sprint(s.Carts), percent(s.RateFromFirst), percent(s.RateFromPrevious), fmt.Sprint(s.Skipped),
				fmt.Sprint(s.Abandoned), percent(s.AbandonmentRate), percent(s.AbandonmentRateLow), percent(s.AbandonmentRateHigh),
				seconds(s.MedianSecondsToNext),
			})
		}
		r.table(rows, 1)
	}
	if r.shows("totals") {
		t := f.Totals
		r.line("carts %d = purchased %d + recovered %d + abandoned %d + emptied %d + superseded %d + open %d",
			t.Carts, t.Purchased, t.Recovered, t.Abandoned, t.Emptied, t.Superseded, t.Open)
		between := ""
		if t.AbandonmentRate != nil {
			between = fmt.Sprintf(" (%s to %s)", percent(t.AbandonmentRateLow), percent(t.AbandonmentRateHigh))
		}
		r.line("abandoned %s%s, worth %s", percent(t.AbandonmentRate), between, sums(t.AbandonedValue))
		if t.Excluded > 0 {
			r.line("excluded %d", t.Excluded)
		}
	}
}

func (r *renderer) customers(a funnel.Customers) {
	if r.shows("totals") {
		r.customerTotals(a)
	}
	if r.shows("concentration") {
		c := a.Concentration
		r.line("top tenth %s, largest %s, half of revenue from %d, gini %s", percent(c.Top10PercentRevenueShare),
			percent(c.LargestCustomerShare), c.CustomersForHalfOfRevenue, decimals(c.Gini, 3))
	}
	if r.shows("initiatives") {
		rows := [][]string{{"channel", "source", "medium", "campaign", "new", "revenue"}}
		for _, i := range a.Initiatives {
			rows = append(rows, []string{i.Channel, i.Source, i.Medium, i.Campaign, fmt.Sprint(i.NewCustomers), sums(i.Revenue)})
		}
		r.table(rows, 4)
	}
	if len(a.Series) > 0 {
		rows := [][]string{{string(r.q.Query.Interval), "customers", "new", "returning", "orders", "revenue"}}
		for _, p := range a.Series {
			rows = append(rows, []string{p.Start.String(), fmt.Sprint(p.Customers), fmt.Sprint(p.New), fmt.Sprint(p.Returning),
				fmt.Sprint(p.Orders), sums(p.Revenue)})
		}
		r.table(rows, 1)
	}
	if a.Previous != nil {
		r.line("previous, %s to %s:", a.Previous.Period.From, a.Previous.Period.To)
		r.customerTotals(*a.Previous)
	}
}

func (r *renderer) customerTotals(a funnel.Customers) {
	r.line("customers %d = new %d + returning %d", a.Customers, a.New, a.Returning)
	r.line("orders %d, %s a customer, repeat rate %s", a.Orders, decimals(a.OrdersPerCustomer, 2), percent(a.RepeatRate))
	r.line("revenue %s, average order %s", sums(a.Revenue), averages(a.AverageOrderValue))
	if a.ExcludedOrders > 0 {
		r.line("excluded orders %d", a.ExcludedOrders)
	}
}

func (r *renderer) coverage(a funnel.CoverageReport) {
	r.line("consented sessions %d, orders measured %d", a.Coverage.ConsentedSessions, a.Coverage.OrdersMeasured)
	for _, p := range a.Series {
		r.line("%s %s: consented sessions %d, orders measured %d", r.q.Query.Interval, p.Start, p.ConsentedSessions, p.OrdersMeasured)
	}
}

// table writes rows in columns: the first left of them to the left, numbers to the right.
func (r *renderer) table(rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < left {
				cells[i] = cell + pad
			} else {
				cells[i] = pad + cell
			}
		}
		r.line("%s", strings.Join(cells, "  "))
	}
}

func percent(r *float64) string {
	if r == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", *r*100)
}

func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%gs", *s)
}

func decimals(r *float64, n int) string {
	if r == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f", n, *r)
}

func sums(m funnel.Money) string {
	var out []string
	for _, currency := range slices.Sorted(maps.Keys(m)) {
		out = append(out, currency+" "+m[currency].In(currency))
	}
	return strings.Join(out, " + ")
}

func averages(m funnel.Averages) string {
	var out []string
	for _, currency := range slices.Sorted(maps.Keys(m)) {
		text := "-"
		if a := m[currency]; a != nil {
			text = a.In(currency)
		}
		out = append(out, currency+" "+text)
	}
	return strings.Join(out, " and ")
}
