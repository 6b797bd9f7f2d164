// Package endtoend runs every scenario through the whole product: consent and events come in over HTTP, go through gate, collector, spool
// and delivery into the engine, and the answers come out over HTTP. Only the clock is set by hand.
package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/funnel/funneltest"
	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/chdb"
	"github.com/kassa-analytics/kassa/internal/chdb/chdbtest"
	"github.com/kassa-analytics/kassa/internal/config"
)

func TestScenariosEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	funneltest.RunAll(t, os.DirFS("../testdata"), &product{dir: t.TempDir()})
}

// product is one running Kassa; each scenario is a shop of its own in it.
type product struct {
	dir             string
	now             atomic.Int64 // Unix ms
	pending         int64        // the earliest time of what may not be delivered yet
	app             *app.App
	public, private string
	shops           []shop
}

type shop struct {
	funnel.Shop
	owner    string            // token
	receipts map[string]string // by visitor; none: nothing granted
}

// EventKey implements funneltest.Keyed.
func (p *product) EventKey(shop, id string) string {
	hash := p.app.Keys.EventID(shop, id)
	return string(hash[:])
}

// Run implements funneltest.Runner.
func (p *product) Run(ctx context.Context, scenarios []*funneltest.Scenario) (answers [][]funneltest.Answer, err error) {
	ctx, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	if err := p.open(ctx, scenarios); err != nil {
		stop()
		return nil, err
	}
	defer func() {
		stop()
		err = firstOf(err, <-stopped, p.app.Close())
	}()
	if err := p.serve(ctx, stopped); err != nil {
		return nil, err
	}
	answers = make([][]funneltest.Answer, len(scenarios))
	for n, more := 0, true; more; n++ {
		more = false
		for i, s := range scenarios {
			if n >= len(s.Questions) {
				continue
			}
			more = true
			for _, group := range groups(earliestFirst(s.Phase(n))) {
				if err := p.deliver(ctx, &p.shops[i], group); err != nil {
					return nil, fmt.Errorf("%s:%d: %w", s.File, group[0].Line, err)
				}
			}
		}
		if err := p.flush(ctx); err != nil {
			return nil, err
		}
		for i, s := range scenarios {
			if n >= len(s.Questions) {
				continue
			}
			a, err := p.ask(ctx, p.shops[i], s.Questions[n])
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", s.File, s.Questions[n].Line, err)
			}
			answers[i] = append(answers[i], a)
		}
	}
	return answers, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// open writes a configuration with a shop for each scenario and opens the product on it.
func (p *product) open(ctx context.Context, scenarios []*funneltest.Scenario) error {
	var shops, tokens []string
	list := func(names []string) string { b, _ := json.Marshal(append([]string{}, names...)); return string(b) }
	for i, s := range scenarios {
		one := shop{Shop: s.Shop, receipts: map[string]string{}}
		one.ID = fmt.Sprintf("shop-%d", i)
		token, hash := auth.Fresh()
		one.owner = token
		p.shops = append(p.shops, one)
		shops = append(shops, fmt.Sprintf("{id: %s, name: Scenario, origins: [%q], currency: %s, prices_include_tax: %t, timezone: %s, abandon_after: %s, superseded_within: %s, steps: %s, exclude: {customers: %s, coupons: %s}}",
			one.ID, origin, one.Currency, one.PricesIncludeTax, one.Timezone, one.AbandonAfter, one.SupersededWithin, list(one.Steps),
			list(one.Exclude.Customers), list(one.Exclude.Coupons)))
		tokens = append(tokens, fmt.Sprintf("{name: owner-%d, shop: %s, role: owner, sha256: %q}", i, one.ID, hash))
	}
	yaml := "data_dir: ./data\nlisten: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\n" +
		"rate_limit: {requests_per_second: 100000, burst: 100000}\n" +
		"retention: {events: 0, sessions: 0, carts: 0, orders: 0, contacts: 0, consents: 0}\n" +
		"shops:\n  - " + strings.Join(shops, "\n  - ") + "\ntokens:\n  - " + strings.Join(tokens, "\n  - ") + "\n"
	file := filepath.Join(p.dir, "kassa.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return err
	}
	cfg, err := config.Load(config.Source{File: file})
	if err != nil {
		return err
	}
	library, err := chdbtest.Library()
	if err != nil {
		return err
	}
	p.now.Store(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	p.app, err = app.Open(ctx, app.Options{Config: cfg, Environ: append(os.Environ(), chdb.LibraryVariable+"="+library), Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Clock: func() time.Time { return time.UnixMilli(p.now.Load()).UTC() }})
	return err
}

// serve opens the listeners; stopped is told when they are closed.
func (p *product) serve(ctx context.Context, stopped chan<- error) error {
	ready := make(chan app.Addresses, 1)
	go func() { stopped <- p.app.Serve(ctx, func(at app.Addresses) { ready <- at }) }()
	select {
	case at := <-ready:
		p.public, p.private = "http://"+at.Public, "http://"+at.Private
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("the product is not ready after a minute")
	}
}

const origin = "https://shop.example"

// groups cuts happenings, in their order of arrival, into what goes into one request: a change of consent, or the events of one visitor,
// session and device that lie within two days, all stored or none.
func groups(happenings []funneltest.Happening) [][]funneltest.Happening {
	var out [][]funneltest.Happening
	for _, h := range happenings {
		if last := len(out) - 1; last >= 0 && together(out[last], h) {
			out[last] = append(out[last], h)
		} else {
			out = append(out, []funneltest.Happening{h})
		}
	}
	return out
}

// earliestFirst puts the copies of one event in the order of their times, at the places where copies arrive. A collector that has just
// taken an event answers a further copy as a duplicate without comparing times, so that here, unlike in the warehouse, the first to
// arrive is the one that counts.
func earliestFirst(happenings []funneltest.Happening) []funneltest.Happening {
	out := slices.Clone(happenings)
	places := map[string][]int{}
	for i, h := range out {
		if h.Event != nil {
			places[h.Event.ID] = append(places[h.Event.ID], i)
		}
	}
	for _, at := range places {
		copies := make([]funneltest.Happening, len(at))
		for n, i := range at {
			copies[n] = out[i]
		}
		slices.SortStableFunc(copies, func(a, b funneltest.Happening) int { return a.Time.Compare(b.Time) })
		for n, i := range at {
			out[i] = copies[n]
		}
	}
	return out
}

func together(group []funneltest.Happening, h funneltest.Happening) bool {
	if h.Event == nil || group[0].Event == nil {
		return false
	}
	for _, g := range group {
		if g.Visitor != h.Visitor || g.Stored != h.Stored || g.Event.Session != h.Event.Session || g.Event.Device != h.Event.Device ||
			g.Time.Sub(h.Time).Abs() > 48*time.Hour {
			return false
		}
	}
	return true
}

func (p *product) deliver(ctx context.Context, s *shop, group []funneltest.Happening) error {
	if c := group[0].Consent; c != nil {
		return p.decide(ctx, s, group[0], *c)
	}
	latest := group[0].Time
	body := map[string]any{"shop": s.ID, "visitor": browserID(group[0].Visitor), "receipt": s.receipts[group[0].Visitor], "session": group[0].Event.Session}
	var events []map[string]any
	for _, h := range group {
		events = append(events, wire(s.Shop, *h.Event))
		if h.Time.After(latest) {
			latest = h.Time
		}
	}
	body["events"] = events
	body["sent_at"] = latest.Add(time.Second).UnixMilli()
	if err := p.turnTo(ctx, latest.Add(time.Second)); err != nil {
		return err
	}
	var answer struct {
		Rejected []map[string]any `json:"rejected"`
		Type     string           `json:"type"`
	}
	status, err := p.post(ctx, "/v1/events", group[0].Event.Device, body, &answer)
	switch {
	case err != nil:
		return err
	case group[0].Stored && (status != http.StatusAccepted || len(answer.Rejected) > 0):
		return fmt.Errorf("events are answered with %d %s %v", status, answer.Type, answer.Rejected)
	case !group[0].Stored && status != http.StatusForbidden:
		return fmt.Errorf("events without consent are answered with %d, want 403", status)
	}
	return nil
}

// turnTo sets the clock. Scenarios lie years apart: what is still on its way when a consent's life passes in a moment would be turned away,
// its consent too old to be checked.
func (p *product) turnTo(ctx context.Context, t time.Time) error {
	if ms := t.UnixMilli(); p.pending == 0 || ms < p.pending {
		p.pending = ms
	} else if ms-p.pending > (90 * 24 * time.Hour).Milliseconds() {
		if err := p.flush(ctx); err != nil {
			return err
		}
		p.pending = ms
	}
	p.now.Store(t.UnixMilli())
	return nil
}

// flush waits until all that was accepted is in the warehouse; nothing may have been turned away on the way there.
func (p *product) flush(ctx context.Context) error {
	if err := p.app.Delivery.Flush(ctx); err != nil {
		return fmt.Errorf("waiting for the delivery: %w", err)
	}
	if c := p.app.Delivery.Counters(); c.Pending != 0 || c.DeadLettered != 0 || c.Suppressed != 0 {
		return fmt.Errorf("not everything is in the warehouse: %+v", c)
	}
	return nil
}

func (p *product) decide(ctx context.Context, s *shop, h funneltest.Happening, c funneltest.Consent) error {
	if err := p.turnTo(ctx, h.Time); err != nil {
		return err
	}
	if c.Withdraw {
		// What is still on its way to the warehouse when a visitor withdraws is not stored any more. A scenario speaks of what arrived.
		if err := p.flush(ctx); err != nil {
			return err
		}
		receipt := s.receipts[h.Visitor]
		if status, err := p.post(ctx, "/v1/consent/withdraw", "", map[string]any{"receipt": receipt}, nil); err != nil || status != http.StatusNoContent {
			return fmt.Errorf("withdrawing is answered with %d: %w", status, err)
		}
		return nil // the browser keeps sending under the receipt: it must not count any more
	}
	purposes := map[string]bool{}
	for _, purpose := range funneltest.Purposes() {
		purposes[purpose] = false
	}
	for _, purpose := range c.Granted {
		purposes[purpose] = true
	}
	var answer struct {
		Receipt string `json:"receipt"`
	}
	status, err := p.post(ctx, "/v1/consent", "", map[string]any{
		"shop": s.ID, "visitor": browserID(h.Visitor), "purposes": purposes, "source": "banner",
		"notice": map[string]string{"version": "2026-01", "language": "nl"},
	}, &answer)
	if err != nil || status/100 != 2 {
		return fmt.Errorf("a consent is answered with %d: %w", status, err)
	}
	s.receipts[h.Visitor] = answer.Receipt
	return nil
}

// browserID is a visitor id as browsers make them, 16 characters or more.
func browserID(visitor string) string { return visitor + "-0123456789abcdef" }

// wire is the event as the tag sends it.
func wire(s funnel.Shop, e funnel.Event) map[string]any {
	currency := e.Currency
	if currency == "" {
		currency = s.Currency
	}
	out := map[string]any{"id": e.ID, "name": e.Name, "time": e.Time.UnixMilli()}
	for key, text := range map[string]string{
		"page": e.Page, "language": e.Language, "cart": e.Cart, "order": e.Order, "customer": e.Customer, "currency": e.Currency, "coupon": e.Coupon,
		"payment_type": e.PaymentType, "shipping_tier": e.Tier,
	} {
		if text != "" {
			out[key] = text
		}
	}
	switch {
	case e.Referrer != "":
		out["referrer"] = "https://" + e.Referrer + "/"
	case e.Source != "":
		out["campaign"] = map[string]string{"source": e.Source, "medium": e.Medium, "name": e.Campaign}
	}
	if e.Value != nil {
		out["value"] = e.Value.In(currency)
	}
	if e.Shipping != nil {
		out["shipping"] = e.Shipping.In(currency)
	}
	var items []map[string]any
	for _, item := range e.Items {
		line := map[string]any{"id": item.ID, "name": item.Name}
		if item.Quantity != 0 {
			line["quantity"] = item.Quantity
		}
		if item.Price != nil {
			line["price"] = item.Price.In(currency)
		}
		items = append(items, line)
	}
	if items != nil {
		out["items"] = items
	}
	return out
}

// agents are browsers of each device.
var agents = map[string]string{
	"":        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	"desktop": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	"mobile":  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
}

func (p *product) post(ctx context.Context, path, device string, body, answer any) (status int, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.public+path, strings.NewReader(string(b)))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Origin", origin)
	r.Header.Set("User-Agent", agents[device])
	return send(r, answer)
}

func send(r *http.Request, answer any) (status int, err error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || answer == nil || len(b) == 0 {
		return res.StatusCode, err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return res.StatusCode, fmt.Errorf("%s answers %d %.200s: %w", r.URL.Path, res.StatusCode, b, err)
	}
	return res.StatusCode, nil
}

// ask reads a report over HTTP. A rolling window is the metrics' own question, which no path answers: it goes to the reports themselves.
func (p *product) ask(ctx context.Context, s shop, q funneltest.Question) (funneltest.Answer, error) {
	p.now.Store(q.Query.Now.UnixMilli())
	if q.Query.Rolling > 0 {
		return funneltest.Ask(ctx, p.app.Reports, s.Shop, q)
	}
	values := url.Values{"from": {q.Query.Period.From.String()}, "to": {q.Query.Period.To.String()}}
	if q.Query.By != "" {
		values.Set("by", q.Query.By)
	}
	if q.Query.Interval != "" {
		values.Set("interval", string(q.Query.Interval))
	}
	if q.Query.Compare {
		values.Set("compare", "previous")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.private+"/api/v1/shops/"+s.ID+"/"+q.Report+"?"+values.Encode(), nil)
	if err != nil {
		return funneltest.Answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+s.owner)
	var raw json.RawMessage
	status, err := send(r, &raw)
	if err != nil {
		return funneltest.Answer{}, err
	}
	if status == http.StatusBadRequest {
		return refusal(raw)
	}
	if status != http.StatusOK {
		return funneltest.Answer{}, fmt.Errorf("%s is answered with %d %.300s", q.Report, status, raw)
	}
	return report(q.Report, raw)
}

func refusal(raw []byte) (funneltest.Answer, error) {
	var problem struct {
		Type   string `json:"type"`
		Detail string `json:"detail"`
		Errors []struct{ Pointer string }
	}
	if err := json.Unmarshal(raw, &problem); err != nil || len(problem.Errors) == 0 {
		return funneltest.Answer{}, fmt.Errorf("a refusal names no parameter: %s: %w", raw, err)
	}
	return funneltest.Answer{Refused: &funnel.InvalidParameterError{
		Parameter: strings.TrimPrefix(problem.Errors[0].Pointer, "/"), Detail: problem.Detail,
	}}, nil
}

func report(name string, raw []byte) (a funneltest.Answer, err error) {
	switch name {
	case "checkout":
		a.Checkout = new(funnel.Checkout)
		err = json.Unmarshal(raw, a.Checkout)
	case "customers":
		a.Customers = new(funnel.Customers)
		err = json.Unmarshal(raw, a.Customers)
	case "coverage":
		a.Coverage = new(funnel.CoverageReport)
		err = json.Unmarshal(raw, a.Coverage)
	}
	if err != nil {
		return a, fmt.Errorf("reading the %s report: %w", name, err)
	}
	return a, nil
}
