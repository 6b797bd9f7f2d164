package funnel

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"
)

// coverageCount is one row of coverage.sql.
type coverageCount struct {
	sessions, orders, excludedOrders int
}

func (c coverageCount) coverage() Coverage {
	return Coverage{ConsentedSessions: c.sessions, OrdersMeasured: c.orders}
}

// Coverage answers /coverage.
func (w *Warehouse) Coverage(ctx context.Context, shop Shop, q Query) (CoverageReport, error) {
	if err := q.Check(); err != nil {
		return CoverageReport{}, err
	}
	var (
		byBucket  map[Date]coverageCount
		decisions map[Date][]DecisionCount
		total     coverageCount
		all       = map[Date][]DecisionCount{}
		before    *CoverageReport
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { total, err = w.coverageTotal(gctx, shop, q); return err })
	g.Go(func() (err error) { all, err = w.coverageDecisions(gctx, shop, q.whole()); return err })
	if q.Interval != "" {
		g.Go(func() (err error) { byBucket, err = w.coverage(gctx, shop, q); return err })
		g.Go(func() (err error) { decisions, err = w.coverageDecisions(gctx, shop, q); return err })
	}
	previous(gctx, g, shop, q, w.Coverage, &before)
	if err := g.Wait(); err != nil {
		return CoverageReport{}, err
	}
	answer := CoverageReport{Envelope: NewEnvelope(shop, q, total.coverage()), Decisions: []DecisionCount{}, Series: []CoveragePoint{}, Previous: before}
	for _, d := range all {
		answer.Decisions = append(answer.Decisions, d...)
	}
	for _, start := range q.Span(shop).Starts(q.Interval, shop.Timezone) {
		point := CoveragePoint{Start: start, Coverage: byBucket[start].coverage(), Decisions: decisions[start]}
		if point.Decisions == nil {
			point.Decisions = []DecisionCount{}
		}
		answer.Series = append(answer.Series, point)
	}
	return answer, nil
}

// whole is the query without a series.
func (q Query) whole() Query {
	q.Interval = ""
	return q
}

// coverage runs coverage.sql: one count an interval; without one, a single count.
func (w *Warehouse) coverage(ctx context.Context, shop Shop, q Query) (map[Date]coverageCount, error) {
	counts := make(map[Date]coverageCount)
	err := w.each(ctx, "coverage", shop, q, func(rows driver.Rows) error {
		var (
			day                        time.Time
			sessions, orders, excluded uint64
		)
		if err := rows.Scan(&day, &sessions, &orders, &excluded); err != nil {
			return err
		}
		counts[dateOf(day)] = coverageCount{int(sessions), int(orders), int(excluded)}
		return nil
	})
	return counts, err
}

func (w *Warehouse) coverageTotal(ctx context.Context, shop Shop, q Query) (coverageCount, error) {
	counts, err := w.coverage(ctx, shop, q.whole())
	for _, c := range counts {
		return c, err
	}
	return coverageCount{}, err
}

func (w *Warehouse) coverageOf(ctx context.Context, shop Shop, q Query) (Coverage, error) {
	c, err := w.coverageTotal(ctx, shop, q)
	return c.coverage(), err
}

// coverageDecisions runs coverage_decisions.sql; sorted by purpose, then decision.
func (w *Warehouse) coverageDecisions(ctx context.Context, shop Shop, q Query) (map[Date][]DecisionCount, error) {
	found := make(map[Date][]DecisionCount)
	err := w.each(ctx, "coverage_decisions", shop, q, func(rows driver.Rows) error {
		var (
			day time.Time
			d   DecisionCount
			n   uint64
		)
		if err := rows.Scan(&day, &d.Purpose, &d.Decision, &n); err != nil {
			return err
		}
		d.Count = int(n)
		found[dateOf(day)] = append(found[dateOf(day)], d)
		return nil
	})
	return found, err
}

// SessionsByChannel counts the sessions that started in the query's span, by channel.
func (w *Warehouse) SessionsByChannel(ctx context.Context, shop Shop, q Query) (map[string]int, error) {
	counts := make(map[string]int)
	err := w.each(ctx, "sessions_by_channel", shop, q, func(rows driver.Rows) error {
		var (
			channel  string
			sessions uint64
		)
		if err := rows.Scan(&channel, &sessions); err != nil {
			return err
		}
		counts[keyName("channel", channel)] += int(sessions)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting sessions by channel: %w", err)
	}
	return counts, nil
}
