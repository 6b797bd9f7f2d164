package snippet

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/kassa-analytics/kassa/internal/browsertest"
	"github.com/kassa-analytics/kassa/internal/channel"
	"github.com/kassa-analytics/kassa/internal/problem"
)

var chromium *browsertest.Browser

func TestMain(m *testing.M) {
	os.Exit(browsertest.Run(m, func(b *browsertest.Browser) { chromium = b }))
}

const (
	loaded = `window.kassa && kassa.on`
	grant  = `kassa('consent', {analytics: true, marketing: false}, {notice: '2026-11', source: 'banner'})`
)

// open loads a page of the shop and waits for the tag.
func open(t *testing.T, tab *browsertest.Tab, address string) {
	t.Helper()
	tab.Do(t, chromedp.Navigate(address))
	tab.Wait(t, loaded)
}

func run(t *testing.T, tab *browsertest.Tab, script string) {
	t.Helper()
	browsertest.Eval[bool](t, tab, "(() => {"+script+"; return true})()")
}

// kept is everything the shop's origin holds in this browser.
func kept(t *testing.T, tab *browsertest.Tab) string {
	t.Helper()
	return browsertest.Eval[string](t, tab, `(async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, (await indexedDB.databases()).length, (await caches?.keys() || []).length]))()`)
}

const nothing = `[{},{},"",0,0]`

func TestNothingBeforeConsentThenOneBatchThenNothingAgain(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/p/glass?utm_source=news&utm_medium=email&mail=jan%40example.com#top")
	run(t, tab, `kassa('event', 'add_to_cart', {cart: 'before'}); kassa('customer', 'jan')`)
	if got := kept(t, tab); got != nothing {
		t.Errorf("kept before consent: %s", got)
	}
	for _, r := range tab.Requests() {
		if strings.HasPrefix(r, c.URL) && r != c.URL+"/kassa.js" {
			t.Errorf("asked before consent: %s", r)
		}
	}

	start := time.Now().UnixMilli()
	run(t, tab, grant+`; kassa('cart', 'c-81'); kassa('event', 'add_to_cart', {currency: 'EUR', value: '24.50', items: [{id: 'SKU-1', price: '12.25', quantity: 2}]})`)
	batch := c.wait(t, "/v1/events", 1)[0]
	consents := c.got("/v1/consent")
	if len(consents) != 1 {
		t.Fatalf("%d consent calls, want 1", len(consents))
	}
	visitor := fmt.Sprint(consents[0].body["visitor"])
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{22,64}$`).MatchString(visitor) {
		t.Errorf("visitor id %q", visitor)
	}
	if want := map[string]any{
		"shop": "demo", "visitor": visitor, "purposes": map[string]any{"analytics": true, "marketing": false},
		"notice": map[string]any{"version": "2026-11", "language": "nl-BE"}, "source": "banner",
	}; !reflect.DeepEqual(consents[0].body, want) {
		t.Errorf("consent call\n%v, want\n%v", consents[0].body, want)
	}
	checkBatch(t, batch, visitor, start)

	run(t, tab, `kassa('withdraw'); kassa('event', 'view_item')`)
	withdrawn := c.wait(t, "/v1/consent/withdraw", 1)
	if want := map[string]any{"receipt": "receipt-1", "erase": false}; !reflect.DeepEqual(withdrawn[0].body, want) {
		t.Errorf("withdrawal %v, want %v", withdrawn[0].body, want)
	}
	if got := kept(t, tab); got != nothing {
		t.Errorf("kept after withdrawal: %s", got)
	}
	open(t, tab, shop.URL+"/")
	if got := c.allNames(); !slices.Equal(got, []string{"page_view", "add_to_cart"}) {
		t.Errorf("events received in all: %q", got)
	}
	if p := tab.Problems(); len(p) > 0 {
		t.Errorf("script errors: %v", p)
	}
}

// checkBatch compares a batch with the wire format, field by field.
func checkBatch(t *testing.T, batch call, visitor string, start int64) {
	t.Helper()
	if !strings.HasPrefix(batch.contentType, "text/plain") {
		t.Errorf("events came as %q, which needs a preflight", batch.contentType)
	}
	events := batch.events()
	if !slices.Equal(batch.names(), []string{"page_view", "add_to_cart"}) {
		t.Fatalf("events in the batch: %q", batch.names())
	}
	last := 0.0
	for _, e := range events {
		if id := fmt.Sprint(e["id"]); len(id) < 22 {
			t.Errorf("event id %q", id)
		}
		at, _ := e["time"].(float64)
		if at < float64(start-1000) || at > float64(time.Now().UnixMilli()) || at <= last {
			t.Errorf("time %f after %f, began at %d", at, last, start)
		}
		last = at
		delete(e, "id")
		delete(e, "time")
	}
	where := "/p/glass?utm_source=news&utm_medium=email"
	if want := []map[string]any{
		{"name": "page_view", "page": where, "language": "nl-BE", "customer": "jan"},
		{
			"name": "add_to_cart", "page": where, "language": "nl-BE", "customer": "jan", "cart": "c-81", "currency": "EUR", "value": "24.50",
			"items": []any{map[string]any{"id": "SKU-1", "price": "12.25", "quantity": 2.0}},
		},
	}; !reflect.DeepEqual(events, want) {
		t.Errorf("events\n%v, want\n%v", events, want)
	}
	sent, _ := batch.body["sent_at"].(float64)
	session := fmt.Sprint(batch.body["session"])
	if sent < last || len(session) < 16 || batch.body["receipt"] != "receipt-1" || batch.body["visitor"] != visitor || batch.body["shop"] != "demo" || len(batch.body) != 6 {
		t.Errorf("the batch says %v", batch.body)
	}
}

func TestNextPageKeepsVisitorSessionCartAndLosesNothing(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/p/glass")
	run(t, tab, grant)
	first := c.wait(t, "/v1/events", 1)[0]
	run(t, tab, `kassa('cart', 'c-1'); kassa('event', 'add_to_cart'); document.querySelector('#next').click()`)
	tab.Wait(t, `location.pathname === '/checkout' && `+loaded)
	run(t, tab, `kassa('event', 'begin_checkout')`)
	calls := c.wait(t, "/v1/events", 3)
	if got := c.allNames(); !slices.Equal(got, []string{"page_view", "add_to_cart", "page_view", "begin_checkout"}) {
		t.Errorf("events received: %q", got)
	}
	for _, k := range calls {
		if k.body["visitor"] != first.body["visitor"] || k.body["session"] != first.body["session"] || k.body["receipt"] != "receipt-1" {
			t.Errorf("another visitor, session or receipt: %v", k.body)
		}
	}
	if got := calls[2].events()[1]["cart"]; got != "c-1" {
		t.Errorf("the cart on the next page is %v", got)
	}
	if n := len(c.got("/v1/consent")); n != 1 {
		t.Errorf("%d consent calls, want 1", n)
	}
}

func TestCallsBeforeTheTagAreTakenOverInOrderAndEarlierOnesForgotten(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/?before=early&twice")
	c.wait(t, "/v1/events", 1)
	if got := c.allNames(); !slices.Equal(got, []string{"page_view", "view_item"}) {
		t.Errorf("events received: %q", got)
	}
	// The same decision again, as a banner says it on every page, asks for nothing new.
	run(t, tab, `kassa('consent', {analytics: true}, {notice: '2026-11', source: 'banner'}); kassa('event', 'search')`)
	c.wait(t, "/v1/events", 2)
	if n := len(c.got("/v1/consent")); n != 1 {
		t.Errorf("%d consent calls, want 1", n)
	}
}

func TestRefusalIsCountedAndKeepsNothing(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/")
	run(t, tab, `kassa('consent', {analytics: false, marketing: false}, {notice: '2026-11', source: 'banner'}); kassa('event', 'view_item')`)
	refused := c.wait(t, "/v1/consent", 1)[0]
	if p, _ := refused.body["purposes"].(map[string]any); p["analytics"] != false || p["marketing"] != false {
		t.Errorf("refusal sent as %v", refused.body)
	}
	if got := kept(t, tab); got != nothing {
		t.Errorf("kept after a refusal: %s", got)
	}
	// A visitor who changes to no is a withdrawal under the same id.
	run(t, tab, grant)
	c.wait(t, "/v1/events", 1)
	run(t, tab, `kassa('consent', {analytics: false, marketing: false}, {notice: '2026-11', source: 'banner'})`)
	calls := c.wait(t, "/v1/consent", 3)
	if calls[1].body["visitor"] != calls[2].body["visitor"] || calls[0].body["visitor"] == calls[1].body["visitor"] {
		t.Errorf("visitor ids %v, %v, %v", calls[0].body["visitor"], calls[1].body["visitor"], calls[2].body["visitor"])
	}
	if got := kept(t, tab); got != nothing {
		t.Errorf("kept after changing to no: %s", got)
	}
}

func TestBusyServerGetsTheSameEventsAgain(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	c.refuseNext("/v1/consent", problem.New(503, "not-durable", "shutting down"))
	c.refuseNext("/v1/events", problem.New(503, "not-durable", "the disk is full"), problem.New(429, "rate-limited", "too many"))
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/")
	run(t, tab, grant)
	c.wait(t, "/v1/events", 1)
	tab.Wait(t, `JSON.parse(localStorage['kassa.demo']).q?.length === 1`)
	calls := c.wait(t, "/v1/events", 3)
	if a, b := calls[0].events()[0]["id"], calls[2].events()[0]["id"]; a != b || a == nil {
		t.Errorf("ids %v, then %v", a, b)
	}
	tab.Wait(t, `!JSON.parse(localStorage['kassa.demo']).q`)
	if n := len(c.got("/v1/consent")); n != 2 {
		t.Errorf("%d consent calls, want 2", n)
	}
}

func TestConsentThatNoLongerHoldsIsDropped(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	c.refuseNext("/v1/events", problem.New(403, "consent-withdrawn", "withdrawn elsewhere"))
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/")
	run(t, tab, grant)
	c.wait(t, "/v1/events", 1)
	tab.Wait(t, `localStorage.length === 0`)
	run(t, tab, `kassa('event', 'view_item')`)
	if got := kept(t, tab); got != nothing {
		t.Errorf("kept: %s", got)
	}
}

func TestOtherRefusalKeepsConsent(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	c.refuseNext("/v1/events", problem.New(403, "origin-not-allowed", "not in the list"))
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/")
	run(t, tab, grant)
	c.wait(t, "/v1/events", 1)
	run(t, tab, `kassa('event', 'view_item')`)
	if calls := c.wait(t, "/v1/events", 2); !slices.Equal(calls[1].names(), []string{"view_item"}) {
		t.Errorf("then came %q", calls[1].names())
	}
}

func TestWithdrawnInAnotherTabStopsThisOne(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/")
	run(t, tab, grant)
	c.wait(t, "/v1/events", 1)
	run(t, tab, `localStorage.clear(); kassa('event', 'view_item'); document.querySelector('#next').click()`)
	tab.Wait(t, `location.pathname === '/checkout' && `+loaded)
	if got := c.allNames(); !slices.Equal(got, []string{"page_view"}) {
		t.Errorf("events received: %q", got)
	}
	if got := kept(t, tab); got != nothing {
		t.Errorf("kept: %s", got)
	}
}

func TestShopsNumbersAndCampaignsAreSentAsTheWireWantsThem(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	tags := []string{"utm_source", "utm_campaign", "mtm_medium", "pk_kwd"}
	clicks := []string{
		"gclid", "gbraid", "wbraid", "dclid", "msclkid", "yclid", "ttclid", "twclid", "li_fat_id", "sccid", "rdt_cid", "fbclid", "igshid", "epik", "srsltid",
	}
	for _, name := range clicks {
		if channel.ClickOf(name) == "" {
			t.Errorf("the collector does not know %s", name)
		}
	}
	query := strings.Join(append(tags, clicks...), "=1&") + "=1"
	open(t, tab, shop.URL+"/?name=jan&"+query+"&token=secret")
	run(t, tab, grant+`; kassa('cart', 81); kassa('event', 'purchase', {order: 1001, currency: 'EUR', value: 24.5, tax: NaN, coupon: null, items: [{id: 7, price: 24.5, quantity: 1}]}); kassa('event', 'search')`)
	events := c.wait(t, "/v1/events", 1)[0].events()
	if got := events[0]["page"]; got != "/?"+query {
		t.Errorf("page %v, want /?%s", got, query)
	}
	bought := events[1]
	if bought["cart"] != "81" || bought["order"] != "1001" || bought["value"] != "24.5" || bought["tax"] != nil || bought["coupon"] != nil {
		t.Errorf("purchase sent as %v", bought)
	}
	if events[2]["cart"] != nil {
		t.Errorf("after the purchase the cart is still %v", events[2]["cart"])
	}
}

func TestBlockedStorageAndOldBrowserDoNotBreakThePage(t *testing.T) {
	t.Parallel()
	c, shop := newShop(t)
	tab := chromium.Tab(t)
	open(t, tab, shop.URL+"/?before=blocked")
	run(t, tab, grant+`; kassa('event', 'view_item'); kassa('nonsense'); kassa('event'); kassa('consent', {analytics: true}, {notice: 1, choices: {toString: 1}}); kassa('cart'); kassa()`)
	c.wait(t, "/v1/events", 1)
	if got := c.allNames(); !slices.Equal(got, []string{"page_view", "view_item"}) {
		t.Errorf("events received: %q", got)
	}
	tab.Do(t, chromedp.Navigate(shop.URL+"/?before=old"))
	run(t, tab, grant+`; kassa('event', 'view_item')`)
	if p := tab.Problems(); len(p) > 0 {
		t.Errorf("script errors: %v", p)
	}
}
