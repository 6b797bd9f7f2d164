// Package promexport shows the owner's figures to Prometheus: gauges over rolling windows, read from the warehouse in the background
// so that a scrape never waits for a query.
package promexport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/prometheus/client_golang/prometheus"
)

// Source answers what the metrics show.
type Source interface {
	funnel.Reports
	// SessionsByChannel counts the sessions that started in the query's span.
	SessionsByChannel(ctx context.Context, shop funnel.Shop, q funnel.Query) (map[string]int, error)
}

// Config of an Exporter.
type Config struct {
	Source Source
	// Shops are those of the configuration as it is now.
	Shops  func() []funnel.Shop
	Logger *slog.Logger
	Now    func() time.Time
	// Every is the pause between two refreshes, 5 s by default; where a refresh takes long the pause is longer, see pause.
	Every time.Duration
	// MaxAge is how old figures may become before they vanish rather than lie; 2 minutes by default.
	MaxAge time.Duration
}

// Exporter is a prometheus.Collector over the newest snapshot of each shop. Run keeps the snapshots fresh.
type Exporter struct {
	config   Config
	snapshot atomic.Pointer[map[string]shopFigures]
	failures *prometheus.CounterVec
}

// windows are the rolling windows [now − d, now) of every figure.
func windows() map[string]time.Duration {
	const day = 24 * time.Hour
	return map[string]time.Duration{"1d": day, "7d": 7 * day, "30d": 30 * day}
}

// shopFigures is one shop's snapshot: by report, so that a failing one does not hide the others.
type shopFigures struct {
	customers map[string]dated[funnel.Customers] // by window
	checkout  map[string]dated[funnel.Checkout]
	sessions  map[string]dated[map[string]int]
	complete  time.Time // when all reports last succeeded
}

// dated is an answer and when it was true.
type dated[A any] struct {
	answer A
	at     time.Time
}

// New makes an Exporter; Register it and Run it.
func New(c Config) *Exporter {
	if c.Every <= 0 {
		c.Every = 5 * time.Second
	}
	if c.MaxAge <= 0 {
		c.MaxAge = 2 * time.Minute
	}
	return &Exporter{config: c, failures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kassa_metrics_refresh_failures_total", Help: "Reports that failed while the webshop_ figures were refreshed.",
	}, []string{"shop", "report"})}
}

// Run refreshes until the context ends.
func (e *Exporter) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		if err := e.Refresh(ctx); err != nil && ctx.Err() == nil {
			e.config.Logger.Warn("some figures for Prometheus could not be refreshed; the next try follows", "error", err)
		}
		timer.Reset(pause(e.config.Every, time.Since(start)))
	}
}

// shownWithin is how long after its arrival in the warehouse an event may take to be seen here: what the API promises (15 s) less the
// time to get there.
const shownWithin = 12 * time.Second

// pause follows a refresh that took so long. Four times as long keeps the warehouse free for others, but an event that just missed one
// refresh has to wait for the pause and for the next one to end: the pause gives way to that, down to the length of the refresh itself.
func pause(every, took time.Duration) time.Duration {
	return max(every, took, min(4*took, shownWithin-2*took))
}

// Refresh reads all figures once and shows them from then on. What fails keeps its former figures until they are too old.
func (e *Exporter) Refresh(ctx context.Context) error {
	var errs []error
	next := make(map[string]shopFigures)
	for _, shop := range e.config.Shops() {
		figures, err := e.refreshShop(ctx, shop, e.former(shop.ID))
		next[shop.ID] = figures
		errs = append(errs, err)
	}
	e.snapshot.Store(&next)
	return errors.Join(errs...)
}

func (e *Exporter) former(shop string) shopFigures {
	if s := e.snapshot.Load(); s != nil {
		return (*s)[shop]
	}
	return shopFigures{}
}

func (e *Exporter) refreshShop(ctx context.Context, shop funnel.Shop, former shopFigures) (shopFigures, error) {
	now := e.config.Now()
	f := shopFigures{
		customers: make(map[string]dated[funnel.Customers]), checkout: make(map[string]dated[funnel.Checkout]),
		sessions: make(map[string]dated[map[string]int]), complete: now,
	}
	var errs []error
	for window, length := range windows() {
		q := funnel.Query{Rolling: length, Now: now}
		errs = append(errs,
			refresh(e, shop, "customers", window, f.customers, former.customers, now, func() (funnel.Customers, error) {
				return e.config.Source.Customers(ctx, shop, q)
			}),
			refresh(e, shop, "checkout", window, f.checkout, former.checkout, now, func() (funnel.Checkout, error) {
				return e.config.Source.Checkout(ctx, shop, q)
			}),
			refresh(e, shop, "sessions", window, f.sessions, former.sessions, now, func() (map[string]int, error) {
				return e.config.Source.SessionsByChannel(ctx, shop, q)
			}))
	}
	err := errors.Join(errs...)
	if err != nil {
		f.complete = former.complete
	}
	return f, err
}

// refresh asks one report for one window, and keeps its former answer where that fails and is not too old.
func refresh[A any](e *Exporter, shop funnel.Shop, report, window string, into, former map[string]dated[A], now time.Time, ask func() (A, error)) error {
	answer, err := ask()
	if err == nil {
		into[window] = dated[A]{answer, now}
		return nil
	}
	e.failures.WithLabelValues(shop.ID, report).Inc()
	if old, ok := former[window]; ok && now.Sub(old.at) <= e.config.MaxAge {
		into[window] = old
	}
	return fmt.Errorf("asking the %s of shop %s over %s: %w", report, shop.ID, window, err)
}
