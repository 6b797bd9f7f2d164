package promexport_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/funnel/promexport"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
	"github.com/kassa-analytics/kassa/internal/warehouse"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// failing is the real reports, with /customers failing on demand.
type failing struct {
	*funnel.Warehouse
	customers error
}

func (f *failing) Customers(ctx context.Context, shop funnel.Shop, q funnel.Query) (funnel.Customers, error) {
	if f.customers != nil {
		return funnel.Customers{}, f.customers
	}
	return f.Warehouse.Customers(ctx, shop, q)
}

func scrape(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&out, f); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestExporter(t *testing.T) {
	w, err := warehouse.Open(t.Context(), warehouse.Config{Options: chdbtest.Options(t), Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for _, sql := range []string{
		`INSERT INTO order_facts (shop, order_ref, visitor, time, currency, value, refunded, session, channel, version) VALUES
			('demo', 1, 1, '2026-01-15 09:00:00', 'EUR', 24.5, 4.5, 7, 'Email', 1), ('demo', 2, 2, '2026-01-12 09:00:00', 'EUR', 10, 0, 8, 'Direct', 1)`,
		`INSERT INTO cart_facts (shop, cart, visitor, first_event, last_activity, step_names, step_first, currency, value, version) VALUES
			('demo', 2, 2, '2026-01-15 09:00:00', '2026-01-15 09:01:00', ['add_to_cart','begin_checkout'], ['2026-01-15 09:00:00','2026-01-15 09:01:00'], 'EUR', 60, 1)`,
		`INSERT INTO session_facts (shop, visitor, session, start, channel, version) VALUES ('demo', 1, 7, '2026-01-15 08:59:00', 'Email', 1)`,
	} {
		if err := w.Conn().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	reports, err := funnel.NewWarehouse(w.Conn())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	source := &failing{Warehouse: reports}
	exporter := promexport.New(promexport.Config{
		Source: source, Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler),
		Shops: func() []funnel.Shop {
			return []funnel.Shop{{ID: "demo", Currency: "EUR", Timezone: time.UTC, AbandonAfter: time.Hour, Steps: funnel.DefaultSteps()}}
		},
	})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(exporter)
	if text := scrape(t, registry); strings.Contains(text, "webshop_") {
		t.Errorf("figures before the first refresh:\n%s", text)
	}
	if err := exporter.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, registry)
	for _, want := range []string{
		`webshop_customers{shop="demo",window="1d"} 1`, `webshop_customers{shop="demo",window="7d"} 2`,
		`webshop_new_customers{channel="Email",shop="demo",window="1d"} 1`, `webshop_returning_customers{shop="demo",window="1d"} 0`,
		`webshop_orders{shop="demo",window="30d"} 2`, `webshop_revenue{currency="EUR",shop="demo",window="1d"} 20`,
		`webshop_sessions{channel="Email",shop="demo",window="1d"} 1`, `webshop_checkout_carts{shop="demo",step="begin_checkout",window="1d"} 1`,
		`webshop_checkout_abandoned_carts{shop="demo",step="begin_checkout",window="1d"} 1`, `webshop_checkout_abandonment_ratio{shop="demo",window="1d"} 1`,
		`webshop_abandoned_value{currency="EUR",shop="demo",window="1d"} 60`, `webshop_recovered_carts{shop="demo",window="1d"} 0`,
		`webshop_report_age_seconds{shop="demo"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "webshop_consent_coverage_ratio") {
		t.Error("a coverage ratio without an order book")
	}
	promtool(t, text)

	// A failing report hides no other; its figures vanish when they have grown too old.
	source.customers = errors.New("broken")
	now = now.Add(time.Minute)
	if err := exporter.Refresh(t.Context()); err == nil {
		t.Error("the failure was not told")
	}
	text = scrape(t, registry)
	if !strings.Contains(text, `webshop_customers{shop="demo",window="1d"} 1`) || !strings.Contains(text, `webshop_report_age_seconds{shop="demo"} 60`) {
		t.Errorf("after one failure:\n%s", text)
	}
	now = now.Add(2 * time.Minute)
	_ = exporter.Refresh(t.Context())
	text = scrape(t, registry)
	if strings.Contains(text, "webshop_customers{") || !strings.Contains(text, `webshop_checkout_carts{`) {
		t.Errorf("after long failure:\n%s", text)
	}
	if !strings.Contains(text, `kassa_metrics_refresh_failures_total{report="customers",shop="demo"} 6`) {
		t.Errorf("failures are not counted:\n%s", text)
	}
}

// promtool lets Prometheus' own linter judge the metrics.
func promtool(t *testing.T, text string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is not installed: run `make test-tools`")
	}
	cmd := exec.CommandContext(t.Context(), path, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
