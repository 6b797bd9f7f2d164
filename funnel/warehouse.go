package funnel

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/kassa-analytics/kassa/internal/money"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

//go:embed sql/*.sql
var queryFS embed.FS

// Warehouse answers reports from the warehouse's fact tables. Each query stands in sql/, named after the method that runs it.
type Warehouse struct {
	conn    driver.Conn
	queries map[string]string
}

var _ Reports = (*Warehouse)(nil)

// NewWarehouse makes reports over a connection to a migrated warehouse.
func NewWarehouse(conn driver.Conn) (*Warehouse, error) {
	files, err := queryFS.ReadDir("sql")
	if err != nil {
		return nil, fmt.Errorf("reading the embedded queries: %w", err)
	}
	w := &Warehouse{conn: conn, queries: make(map[string]string)}
	for _, f := range files {
		text, err := queryFS.ReadFile("sql/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the embedded query %s: %w", f.Name(), err)
		}
		w.queries[strings.TrimSuffix(f.Name(), ".sql")] = string(text)
	}
	return w, nil
}

// parameters are a query's named values as ClickHouse reads them: numbers plain, texts as they are. All texts come from the
// configuration or a closed list, none of which can hold a character that would need escaping.
func parameters(shop Shop, q Query) clickhouse.Parameters {
	span := q.Span(shop)
	return clickhouse.Parameters{
		"shop": shop.ID, "currency": shop.Currency, "timezone": shop.Timezone.String(),
		"from": millis(span.Start), "to": millis(span.End), "now": millis(q.Now),
		"by": q.By, "interval": string(q.Interval),
		"steps":                "['" + strings.Join(shop.Steps, "','") + "']",
		"abandon_after_ms":     strconv.FormatInt(shop.AbandonAfter.Milliseconds(), 10),
		"superseded_within_ms": strconv.FormatInt(shop.SupersededWithin.Milliseconds(), 10),
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// each runs a query and hands each of its rows to scan.
func (w *Warehouse) each(ctx context.Context, query string, shop Shop, q Query, scan func(driver.Rows) error) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(parameters(shop, q)))
	rows, err := w.conn.Query(ctx, w.queries[query])
	if err != nil {
		return fmt.Errorf("running the query %s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("reading a row of the query %s: %w", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the query %s: %w", query, err)
	}
	return nil
}

// sums turns a map of decimals, as ClickHouse sums them, into Money.
func sums(byCurrency map[string]decimal.Decimal) Money {
	m := make(Money, len(byCurrency))
	for currency, d := range byCurrency {
		m.Add(currency, amount(d))
	}
	return m
}

func amount(d decimal.Decimal) money.Amount { return money.Amount(d.Shift(money.Scale).IntPart()) }

// previous asks the same about the period before, where the query compares; it runs beside the main question.
func previous[A any](ctx context.Context, g *errgroup.Group, shop Shop, q Query, ask func(context.Context, Shop, Query) (A, error), into **A) {
	if !q.Compare {
		return
	}
	g.Go(func() error {
		answer, err := ask(ctx, shop, q.Previous())
		if err != nil {
			return fmt.Errorf("asking about the period before: %w", err)
		}
		*into = &answer
		return nil
	})
}

// dateOf reads a ClickHouse Date, which arrives as midnight UTC.
func dateOf(t time.Time) Date { return DateOf(t.UTC()) }
