package promexport

import (
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/money"
	"github.com/prometheus/client_golang/prometheus"
)

// metric is one figure's description and how it is sent.
type metric struct{ desc *prometheus.Desc }

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("webshop_"+name, help, append([]string{"shop"}, labels...), nil)}
}

func (m metric) send(ch chan<- prometheus.Metric, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, value, labels...)
}

// metrics are the names that the API description promises.
type metrics struct {
	customers, newCustomers, returning, orders, revenue, sessions                     metric
	carts, abandonedCarts, abandonmentRatio, abandonedValue, recovered, coverage, age metric
}

func describe() metrics {
	return metrics{
		customers:        gauge("customers", "Customers: who placed at least one order in the window.", "window"),
		newCustomers:     gauge("new_customers", "Customers whose first order ever lies in the window, by the channel of that order's session.", "window", "channel"),
		returning:        gauge("returning_customers", "Customers of the window whose first order lies earlier.", "window"),
		orders:           gauge("orders", "Orders in the window.", "window"),
		revenue:          gauge("revenue", "Value of the window's orders less refunds, goods only, in units of the currency.", "window", "currency"),
		sessions:         gauge("sessions", "Consented sessions that started in the window.", "window", "channel"),
		carts:            gauge("checkout_carts", "Carts first active in the window that reached the step.", "window", "step"),
		abandonedCarts:   gauge("checkout_abandoned_carts", "Abandoned carts first active in the window, by the last step they reached.", "window", "step"),
		abandonmentRatio: gauge("checkout_abandonment_ratio", "Abandoned carts / carts that are settled (neither open, emptied nor superseded), 0 to 1.", "window"),
		abandonedValue:   gauge("abandoned_value", "Value of the abandoned carts, in units of the currency.", "window", "currency"),
		recovered:        gauge("recovered_carts", "Carts bought after having lain idle for longer than the shop's abandon_after.", "window"),
		coverage:         gauge("consent_coverage_ratio", "Orders measured with consent / all orders of the shop's order book, 0 to 1; absent without an order book.", "window"),
		age:              gauge("report_age_seconds", "Age of the oldest webshop_ figure shown."),
	}
}

// Describe implements prometheus.Collector.
func (e *Exporter) Describe(ch chan<- *prometheus.Desc) {
	m := describe()
	for _, d := range []metric{m.customers, m.newCustomers, m.returning, m.orders, m.revenue, m.sessions, m.carts, m.abandonedCarts,
		m.abandonmentRatio, m.abandonedValue, m.recovered, m.coverage, m.age} {
		ch <- d.desc
	}
	e.failures.Describe(ch)
}

// Collect implements prometheus.Collector from the newest snapshot; it never asks the warehouse.
func (e *Exporter) Collect(ch chan<- prometheus.Metric) {
	e.failures.Collect(ch)
	snapshot := e.snapshot.Load()
	if snapshot == nil {
		return
	}
	m, now := describe(), e.config.Now()
	for shop, f := range *snapshot {
		if !f.complete.IsZero() {
			m.age.send(ch, now.Sub(f.complete).Seconds(), shop)
		}
		for window := range windows() {
			if a := f.customers[window]; e.fresh(a.at, now) {
				m.collectCustomers(ch, shop, window, a.answer)
			}
			if a := f.checkout[window]; e.fresh(a.at, now) {
				m.collectCheckout(ch, shop, window, a.answer)
			}
			if a := f.sessions[window]; e.fresh(a.at, now) {
				for channel, n := range a.answer {
					m.sessions.send(ch, float64(n), shop, window, channel)
				}
			}
		}
	}
}

// fresh tells whether an answer is there and young enough to be shown.
func (e *Exporter) fresh(at, now time.Time) bool {
	return !at.IsZero() && now.Sub(at) <= e.config.MaxAge
}

func (m metrics) collectCustomers(ch chan<- prometheus.Metric, shop, window string, a funnel.Customers) {
	m.customers.send(ch, float64(a.Customers), shop, window)
	m.returning.send(ch, float64(a.Returning), shop, window)
	m.orders.send(ch, float64(a.Orders), shop, window)
	byChannel := make(map[string]int)
	for _, i := range a.Initiatives {
		byChannel[i.Channel] += i.NewCustomers
	}
	for channel, n := range byChannel {
		m.newCustomers.send(ch, float64(n), shop, window, channel)
	}
	for currency, amount := range a.Revenue {
		m.revenue.send(ch, units(amount), shop, window, currency)
	}
	if a.Coverage.Ratio != nil {
		m.coverage.send(ch, *a.Coverage.Ratio, shop, window)
	}
}

func (m metrics) collectCheckout(ch chan<- prometheus.Metric, shop, window string, a funnel.Checkout) {
	for _, s := range a.Steps {
		m.carts.send(ch, float64(s.Carts), shop, window, s.Step)
		m.abandonedCarts.send(ch, float64(s.Abandoned), shop, window, s.Step)
	}
	if a.Totals.AbandonmentRate != nil {
		m.abandonmentRatio.send(ch, *a.Totals.AbandonmentRate, shop, window)
	}
	for currency, amount := range a.Totals.AbandonedValue {
		m.abandonedValue.send(ch, units(amount), shop, window, currency)
	}
	m.recovered.send(ch, float64(a.Totals.Recovered), shop, window)
}

// units is an amount in units of its currency; Prometheus knows only floats, so this is where exactness ends.
func units(a money.Amount) float64 { return float64(a) / 10_000 }
