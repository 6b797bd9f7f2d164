package httpapi

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// RequestMetrics measures requests as kassa_http_request_seconds{route,code}. Routes are those of the router, so that labels are bounded; what
// no route serves counts as route "none". One value serves both listeners.
type RequestMetrics struct {
	seconds  *prometheus.HistogramVec
	clock    func() time.Time
	observer sync.Map // routeCode → prometheus.Observer
}

type routeCode struct {
	route string
	code  int
}

// NewRequestMetrics registers the metric; nil clock: time.Now.
func NewRequestMetrics(reg prometheus.Registerer, clock func() time.Time) (*RequestMetrics, error) {
	m := &RequestMetrics{clock: clock, seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "kassa_http_request_seconds", Help: "Time from a request's headers to the end of its answer, in seconds.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 2.5, 10},
	}, []string{"route", "code"})}
	if m.clock == nil {
		m.clock = time.Now
	}
	if err := reg.Register(m.seconds); err != nil {
		return nil, fmt.Errorf("registering HTTP metrics: %w", err)
	}
	return m, nil
}

// Middleware measures. It must be the outermost one; an error is measured under the status its answer will have.
func (m *RequestMetrics) Middleware() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := m.clock()
			err := next(c)
			code := c.Response().Status
			if err != nil && !c.Response().Committed {
				code = problem.From(err).Status
			}
			m.of(c.Path(), code).Observe(m.clock().Sub(start).Seconds())
			return err
		}
	}
}

func (m *RequestMetrics) of(route string, code int) prometheus.Observer {
	if route == "" {
		route = "none"
	}
	key := routeCode{route, code}
	if o, ok := m.observer.Load(key); ok {
		return o.(prometheus.Observer)
	}
	o := m.seconds.WithLabelValues(route, strconv.Itoa(code))
	m.observer.Store(key, o)
	return o
}
