package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
)

// kassaNames are the service's own metrics that the API description promises.
var kassaNames = []string{
	"kassa_ingest_events_total", "kassa_ingest_rejections_total", "kassa_consent_decisions_total", "kassa_spool_pending_events", "kassa_spool_bytes",
	"kassa_warehouse_up", "kassa_warehouse_insert_seconds_count", "kassa_http_request_seconds_bucket", "kassa_events_accepted_total", "kassa_events_stored_total",
	"kassa_events_late_duplicate_total", "kassa_events_dead_lettered_total", "kassa_events_suppressed_total", "go_goroutines", "process_resident_memory_bytes",
}

// history is a shop's past by an import: it lies in some windows and not in others, and away from their edges.
const history = `id,time,visitor,customer,session,cart,name,value,order
h1,%[1]s,anna,c-anna,s1,k1,add_to_cart,30.00,
h2,%[1]s,anna,c-anna,s1,k1,purchase,30.00,o1
h3,%[2]s,anna,c-anna,s2,k2,add_to_cart,12.50,
h4,%[2]s,anna,c-anna,s2,k2,purchase,12.50,o2
h5,%[2]s,bert,,s3,k3,add_to_cart,7.25,
h6,%[2]s,bert,,s3,k3,begin_checkout,7.25,
h7,%[1]s,cora,,s4,k4,add_to_cart,99.99,
`

const historyMap = `legal_basis: "synthetic data of a test"
id: id
time: {column: time, timezone: UTC}
visitor: visitor
customer: customer
session: session
cart: cart
order: order
value: value
currency: {const: EUR}
page: {const: /shop}
events:
  - {name: add_to_cart,    when: 'name == "add_to_cart"'}
  - {name: begin_checkout, when: 'name == "begin_checkout"'}
  - {name: purchase,       when: 'name == "purchase"'}
`

// A real Prometheus scrapes /metrics, with a token; what it answers is what the reports say.
func TestPrometheus(t *testing.T) {
	token, hash := auth.Fresh()
	k := serve(t, options{idle: idle, tokens: fmt.Sprintf("  - {name: prometheus, role: metrics, sha256: %q}\n", hash)})
	must(t, http.MethodGet, k.private+"/metrics", nil).is(t, 401, "invalid-token", "")
	must(t, http.MethodGet, k.private+"/metrics", nil, bearer("kassa_nobody")).is(t, 401, "invalid-token", "")
	must(t, http.MethodGet, k.private+"/metrics", nil, bearer(k.owner)).is(t, 403, "forbidden", "")
	must(t, http.MethodGet, k.private+"/api/v1/shops/demo/checkout", nil, bearer(token)).is(t, 403, "forbidden", "")
	prometheus := startPrometheus(t, strings.TrimPrefix(k.private, "http://"), token)

	now := time.Now().UTC()
	write(t, filepath.Join(k.dir, "history.csv"), fmt.Sprintf(history, now.AddDate(0, 0, -20).Format(time.RFC3339), now.AddDate(0, 0, -4).Format(time.RFC3339)))
	write(t, filepath.Join(k.dir, "map.yaml"), historyMap)
	c := exec.CommandContext(t.Context(), programs.kassa, "import", "csv", "--config", k.file, "--shop", "demo", "--map", "map.yaml", "history.csv")
	c.Dir = k.dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("importing: %v\n%s", err, out)
	}
	s := shop(t, k, 4)
	time.Sleep(500 * time.Millisecond)
	s.finish()
	v := fresh("visitor") // comes back to a cart that was given up
	k.events(batch(v, k.grant(v), object{"id": "r1", "name": "add_to_cart", "time": ago(50), "cart": "r", "value": "5.00"},
		object{"id": "r2", "name": "purchase", "time": ago(20), "cart": "r", "value": "5.00", "order": "r"})).is(t, 202, "", "")
	k.consent(decision(fresh("refuses"), false, false)).is(t, 200, "", "")

	for window, days := range map[string]int{"1d": 1, "7d": 6, "30d": 29} {
		eventually(t, 20*time.Second, "Prometheus to show what the reports show over "+window, func() string { return differs(k, prometheus, window, days) })
	}
	t.Run("the history lies in the long windows alone", func(t *testing.T) {
		between := func(name, long, short string) string {
			return fmt.Sprintf(`sum(%[1]s{shop="demo",window=%[2]q}) - sum(%[1]s{shop="demo",window=%[3]q})`, name, long, short)
		}
		for query, want := range map[string]float64{
			between("webshop_orders", "7d", "1d"):              1,
			between("webshop_orders", "30d", "7d"):             1,
			between("webshop_returning_customers", "7d", "1d"): 1,
			between("webshop_abandoned_value", "30d", "7d"):    99.99,
			between("webshop_abandoned_value", "7d", "1d"):     7.25,
			between("webshop_sessions", "30d", "7d"):           2,
			`webshop_recovered_carts{shop="demo",window="1d"}`: 1,
			`kassa_events_accepted_total - kassa_events_stored_total - kassa_events_late_duplicate_total - kassa_events_dead_lettered_total - kassa_events_suppressed_total - kassa_spool_pending_events`: 0,
			`up`: 1, `kassa_warehouse_up`: 1, `count(webshop_report_age_seconds{shop="demo"} < 30)`: 1,
			`count(webshop_consent_coverage_ratio) or vector(0)`: 0, // no order book, no ratio
		} {
			got, err := instant(prometheus, query)
			if d := got - want; err != nil || d > 1e-6 || d < -1e-6 {
				t.Errorf("%s = %v, %v; want %v", query, got, err, want)
			}
		}
	})

	start := time.Now()
	m, text := k.scrape(bearer(token))
	took, ofShop := time.Since(start), 0
	names := m.names()
	for series := range m {
		if strings.Contains(series, `shop="demo"`) {
			ofShop++
		}
	}
	if t.Logf("a scrape took %v and has %d series, %d of them the shop's", took.Round(time.Millisecond), len(m), ofShop); ofShop > 1500 {
		t.Errorf("%d series of one shop", ofShop)
	}
	for _, name := range kassaNames {
		if !names[name] {
			t.Errorf("/metrics lacks %s", name)
		}
	}
	for series := range m {
		if strings.HasPrefix(series, "webshop_") && strings.ContainsAny(strings.SplitN(series, "{", 2)[1], "/@") {
			t.Errorf("a label that names a page or an address: %s", series)
		}
	}
	check := exec.CommandContext(t.Context(), tool(t, "promtool"), "check", "metrics")
	check.Stdin = strings.NewReader(text)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	k.stop()
}

func ago(seconds int) int64 { return time.Now().Add(-time.Duration(seconds) * time.Second).UnixMilli() }

// differs asks Prometheus for every webshop_ name over a window and compares with the reports over the days that hold the same.
func differs(k *kassa, prometheus, window string, days int) string {
	var c checkout
	var who struct {
		customers
		Initiatives []struct {
			Channel      string
			NewCustomers int `json:"new_customers"`
		}
		Coverage struct {
			ConsentedSessions int `json:"consented_sessions"`
		}
	}
	if err := k.report("/checkout?"+span(days), &c); err != nil {
		return err.Error()
	}
	if err := k.report("/customers?"+span(days), &who); err != nil {
		return err.Error()
	}
	amount := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v }
	at := `shop="demo",window="` + window + `"`
	want := map[string]float64{
		"webshop_customers{" + at + "}":                      float64(who.Customers),
		"webshop_returning_customers{" + at + "}":            float64(who.Returning),
		"sum(webshop_new_customers{" + at + "})":             float64(who.New),
		"webshop_orders{" + at + "}":                         float64(who.Orders),
		"webshop_revenue{" + at + `,currency="EUR"}`:         amount(who.Revenue["EUR"]),
		"sum(webshop_sessions{" + at + "})":                  float64(who.Coverage.ConsentedSessions),
		"webshop_abandoned_value{" + at + `,currency="EUR"}`: amount(c.Totals.AbandonedValue["EUR"]),
		"webshop_recovered_carts{" + at + "}":                float64(c.Totals.Recovered),
		"sum(webshop_checkout_abandoned_carts{" + at + "})":  float64(c.Totals.Abandoned),
		"count(webshop_checkout_carts{" + at + "})":          float64(len(c.Steps)),
	}
	if c.Totals.AbandonmentRate == nil || c.Totals.Abandoned == 0 || who.New == 0 || who.Coverage.ConsentedSessions == 0 {
		return "the reports are empty"
	}
	want["webshop_checkout_abandonment_ratio{"+at+"}"] = *c.Totals.AbandonmentRate
	for _, s := range c.Steps {
		want["webshop_checkout_carts{"+at+`,step="`+s.Step+`"}`] = float64(s.Carts)
		want["webshop_checkout_abandoned_carts{"+at+`,step="`+s.Step+`"}`] = float64(s.Abandoned)
	}
	channels := map[string]int{}
	for _, i := range who.Initiatives {
		channels[i.Channel] += i.NewCustomers
	}
	for channel, n := range channels {
		want["webshop_new_customers{"+at+`,channel="`+channel+`"}`] = float64(n)
	}
	for query, v := range want {
		got, err := instant(prometheus, query)
		if err != nil {
			return err.Error()
		}
		if d := got - v; d > 1e-6 || d < -1e-6 {
			return fmt.Sprintf("%s = %v, the report says %v", query, got, v)
		}
	}
	return ""
}

// instant answers a PromQL query whose result is one number.
func instant(base, query string) (float64, error) {
	a, err := request(http.MethodGet, base+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return 0, err
	}
	var r struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || len(r.Data.Result) != 1 {
		return 0, fmt.Errorf("%s: %d results, %s", query, len(r.Data.Result), a.body)
	}
	text, _ := r.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// startPrometheus starts the real one; it scrapes target every half second.
func startPrometheus(t *testing.T, target, token string) string {
	t.Helper()
	dir := directory(t)
	write(t, filepath.Join(dir, "prometheus.yml"), `global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
  - job_name: kassa
    authorization: {credentials: `+token+`}
    static_configs: [{targets: ["`+target+`"]}]
`)
	l, err := net.Listen("tcp", "127.0.0.1:0") // the port is free a moment later
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := launch(t, dir, nil, tool(t, "prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+address, "--log.level=warn")
	base := "http://" + address
	eventually(t, 30*time.Second, "Prometheus to be ready", func() string {
		select {
		case <-p.done:
			t.Fatalf("Prometheus has ended:\n%s", p.log.tail(2000))
		default:
		}
		a, err := request(http.MethodGet, base+"/-/ready", nil)
		if err != nil {
			return err.Error()
		}
		return notStatus(a, 200)
	})
	return base
}

// tool finds a program that make test installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if _, e := os.Stat("/etc/debian_version"); e == nil {
			t.Fatalf("%s is missing: run .ci/test-tools, or apt-get install prometheus", name)
		}
		t.Skipf("%s is missing", name)
	}
	return path
}
