package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/delivery"
	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/warehouse"
)

//go:embed sql/*.sql
var queryFS embed.FS

func query(name string) string {
	b, err := queryFS.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	return string(b)
}

// begin is when the made-up traffic begins; a million events take some six days.
func begin() time.Time { return time.Now().Add(-20 * 24 * time.Hour).Truncate(time.Hour) }

// intoWarehouse measures the way from the spool into every table and fact against INSERT … SELECT of the same rows into the same tables,
// and then the checkout report against windowFunnel over the raw events.
func intoWarehouse(ctx context.Context, b *bench) (err error) {
	a, err := openApp(ctx, b)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	g := newTraffic(begin())
	rows, took, err := deliver(ctx, a, g, b.events)
	if err != nil {
		return err
	}
	plain, err := insertSelect(ctx, a)
	if err != nil {
		return err
	}
	ours, theirs := rows/took.Seconds(), float64(b.events)/plain.Seconds()
	fmt.Fprintf(os.Stderr, "  spool → warehouse %.0f rows/s, INSERT … SELECT %.0f rows/s\n", ours, theirs)
	b.report(result{what: fmt.Sprintf("spool → warehouse, views and facts / INSERT … SELECT, %d events", b.events), value: ours / theirs, unit: "×", limit: 0.5})
	return reports(ctx, b, a, g.now)
}

func openApp(ctx context.Context, b *bench) (*app.App, error) {
	path := filepath.Join(b.dir, "bench.yaml")
	yaml := fmt.Sprintf("data_dir: %s\nshops:\n  - {id: demo, name: Bench, currency: EUR, timezone: Europe/Brussels}\n", filepath.Join(b.dir, "warehouse"))
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	cfg, err := config.Load(config.Source{File: path})
	if err != nil {
		return nil, err
	}
	return app.Open(ctx, app.Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Environ: os.Environ()})
}

// deliver spools n events, twenty a record, and waits until the warehouse has them and their facts. The time counts from the moment when
// all are spooled for what was not delivered by then.
func deliver(ctx context.Context, a *app.App, g *traffic, n int) (rows float64, took time.Duration, err error) {
	const perRecord = 20
	intake := delivery.Intake{Spool: a.Spool}
	records := make(chan []byte, n/perRecord)
	events := make([]collector.Event, perRecord)
	for range n / perRecord {
		for i := range events {
			events[i] = g.next()
		}
		records <- collector.AppendEvents(nil, events)
	}
	close(records)
	group, gctx := errgroup.WithContext(ctx)
	for range 64 {
		group.Go(func() error {
			for r := range records {
				if _, err := intake.AppendEvents(gctx, r, perRecord, 0); err != nil {
					return fmt.Errorf("spooling: %w", err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	start, rows := time.Now(), float64(a.Delivery.Counters().Pending)
	if err := a.Delivery.Flush(ctx); err != nil {
		return 0, 0, fmt.Errorf("delivering: %w", err)
	}
	return rows, time.Since(start), nil
}

// insertSelect sends the same rows through the same views into a second set of the tables.
func insertSelect(ctx context.Context, a *app.App) (time.Duration, error) {
	w, err := warehouse.Open(ctx, warehouse.Config{Options: a.Engine().Options("plain"), Exclusive: true})
	if err != nil {
		return 0, err
	}
	defer w.Close()
	if err := w.Conn().Exec(ctx, query("source")); err != nil {
		return 0, fmt.Errorf("copying the rows: %w", err)
	}
	start := time.Now()
	if err := w.Conn().Exec(ctx, query("insert_select")); err != nil {
		return 0, fmt.Errorf("inserting the rows: %w", err)
	}
	return time.Since(start), nil
}

// reports measures the checkout report, warm, over all the events' carts.
func reports(ctx context.Context, b *bench, a *app.App, end time.Time) error {
	zone, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		return fmt.Errorf("loading the time zone: %w", err)
	}
	shop := funnel.Shop{ID: "demo", Currency: "EUR", Timezone: zone, AbandonAfter: time.Hour, SupersededWithin: 7 * 24 * time.Hour, Steps: funnel.DefaultSteps()}
	q := funnel.Query{Period: funnel.Period{From: funnel.DateOf(begin().In(zone)), To: funnel.DateOf(end.In(zone))}, Now: end.Add(48 * time.Hour)}
	var ratios, ours []float64
	carts := 0
	for range b.rounds + 1 {
		start := time.Now()
		answer, err := a.Reports.Checkout(ctx, shop, q)
		if err != nil {
			return err
		}
		report := time.Since(start)
		start = time.Now()
		if err := windowFunnel(ctx, a, q.Span(shop)); err != nil {
			return err
		}
		raw := time.Since(start)
		ratios, ours, carts = append(ratios, raw.Seconds()/report.Seconds()), append(ours, report.Seconds()*1000), answer.Totals.Carts
		fmt.Fprintf(os.Stderr, "  checkout report %.0f ms, windowFunnel over raw events %.0f ms\n", report.Seconds()*1000, raw.Seconds()*1000)
	}
	b.report(result{what: fmt.Sprintf("windowFunnel over raw events / checkout report, %d carts", carts), value: median(ratios[1:]), unit: "×", note: fmt.Sprintf("report %.0f ms", median(ours[1:]))})
	return nil
}

func windowFunnel(ctx context.Context, a *app.App, span funnel.Span) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{
		"from": strconv.FormatInt(span.Start.UnixMilli(), 10), "to": strconv.FormatInt(span.End.UnixMilli(), 10),
	}))
	rows, err := a.Warehouse.Conn().Query(ctx, query("window_funnel"))
	if err != nil {
		return fmt.Errorf("asking windowFunnel: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
