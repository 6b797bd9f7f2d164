package funnel

import (
	"cmp"
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/kassa-analytics/kassa/internal/money"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

// Customers answers /customers.
func (w *Warehouse) Customers(ctx context.Context, shop Shop, q Query) (Customers, error) {
	if err := q.Check(); err != nil {
		return Customers{}, err
	}
	var (
		answer      Customers
		series      []CustomerPoint
		initiatives []Initiative
		counted     coverageCount
		before      *Customers
	)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { answer, err = w.customers(gctx, shop, q); return err })
	g.Go(func() (err error) { series, err = w.customersSeries(gctx, shop, q); return err })
	g.Go(func() (err error) { initiatives, err = w.customersInitiatives(gctx, shop, q); return err })
	g.Go(func() (err error) { counted, err = w.coverageTotal(gctx, shop, q); return err })
	previous(gctx, g, shop, q, w.Customers, &before)
	if err := g.Wait(); err != nil {
		return Customers{}, err
	}
	answer.Envelope = NewEnvelope(shop, q, counted.coverage())
	answer.ExcludedOrders = counted.excludedOrders
	answer.Series, answer.Initiatives, answer.Previous = series, initiatives, before
	return answer, nil
}

func (w *Warehouse) customers(ctx context.Context, shop Shop, q Query) (Customers, error) {
	var answer Customers
	err := w.each(ctx, "customers", shop, q, func(rows driver.Rows) error {
		var (
			customers, fresh, orders, repeaters uint64
			revenue                             map[string]decimal.Decimal
			byCurrency                          map[string]uint64
			each                                []decimal.Decimal
		)
		if err := rows.Scan(&customers, &fresh, &orders, &repeaters, &revenue, &byCurrency, &each); err != nil {
			return err
		}
		revenues := make([]money.Amount, len(each))
		for i, d := range each {
			revenues[i] = amount(d)
		}
		counts := map[string]int{shop.Currency: 0}
		for currency, n := range byCurrency {
			counts[currency] += int(n)
		}
		answer = Customers{
			Customers: int(customers), New: int(fresh), Returning: int(customers - fresh), Orders: int(orders),
			Revenue: sums(revenue).in(shop), Concentration: Concentrate(revenues),
		}.WithRates(int(repeaters), counts)
		return nil
	})
	return answer, err
}

func (w *Warehouse) customersSeries(ctx context.Context, shop Shop, q Query) ([]CustomerPoint, error) {
	starts := q.Span(shop).Starts(q.Interval, shop.Timezone)
	points := make([]CustomerPoint, len(starts))
	index := make(map[Date]int, len(starts))
	for i, start := range starts {
		points[i], index[start] = CustomerPoint{Start: start, Revenue: Money{}.in(shop)}, i
	}
	if len(points) == 0 {
		return points, nil
	}
	err := w.each(ctx, "customers_series", shop, q, func(rows driver.Rows) error {
		var (
			day                      time.Time
			customers, fresh, orders uint64
			revenue                  map[string]decimal.Decimal
		)
		if err := rows.Scan(&day, &customers, &fresh, &orders, &revenue); err != nil {
			return err
		}
		if i, ok := index[dateOf(day)]; ok {
			points[i] = CustomerPoint{
				Start: starts[i], Customers: int(customers), New: int(fresh), Returning: int(customers - fresh), Orders: int(orders),
				Revenue: sums(revenue).in(shop),
			}
		}
		return nil
	})
	return points, err
}

func (w *Warehouse) customersInitiatives(ctx context.Context, shop Shop, q Query) ([]Initiative, error) {
	list := []Initiative{}
	err := w.each(ctx, "customers_initiatives", shop, q, func(rows driver.Rows) error {
		var (
			i       Initiative
			people  uint64
			revenue map[string]decimal.Decimal
		)
		if err := rows.Scan(&i.Channel, &i.Source, &i.Medium, &i.Campaign, &people, &revenue); err != nil {
			return err
		}
		i.Channel, i.Source = cmp.Or(i.Channel, NoChannel), cmp.Or(i.Source, NoSource)
		i.Medium, i.Campaign = cmp.Or(i.Medium, NoMedium), cmp.Or(i.Campaign, NoCampaign)
		i.NewCustomers, i.Revenue = int(people), sums(revenue)
		list = append(list, i)
		return nil
	})
	SortInitiatives(list)
	return list, err
}
