package funneltest_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/funnel/funneltest"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
	"github.com/kassa-analytics/kassa/internal/warehouse"
)

// warehouseRunner puts a scenario's stored events into ClickHouse, a few at a time, and asks the reports that run there. All scenarios
// share a database: each is a shop of its own.
type warehouseRunner struct {
	warehouse *warehouse.Warehouse
	reports   *funnel.Warehouse
	keys      *consentgate.Keys
	size      int // events a batch
	shops     int
	batches   int
}

func newWarehouseRunner(t testing.TB, size int) *warehouseRunner {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the engine")
	}
	w, err := warehouse.Open(context.Background(), warehouse.Config{Options: chdbtest.Options(t), Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	reports, err := funnel.NewWarehouse(w.Conn())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := consentgate.OpenKeys(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	return &warehouseRunner{warehouse: w, reports: reports, keys: keys, size: size}
}

// eventIDs hash the events of every shop here alike: a shop's ids are its own all the same.
const eventIDs = "demo"

// EventKey implements funneltest.Keyed.
func (r *warehouseRunner) EventKey(_, id string) string {
	hash := r.keys.EventID(eventIDs, id)
	return string(hash[:])
}

// Run implements funneltest.Runner: what happened above the first question of all scenarios, then those questions, and so on.
func (r *warehouseRunner) Run(ctx context.Context, scenarios []*funneltest.Scenario) ([][]funneltest.Answer, error) {
	shops := make([]funnel.Shop, len(scenarios))
	answers := make([][]funneltest.Answer, len(scenarios))
	for i, s := range scenarios {
		shops[i] = r.open(s.Shop)
	}
	for n, more := 0, true; more; n++ {
		more = false
		var events []collector.Event
		for i, s := range scenarios {
			if n >= len(s.Questions) {
				continue
			}
			more = true
			for _, h := range s.Phase(n) {
				if h.Event != nil && h.Stored {
					events = append(events, r.stored(shops[i], *h.Event))
				}
			}
		}
		if err := r.insert(ctx, events); err != nil {
			return nil, err
		}
		for i, s := range scenarios {
			if n >= len(s.Questions) {
				continue
			}
			a, err := funneltest.Ask(ctx, r.reports, shops[i], s.Questions[n])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", s.File, s.Questions[n].Line, err)
			}
			answers[i] = append(answers[i], a)
		}
	}
	return answers, nil
}

// open gives the shop a name that no other scenario has.
func (r *warehouseRunner) open(shop funnel.Shop) funnel.Shop {
	r.shops++
	shop.ID = fmt.Sprintf("shop-%d", r.shops)
	return shop
}

func (r *warehouseRunner) insert(ctx context.Context, events []collector.Event) error {
	for chunk := range slices.Chunk(events, r.size) {
		r.batches++
		if err := r.warehouse.Insert(ctx, fmt.Sprintf("batch-%d", r.batches), chunk, nil); err != nil {
			return err
		}
	}
	return nil
}

// stored is the event as the collector keeps it.
func (r *warehouseRunner) stored(shop funnel.Shop, e funnel.Event) collector.Event {
	pseudonym := func(kind consentgate.Kind, id string) uint64 { return uint64(r.keys.Pseudonym(shop.ID, kind, id)) }
	out := collector.Event{
		Shop: shop.ID, ID: r.keys.EventID(eventIDs, e.ID), Name: e.Name, Time: e.Time.UnixMilli(), Received: e.Time.UnixMilli(),
		Visitor: pseudonym(consentgate.KindVisitor, e.Visitor), Session: pseudonym(consentgate.KindSession, e.Session),
		Cart: pseudonym(consentgate.KindCart, e.Cart), Order: pseudonym(consentgate.KindOrder, e.Order),
		Customer: pseudonym(consentgate.KindCustomer, e.Customer), Wire: "tag", CartEvent: isCartEvent(shop, e.Name),
		Page: e.Page, Language: e.Language, Referrer: e.Referrer, Source: e.Source, Medium: e.Medium, Campaign: e.Campaign,
		Channel: e.Channel, Device: e.Device, Currency: e.Currency, Value: e.Value, Shipping: e.Shipping, Tax: e.Tax, Fees: e.Fees,
		Discount: e.Discount, Coupon: e.Coupon, PaymentType: e.PaymentType, ShippingTier: e.Tier, ErrorKind: e.ErrorKind,
	}
	if out.Currency == "" {
		out.Currency = shop.Currency
	}
	for _, item := range e.Items {
		out.Items = append(out.Items, collector.Item{ID: item.ID, Name: item.Name, Price: item.Price, Quantity: item.Quantity})
	}
	out.Excluded = e.Customer != "" && slices.Contains(shop.Exclude.Customers, e.Customer) ||
		e.Coupon != "" && slices.ContainsFunc(shop.Exclude.Coupons, func(c string) bool { return strings.EqualFold(c, e.Coupon) })
	return out
}

func isCartEvent(shop funnel.Shop, name string) bool {
	return slices.Contains(shop.Steps, name) || slices.Contains([]string{"add_to_cart", "remove_from_cart", "view_cart", "begin_checkout",
		"add_contact_info", "add_shipping_info", "add_payment_info", "checkout_error", "purchase"}, name)
}

func TestScenariosOnClickHouse(t *testing.T) {
	funneltest.RunAll(t, os.DirFS("testdata"), newWarehouseRunner(t, 101))
}

var differential = flag.Duration("differential", 20*time.Second, "how long to compare ClickHouse with the reference engine on generated shops")

// On any shop, ClickHouse answers what the reference engine answers. The engine is asked as many shops as the time allows.
func TestClickHouseAgreesWithTheReferenceEngine(t *testing.T) {
	r := newWarehouseRunner(t, 12)
	deadline := time.Now().Add(*differential)
	shops, differs := 0, false
	rapid.Check(t, func(t *rapid.T) {
		if !differs && time.Now().After(deadline) {
			return
		}
		shops++
		d := funneltest.DrawShop(t)
		shop := r.open(d.Shop)
		keyed := slices.Clone(d.Events)
		for i := range keyed {
			keyed[i].Key = r.EventKey(shop.ID, keyed[i].ID)
		}
		var events []collector.Event
		for _, e := range d.Events {
			events = append(events, r.stored(shop, e))
		}
		if err := r.insert(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			q := funneltest.DrawQuestion(t, d)
			got, err := funneltest.Ask(t.Context(), r.reports, shop, q)
			if err != nil {
				t.Fatal(err)
			}
			want, err := funneltest.Ask(t.Context(), funnel.NewReference(keyed, nil), d.Shop, q)
			if err != nil {
				t.Fatal(err)
			}
			if err := funneltest.Equal(got, want); err != nil {
				differs = true // what follows is shrinking: see it to its end
				t.Fatalf("%s %+v: %v", q.Report, q.Query, err)
			}
		}
	})
	t.Logf("%d shops compared", shops)
}
