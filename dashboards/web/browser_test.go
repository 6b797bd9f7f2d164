package web

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/kassa-analytics/kassa/internal/browsertest"
)

var (
	chromium    *browsertest.Browser
	screenshots = flag.String("screenshots", "", "write pictures of the page into this directory")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(browsertest.Run(m, func(b *browsertest.Browser) { chromium = b }))
}

func figures(t *testing.T, tab *browsertest.Tab) map[string]string {
	t.Helper()
	return browsertest.Eval[map[string]string](t, tab, `Object.fromEntries([...document.querySelectorAll('[data-figure]')].map(e => [e.dataset.figure, e.innerText.replace(/\s+/g, ' ').trim()]))`)
}

const settled = `document.querySelector('main.figures')?.dataset.state && !document.querySelector('main.figures').hasAttribute('aria-busy')`

func TestFragmentOpensThePageOnceAndLeavesTheAddressBar(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	tab.Do(t, chromedp.Navigate(f.URL+"/#shop=demo&token="+goodToken))
	tab.Wait(t, settled)
	if got := browsertest.Eval[string](t, tab, `location.href`); strings.Contains(got, goodToken) || strings.Contains(got, "#") {
		t.Errorf("the address bar still shows %s", got)
	}
	if n := browsertest.Eval[int](t, tab, `localStorage.length`); n != 0 {
		t.Errorf("%d things kept beyond the tab", n)
	}
	got := figures(t, tab)
	for key, want := range map[string]string{
		"customers": "484", "orders": "561", "orders_per_customer": "1.16", "repeat_rate": "23.6%", "revenue": "€38,215", "average_order_value": "€68.12",
		"channel:Organic Search": "105", "channel:Paid Search": "73", "channel:Direct": "54",
		"abandonment_rate": "65.3%", "abandoned_value": "€61,480", "carts": "1,934", "purchased": "561",
		"state:abandoned": "1,058", "state:purchased": "502", "state:recovered": "59", "state:emptied": "187", "state:superseded": "101", "state:open": "27",
		"orders_measured": "561", "orders_total": "683", "unconsented_page_views": "9,127",
	} {
		if got[key] != want {
			t.Errorf("%s is shown as %q, want %q", key, got[key], want)
		}
	}
	for key, want := range map[string]string{
		"concentration": "Half of your revenue comes from 112 of 484 customers.",
		"worst":         "Most carts are lost after filling a cart, before starting the checkout: 588 of 1,058.",
	} {
		if !strings.Contains(got[key], want) {
			t.Errorf("%s says %q, want %q in it", key, got[key], want)
		}
	}
	chips := browsertest.Eval[[]string](t, tab, `[...document.querySelectorAll('section .chip')].map(e => e.innerText)`)
	if len(chips) != 3 || chips[0] != "covers 82.1% of orders" {
		t.Errorf("coverage beside the figures: %q", chips)
	}
	tab.Do(t, chromedp.Reload())
	tab.Wait(t, settled)
	clean(t, tab, f)
}

// clean: no script error, no refused resource, no other host.
func clean(t *testing.T, tab *browsertest.Tab, f *fixture) {
	t.Helper()
	u, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	tab.OnlyHosts(t, u.Host)
	if p := tab.Problems(); len(p) > 0 {
		t.Errorf("script errors: %v", p)
	}
}

func TestFormRefusesAndOpens(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	said := func(want string) {
		t.Helper()
		tab.Wait(t, `document.querySelector('#access-error')?.innerText.includes(`+"`"+want+"`"+`)`)
	}
	submit := func(shop, token string) {
		t.Helper()
		tab.Type(t, "#shop", shop)
		tab.Type(t, "#token", token)
		tab.Do(t, chromedp.Click(chromedp.CSS("form.access .primary")))
	}
	tab.Do(t, chromedp.Navigate(f.URL), chromedp.WaitVisible(chromedp.CSS("form.access")))
	submit("demo", "")
	said("Fill in both")
	submit("demo", "wrong")
	said("This token is not known here")
	submit("demo", otherToken)
	said("may not see the reports of shop “demo”")
	if got := browsertest.Eval[string](t, tab, `document.querySelector('#shop').value`); got != "demo" {
		t.Errorf("the shop must be typed again: %q", got)
	}
	submit("demo", goodToken)
	tab.Wait(t, settled)
	if got := figures(t, tab)["customers"]; got != "484" {
		t.Errorf("customers shown: %q", got)
	}
	clean(t, tab, f)
}

func TestPeriodAndComparison(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	tab.Do(t, chromedp.Navigate(f.URL+"/?from=2026-03-28&to=2026-03-30#shop=demo&token="+goodToken))
	tab.Wait(t, settled)
	if got := f.asked("customers"); len(got) != 1 || got[0] != "customers?from=2026-03-28&to=2026-03-30&compare=previous&interval=day" {
		t.Errorf("asked %q", got)
	}
	if n := browsertest.Eval[int](t, tab, `document.querySelectorAll('.delta').length`); n == 0 {
		t.Error("nothing is compared with the days before")
	}
	tab.Do(t, chromedp.Click(chromedp.CSS(".check input")))
	tab.Wait(t, settled+` && !document.querySelector('.delta')`)
	tab.Do(t, chromedp.Click(chromedp.CSS(`[data-preset="90"]`)))
	tab.Wait(t, settled+` && location.search === '?period=90&compare=none'`)
	got := f.asked("customers")
	if last := got[len(got)-1]; !strings.HasSuffix(last, "&interval=week") || strings.Contains(last, "compare") {
		t.Errorf("asked %q", last)
	}
	tab.Do(t, chromedp.Navigate(f.URL+"/?from=2026-02-03&to=2026-02-03"))
	tab.Wait(t, settled)
	if got := browsertest.Eval[string](t, tab, `document.querySelector('main').dataset.state`); got != "empty-period" {
		t.Errorf("a day without data leads to %q", got)
	}
	clean(t, tab, f)
}

func TestEmptyShopShowsHowToSetItUp(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	tab.Do(t, chromedp.Navigate(f.URL+"/#shop=empty&token="+goodToken))
	tab.Wait(t, settled)
	if got, want := figures(t, tab)["tag"], `<script defer src="http://127.0.0.1:8080/kassa.js" data-shop="empty"></script>`; got != want {
		t.Errorf("the line to paste is %q, want %q", got, want)
	}
	tab.Type(t, "#address", "https://stats.shop.example/")
	if got, want := figures(t, tab)["tag"], `<script defer src="https://stats.shop.example/kassa.js" data-shop="empty"></script>`; got != want {
		t.Errorf("after typing the address the line is %q, want %q", got, want)
	}
	clean(t, tab, f)
}

// One customer, two currencies, no order book, a step of the shop's own: nothing is invented where figures are missing.
func TestSmallShopIsShownHonestly(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	tab.Do(t, chromedp.Navigate(f.URL+"/?period=today#shop=small&token="+goodToken))
	tab.Wait(t, settled)
	got := figures(t, tab)
	for key, want := range map[string]string{
		"customers": "1", "revenue": "€49.00", "abandonment_rate": "33.3%", "abandoned_value": "–", "concentration": "All revenue comes from one customer.",
		"worst": "Most carts are lost after “Gift wrap”: 1 of 1. 33.3% of the carts that get that far are lost there (95% certain: between 6.1% and 79.2%).",
	} {
		if !strings.HasSuffix(got[key], want) {
			t.Errorf("%s is shown as %q, want %q", key, got[key], want)
		}
	}
	text := browsertest.Eval[string](t, tab, `document.querySelector('main').innerText`)
	for _, want := range []string{"+ $20.50", "consenting visitors only", "is not known yet", "a-very-long-campaign-name"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"NaN", "undefined", "null", "Infinity"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page says %s", bad)
		}
	}
	clean(t, tab, f)
}

func TestFailureIsSaidAndCanBeTriedAgain(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	tab.Do(t, chromedp.Navigate(f.URL+"/#shop=broken&token="+goodToken))
	tab.Wait(t, settled)
	if got := browsertest.Eval[string](t, tab, `document.querySelector('.message[role=alert]').innerText`); !strings.Contains(got, "the warehouse does not answer") {
		t.Errorf("the page says %q", got)
	}
	clean(t, tab, f)
}

// Every control has a name, every drawing a text, headings do not skip a level, the keyboard reads the chart, nothing runs off a
// small screen.
func TestAccessible(t *testing.T) {
	f, tab := newFixture(t), chromium.Tab(t)
	tab.Do(t, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulatePortrait), chromedp.Navigate(f.URL+"/#shop=demo&token="+goodToken))
	tab.Wait(t, settled)
	unnamed := browsertest.Eval[[]string](t, tab, `[...document.querySelectorAll('button, input, select, a, [role=img], [role=application], [role=region]')]
		.filter(e => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.labels?.length)).map(e => e.outerHTML.slice(0, 120))`)
	if len(unnamed) > 0 {
		t.Errorf("without a name: %q", unnamed)
	}
	levels := browsertest.Eval[[]int](t, tab, `[...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]))`)
	for i, l := range levels {
		if i > 0 && l > levels[i-1]+1 || i == 0 && l != 1 {
			t.Errorf("heading levels %v", levels)
			break
		}
	}
	if over := browsertest.Eval[int](t, tab, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("the page is %d px wider than a 390 px screen", over)
	}
	tab.Do(t, chromedp.Focus(chromedp.CSS(".columns")), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	if got := browsertest.Eval[string](t, tab, `document.querySelector('.reading').innerText`); !strings.HasPrefix(got, "Sun 25 Oct") {
		t.Errorf("two arrow keys read %q", got)
	}
	clean(t, tab, f)
}

func TestPictures(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots directory")
	}
	f := newFixture(t)
	for _, c := range []struct {
		name, theme, address string
		width                int64
	}{
		{"desktop-light", "light", "/#shop=demo&token=" + goodToken, 1280},
		{"desktop-dark", "dark", "/#shop=demo&token=" + goodToken, 1280},
		{"mobile-light", "light", "/#shop=demo&token=" + goodToken, 390},
		{"mobile-dark", "dark", "/#shop=demo&token=" + goodToken, 390},
		{"small-desktop", "light", "/?period=today#shop=small&token=" + goodToken, 1280},
		{"small-mobile", "dark", "/?period=today#shop=small&token=" + goodToken, 390},
		{"print", "light", "/#shop=demo&token=" + goodToken, 800},
		{"setup", "light", "/#shop=empty&token=" + goodToken, 1280},
		{"form", "light", "/", 1280},
		{"form-wrong-mobile", "dark", "/#shop=demo&token=wrong", 390},
	} {
		tab := chromium.Tab(t)
		browsertest.Call(t, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: c.width, Height: 900, DeviceScaleFactor: 1, Mobile: c.width < 500})
		browsertest.Call(t, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media:    map[bool]string{true: "print"}[c.name == "print"],
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.theme}},
		})
		tab.Do(t, chromedp.Navigate(f.URL+c.address))
		tab.Wait(t, `(`+settled+`) || document.querySelector('form.access')`)
		browsertest.Eval[bool](t, tab, `document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true)))))`)
		png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, c.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
