package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/funnel/httpapi"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/kassa-analytics/kassa/internal/warehouse"
	"github.com/labstack/echo/v4"
)

// serve starts the reports over a fresh warehouse that holds the facts of a small shop: it is 15 January 2026, noon.
func serve(t *testing.T, facts ...string) string {
	t.Helper()
	w, err := warehouse.Open(t.Context(), warehouse.Config{Options: chdbtest.Options(t), Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	for _, sql := range facts {
		if err := w.Conn().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	reports, err := funnel.NewWarehouse(w.Conn())
	if err != nil {
		t.Fatal(err)
	}
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	shop := funnel.Shop{ID: "demo", Currency: "EUR", Timezone: brussels, AbandonAfter: time.Hour, SupersededWithin: 7 * 24 * time.Hour, Steps: funnel.DefaultSteps()}
	e := echo.New()
	e.HTTPErrorHandler = problem.ErrorHandler(func(_ echo.Context, err error) { t.Errorf("reported: %v", err) })
	httpapi.Register(e, httpapi.Config{
		Reports: reports,
		Shop: func(id string) (funnel.Shop, bool) {
			s := shop
			s.ID = id
			return s, id == "demo" || id == "empty"
		},
		Authorize: func(r *http.Request, shop string) error {
			if r.Header.Get("Authorization") != "Bearer owner" {
				return problem.New(http.StatusUnauthorized, "invalid-token", "This needs a token.")
			}
			return nil
		},
		Now: func() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, brussels) },
	})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server.URL + "/api/v1/shops/"
}

func get(t *testing.T, url, token string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header
}

const smallShop = `INSERT INTO cart_facts (shop, cart, visitor, customer, first_event, last_activity, purchased_at, max_gap_ms, step_names, step_first, currency, value, device, channel, excluded, version) VALUES
('demo', 1, 1, 0, '2026-01-05 09:00:00', '2026-01-05 09:09:00', '2026-01-05 09:09:00', 420000, ['add_to_cart','begin_checkout','purchase'], ['2026-01-05 09:00:00','2026-01-05 09:02:00','2026-01-05 09:09:00'], 'EUR', 24.5, 'mobile', 'Email', 0, 1),
('demo', 2, 2, 0, '2026-01-05 09:00:00', '2026-01-05 09:01:00', NULL, 60000, ['add_to_cart','begin_checkout'], ['2026-01-05 09:00:00','2026-01-05 09:01:00'], 'EUR', 60, 'desktop', '', 0, 1),
('demo', 3, 1, 0, '2026-01-05 08:00:00', '2026-01-05 08:00:00', NULL, 0, ['add_to_cart'], ['2026-01-05 08:00:00'], 'EUR', 10, 'mobile', 'Email', 0, 1),
('demo', 4, 9, 0, '2026-01-05 08:00:00', '2026-01-05 08:00:00', NULL, 0, ['add_to_cart'], ['2026-01-05 08:00:00'], 'EUR', 10, 'mobile', 'Email', 1, 1)`

const smallOrders = `INSERT INTO order_facts (shop, order_ref, visitor, customer, cart, time, currency, value, refunded, session, channel, source, medium, campaign, version) VALUES
('demo', 1, 1, 0, 1, '2026-01-05 09:09:00', 'EUR', 24.5, 4.5, 7, 'Email', 'newsletter', 'email', 'january', 1),
('demo', 2, 1, 0, 5, '2026-01-07 09:09:00', 'USD', 10, 0, 8, 'Email', 'newsletter', 'email', 'january', 1),
('demo', 3, 5, 0, 6, '2025-12-01 09:00:00', 'EUR', 99, 0, 0, '', '', '', '', 1),
('demo', 4, 5, 0, 7, '2026-01-08 23:30:00', 'EUR', 100, 0, 0, '', '', '', '', 1)`

const smallConsents = `INSERT INTO consents (shop, visitor, record_id, action, granted, denied, given_at, recorded_at) VALUES
('demo', 1, 'a', 'grant', ['analytics'], ['marketing'], '2026-01-05 09:00:00', '2026-01-05 09:00:00')`

func TestCheckout(t *testing.T) {
	url := serve(t, smallShop)
	status, body, header := get(t, url+"demo/checkout?from=2026-01-01&to=2026-01-10&by=device&interval=week&compare=previous", "owner")
	if status != 200 || header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s", status, body)
	}
	var a funnel.Checkout
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if got := a.Totals; got.Carts != 3 || got.Purchased != 1 || got.Superseded != 1 || got.Abandoned != 1 || got.Excluded != 1 || *got.AbandonmentRate != 0.5 || got.AbandonedValue["EUR"] != 60_0000 {
		t.Errorf("totals %+v", got)
	}
	if s := a.Steps[1]; s.Step != "begin_checkout" || s.Carts != 2 || s.Abandoned != 1 || *s.AbandonmentRate != 0.5 || *s.MedianSecondsToNext != 420 {
		t.Errorf("begin_checkout %+v", s)
	}
	if s := a.Steps[2]; s.Skipped != 1 || s.Carts != 1 || s.MedianSecondsToNext != nil {
		t.Errorf("add_shipping_info %+v", s)
	}
	if len(a.Groups) != 2 || a.Groups[0].Key != "mobile" || a.Groups[0].Totals.Carts != 2 || a.Groups[1].Key != "desktop" {
		t.Errorf("groups %+v", a.Groups)
	}
	if len(a.Series) != 2 || a.Series[1].Start.String() != "2026-01-05" || a.Series[1].Totals.Carts != 3 || a.Series[0].Totals.Carts != 0 {
		t.Errorf("series %+v", a.Series)
	}
	if a.Previous == nil || a.Previous.Period.From.String() != "2025-12-22" || a.Previous.Totals.Carts != 0 || a.Previous.Totals.AbandonmentRate != nil {
		t.Errorf("previous %+v", a.Previous)
	}
}

func TestCustomers(t *testing.T) {
	url := serve(t, smallOrders, smallConsents)
	status, body, _ := get(t, url+"demo/customers?from=2026-01-01&to=2026-01-14&interval=day", "owner")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var a funnel.Customers
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if a.Customers != 2 || a.New != 1 || a.Returning != 1 || a.Orders != 3 || *a.RepeatRate != 1 || a.Revenue["EUR"] != 120_0000 || a.Revenue["USD"] != 10_0000 || *a.AverageOrderValue["EUR"] != 60_0000 {
		t.Errorf("%s", body)
	}
	if c := a.Concentration; c.CustomersForHalfOfRevenue != 1 || *c.LargestCustomerShare < 0.83 || *c.LargestCustomerShare > 0.84 {
		t.Errorf("concentration %+v", c)
	}
	// 23:30 UTC on the 8th is the 9th in Brussels.
	if p := a.Series[8]; p.Start.String() != "2026-01-09" || p.Orders != 1 || p.Returning != 1 {
		t.Errorf("series %+v", a.Series)
	}
	if len(a.Initiatives) != 1 || a.Initiatives[0].Campaign != "january" || a.Initiatives[0].NewCustomers != 1 || a.Initiatives[0].Revenue["EUR"] != 20_0000 {
		t.Errorf("initiatives %+v", a.Initiatives)
	}
	status, body, _ = get(t, url+"demo/coverage?from=2026-01-01&to=2026-01-14&interval=week", "owner")
	var c funnel.CoverageReport
	if err := json.Unmarshal([]byte(body), &c); err != nil || status != 200 {
		t.Fatalf("%d %v %s", status, err, body)
	}
	if c.Coverage.OrdersMeasured != 3 || len(c.Decisions) != 2 || c.Decisions[0] != (funnel.DecisionCount{Purpose: "analytics", Decision: "granted", Count: 1}) || c.Series[1].OrdersMeasured != 3 {
		t.Errorf("%s", body)
	}
}

// An empty shop's answer has the shape of a full one.
func TestEmptyShop(t *testing.T) {
	url := serve(t)
	for report, want := range map[string]string{
		"checkout":  `"totals":{"carts":0,"open":0,"purchased":0,"recovered":0,"abandoned":0,"emptied":0,"superseded":0,"abandonment_rate":null,"abandonment_rate_low":null,"abandonment_rate_high":null,"abandoned_value":{"EUR":"0.00"},"excluded":0},"groups":[],"series":[],"products":[]}`,
		"customers": `"customers":0,"new":0,"returning":0,"orders":0,"orders_per_customer":null,"repeat_rate":null,"revenue":{"EUR":"0.00"},"average_order_value":{"EUR":null}`,
		"coverage":  `"period":{"from":"2025-12-16","to":"2026-01-14","timezone":"Europe/Brussels"},"generated_at":"2026-01-15T11:00:00Z","coverage":{"consented_sessions":0,"unconsented_page_views":0,"orders_measured":0,"orders_total":null,"ratio":null}`,
	} {
		if status, body, _ := get(t, url+"empty/"+report, "owner"); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s\nwant %s", report, status, body, want)
		}
	}
}

func TestParameters(t *testing.T) {
	url := serve(t)
	for _, c := range []struct{ path, token, want string }{
		{"demo/checkout", "", "401 invalid-token"},
		{"elsewhere/checkout", "owner", "404 unknown-shop"},
		{"demo/checkout?by=colour", "owner", `400 invalid-parameter`},
		{"demo/checkout?interval=month", "owner", `400 invalid-parameter`},
		{"demo/checkout?form=json", "owner", `400 invalid-parameter`},
		{"demo/checkout?from=yesterday", "owner", `400 invalid-parameter`},
		{"demo/checkout?from=2026-01-10&to=2026-01-01", "owner", `400 invalid-parameter`},
		{"demo/checkout?to=2026-01-16", "owner", `400 invalid-parameter`},
		{"demo/checkout?from=1900-01-01", "owner", `400 invalid-parameter`},
		{"demo/checkout?by=device&by=channel", "owner", `400 invalid-parameter`},
		{"demo/checkout?compare=next", "owner", `400 invalid-parameter`},
		{"demo/customers?by=device", "owner", `400 invalid-parameter`},
		{"demo/customers?interval=", "owner", `400 invalid-parameter`},
		{"demo/customers?to=2026-01-15", "owner", "200 "},
		{"demo/nothing", "owner", "404 not-found"},
	} {
		status, body, header := get(t, url+c.path, c.token)
		var p problem.Details
		if status != 200 {
			if err := json.Unmarshal([]byte(body), &p); err != nil || header.Get("Content-Type") != problem.ContentType {
				t.Errorf("%s: %v %s", c.path, err, body)
			}
			if p.Type == "invalid-parameter" && (len(p.Errors) == 0 || p.Detail == "") {
				t.Errorf("%s does not name the parameter: %s", c.path, body)
			}
		}
		if got := fmt.Sprintf("%d %s", status, p.Type); got != c.want {
			t.Errorf("%s: %s, want %s: %s", c.path, got, c.want, body)
		}
	}
}

func TestCSV(t *testing.T) {
	url := serve(t, smallShop)
	status, body, header := get(t, url+"demo/checkout?from=2026-01-01&to=2026-01-10&format=csv", "owner")
	want := "group,step,carts,rate_from_first,rate_from_previous,skipped,abandoned,abandonment_rate,abandonment_rate_low,abandonment_rate_high,median_seconds_to_next\r\n,add_to_cart,3,1.000000,,0,0,0.000000,"
	if status != 200 || !strings.HasPrefix(body, want) || header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%d %v\n%s", status, header, body)
	}
}
