package collector

import (
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what became of events. Labels are bounded: configured shops, three outcomes, the closed list of reasons.
type metrics struct {
	events     *prometheus.CounterVec
	rejections *prometheus.CounterVec
	unknown    *prometheus.CounterVec
	shops      sync.Map // shop → *shopMetrics, so that the hot path does no label look-up
}

type shopMetrics struct {
	accepted, duplicate, rejected, unknown prometheus.Counter
	reasons                                map[Reason]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, shops *Shops) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kassa_ingest_events_total", Help: "Events by what became of them.",
		}, []string{"shop", "outcome"}),
		rejections: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kassa_ingest_rejections_total", Help: "Events that were not taken, by reason.",
		}, []string{"shop", "reason"}),
		unknown: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kassa_ingest_unknown_fields_total", Help: "Fields that were dropped because the vocabulary does not have them.",
		}, []string{"shop"}),
	}
	if reg != nil {
		for _, c := range []prometheus.Collector{m.events, m.rejections, m.unknown} {
			if err := reg.Register(c); err != nil {
				return nil, fmt.Errorf("registering metrics: %w", err)
			}
		}
	}
	for _, id := range shops.IDs() {
		m.of(id)
	}
	return m, nil
}

// of gives the counters of a configured shop, all of which start at 0.
func (m *metrics) of(shop string) *shopMetrics {
	if s, ok := m.shops.Load(shop); ok {
		return s.(*shopMetrics)
	}
	s := &shopMetrics{
		accepted: m.events.WithLabelValues(shop, "accepted"), duplicate: m.events.WithLabelValues(shop, "duplicate"),
		rejected: m.events.WithLabelValues(shop, "rejected"), unknown: m.unknown.WithLabelValues(shop), reasons: map[Reason]prometheus.Counter{},
	}
	for _, r := range Reasons() {
		s.reasons[r] = m.rejections.WithLabelValues(shop, string(r))
	}
	actual, _ := m.shops.LoadOrStore(shop, s)
	return actual.(*shopMetrics)
}

// count is called for configured shops only.
func (m *metrics) count(b *Batch, r *Result) {
	s := m.of(b.Shop)
	if r.Accepted > 0 {
		s.accepted.Add(float64(r.Accepted))
	}
	if r.Duplicates > 0 {
		s.duplicate.Add(float64(r.Duplicates))
	}
	if b.Unknown > 0 {
		s.unknown.Add(float64(b.Unknown))
	}
	if len(r.Rejected) > 0 {
		s.rejected.Add(float64(len(r.Rejected)))
		for i := range r.Rejected {
			s.reasons[r.Rejected[i].Reason].Inc()
		}
	}
}
