package app

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows what the delivery and the spool know of themselves.
type metrics struct {
	app       *App
	decisions *prometheus.CounterVec
	inserts   prometheus.Histogram
	up        atomic.Bool

	pending, bytes, warehouseUp                               *prometheus.Desc
	accepted, stored, lateDuplicate, deadLettered, suppressed *prometheus.Desc
}

func newMetrics(a *App) *metrics {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	m := &metrics{
		app: a,
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kassa_consent_decisions_total", Help: "Consent decisions taken in by this process, by purpose and decision (granted, denied, withdrawn).",
		}, []string{"shop", "purpose", "decision"}),
		inserts: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kassa_warehouse_insert_seconds", Help: "Time that one try to insert a batch into the warehouse took, in seconds.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		pending:       desc("kassa_spool_pending_events", "Events accepted and not yet in the warehouse."),
		bytes:         desc("kassa_spool_bytes", "Size of the records in the spool that are not yet in the warehouse."),
		warehouseUp:   desc("kassa_warehouse_up", "1 where the last insert into the warehouse, or the last question to it, succeeded."),
		accepted:      desc("kassa_events_accepted_total", "Events acknowledged since the data directory was made: always the sum of stored, late duplicate, dead-lettered, suppressed and pending."),
		stored:        desc("kassa_events_stored_total", "Accepted events that the warehouse has taken."),
		lateDuplicate: desc("kassa_events_late_duplicate_total", "Accepted events whose id the warehouse had already."),
		deadLettered:  desc("kassa_events_dead_lettered_total", "Accepted events that the warehouse refuses, kept among the dead letters."),
		suppressed:    desc("kassa_events_suppressed_total", "Accepted events left out because their consent was withdrawn, or their visitor erased, before the insert."),
	}
	return m
}

// decided is told of each consent decision.
func (m *metrics) decided(shop, purpose, decision string) {
	m.decisions.WithLabelValues(shop, purpose, decision).Inc()
}

// inserted is told of each try to insert a batch.
func (m *metrics) inserted(took time.Duration, err error) {
	m.inserts.Observe(took.Seconds())
	m.up.Store(err == nil)
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.decisions.Describe(ch)
	m.inserts.Describe(ch)
	for _, d := range []*prometheus.Desc{m.pending, m.bytes, m.warehouseUp, m.accepted, m.stored, m.lateDuplicate, m.deadLettered, m.suppressed} {
		ch <- d
	}
}

// Collect implements prometheus.Collector; the counters are one snapshot, so that their sum always holds.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.decisions.Collect(ch)
	m.inserts.Collect(ch)
	if m.app.Delivery == nil { // still opening
		return
	}
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, v)
	}
	c := m.app.Delivery.Counters()
	send(m.pending, prometheus.GaugeValue, float64(c.Pending))
	send(m.bytes, prometheus.GaugeValue, float64(m.app.Spool.Bytes()))
	up := 0.0
	if m.up.Load() {
		up = 1
	}
	send(m.warehouseUp, prometheus.GaugeValue, up)
	send(m.accepted, prometheus.CounterValue, float64(c.Accepted()))
	send(m.stored, prometheus.CounterValue, float64(c.Stored))
	send(m.lateDuplicate, prometheus.CounterValue, float64(c.LateDuplicate))
	send(m.deadLettered, prometheus.CounterValue, float64(c.DeadLettered))
	send(m.suppressed, prometheus.CounterValue, float64(c.Suppressed))
}
