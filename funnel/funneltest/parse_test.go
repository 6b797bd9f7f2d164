package funneltest_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kassa-analytics/kassa/funnel/funneltest"
)

const good = `
# A comment.
shop demo currency USD timezone Europe/Brussels   # and another
shop demo abandon_after 1d12h superseded_within 0s steps begin_checkout,purchase prices_include_tax false exclude_coupons TEST

at 2026-01-05 10:00
  ann consent=analytics device=mobile referrer=www.google.com  add_to_cart@1m(cart=a, items=glass:2:12.25+bowl, value=24.50)
    purchase@2026-01-05T12:00:00+02:00(order="1, or so", device=desktop)  withdraw@3h
  ben consent=none page=  view_item

checkout totals now=+3h by=device from=2026-01-01 to=2026-01-31 interval=week compare=previous
----
anything
  at all

at 2026-01-06T10:00:00Z
  ann page_view@0s

coverage rolling=1d
----
`

func TestParse(t *testing.T) {
	s, err := funneltest.Parse("good.txt", good)
	if err != nil {
		t.Fatal(err)
	}
	shop := s.Shop
	if shop.ID != "demo" || shop.Currency != "USD" || shop.Timezone.String() != "Europe/Brussels" || shop.AbandonAfter != 36*time.Hour ||
		shop.SupersededWithin != 0 || len(shop.Steps) != 2 || shop.PricesIncludeTax || shop.Exclude.Coupons[0] != "TEST" {
		t.Errorf("shop: %+v", shop)
	}
	var got []string
	for _, h := range s.Happenings {
		at := h.Time.UTC().Format("02 15:04 ") + h.Visitor + " "
		switch {
		case h.Consent != nil:
			got = append(got, at+"consent "+strings.Join(h.Consent.Granted, ","))
		case h.Stored:
			got = append(got, at+h.Event.Name)
		default:
			got = append(got, at+h.Event.Name+" (not stored)")
		}
	}
	want := []string{
		"05 09:01 ann consent analytics", "05 09:01 ann add_to_cart", "05 10:00 ann purchase", "05 12:00 ann consent ",
		"05 09:00 ben consent ", "05 09:00 ben view_item (not stored)", "06 10:00 ann page_view (not stored)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("happenings:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	e := s.Happenings[1].Event
	if e.Cart != "a" || e.Value.Format(2) != "24.50" || len(e.Items) != 2 || e.Items[0].Quantity != 2 || e.Items[0].Price.Format(2) != "12.25" ||
		e.Items[1].ID != "bowl" || e.Items[1].Price != nil || e.Device != "mobile" || e.Channel != "Organic Search" || e.Source != "google" || e.Page != "/" {
		t.Errorf("first event: %+v", e)
	}
	if e := s.Happenings[2].Event; e.Order != "1, or so" || e.Device != "desktop" || e.ID == s.Happenings[1].Event.ID {
		t.Errorf("second event: %+v", e)
	}
	if e := s.Happenings[5].Event; e.Page != "" {
		t.Errorf("page= leaves %q", e.Page)
	}
	q := s.Questions[0]
	if q.Line != 11 || q.Report != "checkout" || q.Query.By != "device" || q.Query.Interval != "week" || !q.Query.Compare ||
		q.Query.Period.Days() != 31 || !q.Query.Now.Equal(time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)) || q.Expected != "anything\n  at all\n" {
		t.Errorf("question: %+v", q)
	}
	if q := s.Questions[1]; q.Query.Rolling != 24*time.Hour || q.Expected != "" || q.Query.Period.From.String() != "2026-01-05" {
		t.Errorf("second question: %+v", q)
	}
	if n, m := len(s.Stored(s.Questions[0])), len(s.Before(s.Questions[0])); n != 2 || m != 6 {
		t.Errorf("above the first question %d stored, %d happenings", n, m)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	const shop = "shop demo\nat 2026-01-05 10:00\n"
	const ask = "\ncheckout\n----\n"
	for _, c := range []struct{ src, want string }{
		{"", `x.txt:1: no shop: begin with a line like "shop demo"`},
		{"shop demo\n", "x.txt:2: no question: end with checkout, customers or coverage"},
		{"shop\n", `x.txt:1: a shop has a name: "shop demo"`},
		{"shop demo currency\n", `x.txt:1: setting "currency" has no value`},
		{"shop demo currency euro\n", `x.txt:1: currency: "euro" is not an ISO 4217 currency code in capitals`},
		{"shop demo timezone Mars\n", "x.txt:1: timezone: unknown time zone Mars"},
		{"shop demo abandon_after soon\n", `x.txt:1: abandon_after: "soon" is not a duration like 90s, 1h30m or 3d`},
		{"shop demo abandon_after -1h\n", `x.txt:1: abandon_after: "-1h" is not a duration like 90s, 1h30m or 3d`},
		{"shop demo colour red\n", "x.txt:1: colour: no such setting; there are currency"},
		{"shop demo prices_include_tax yes\n", `x.txt:1: prices_include_tax: "yes" is neither true nor false`},
		{"shop demo\nshop other\n", `x.txt:2: the shop is called "demo" already; a scenario has one shop`},
		{shop + "shop demo currency USD\n", "x.txt:3: settings stand above the first at"},
		{"at 2026-01-05 10:00\n", `x.txt:1: the shop comes first: "shop demo"`},
		{"shop demo\nat noon\n", `x.txt:2: "noon" is not a time like 2026-01-05 10:00`},
		{"shop demo\n  ann consent=none page_view\n", `x.txt:2: nothing happens before an "at" line`},
		{shop + "ann consent=none page_view\n", `x.txt:3: "ann" is none of shop, at, checkout, customers, coverage (what a visitor does is indented)`},
		{shop + "  page_view@0s\n", `x.txt:3: "page_view@0s": whose event is it?`},
		{shop + "  ann page_view@0s\n", "x.txt:3: ann has not been asked: write consent=analytics"},
		{shop + "  ann consent=mailing page_view@0s\n", `x.txt:3: consent: "mailing" is none of analytics, marketing, none`},
		{shop + "  ann consent=none value=3 page_view@0s\n", "x.txt:3: value belongs to one event"},
		{shop + "  ann consent=none page_view@soon\n", `x.txt:3: page_view@soon: "soon" is not a duration`},
		{shop + "  ann consent=none Page-View@0s\n", `x.txt:3: Page-View@0s: "Page-View" is not an event's name`},
		{shop + "  ann consent=none page_view@0s(colour=red)\n", `an event has no field "colour"`},
		{shop + "  ann consent=none page_view@0s(cart)\n", `"cart" is not field=value`},
		{shop + "  ann consent=none page_view@0s(value=ten)\n", "value=ten is not a decimal number"},
		{shop + "  ann consent=none page_view@0s(items=glass:two)\n", `"glass:two": "two" is not a quantity`},
		{shop + "  ann consent=none page_view@0s(cart=a)b\n", "something follows the )"},
		{shop + "  ann consent=none page_view@0s(cart=a\n", "x.txt:3: a ( is not closed on this line"},
		{shop + "  ann consent=none page_view@0s)\n", "a ) without its ("},
		{shop + "  ann consent=none page=\"/ page_view@0s\n", "x.txt:3: a quote is not closed"},
		{shop + "  ann consent=analytics withdraw@0s(cart=a)\n", "withdraw has no fields"},
		{shop + "checkout now=+1h\n\n", "x.txt:3: ---- and the expected answer must follow a question"},
		{shop + "checkout sums\n----\n", `x.txt:3: "sums" is neither key=value nor one of [steps totals]`},
		{shop + "checkout when=+1h\n----\n", "x.txt:3: when: no such parameter; there are now, from"},
		{shop + "checkout compare=last\n----\n", `compare: "last" is not previous`},
		{shop + "checkout from=5/1\n----\n", `"5/1" is not a date like 2026-01-31`},
		// Every line at fault is named, not the first alone.
		{shop + "  ann consent=none page_view@0s(colour=red)\n  ben consent=none x@y\n" + ask, "x.txt:4: x@y"},
	} {
		_, err := funneltest.Parse("x.txt", c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q\ngives %v\nwant  %s", c.src, err, c.want)
			continue
		}
		var syntax *funneltest.SyntaxError
		if !errors.As(err, &syntax) || syntax.File != "x.txt" || syntax.Line == 0 {
			t.Errorf("%q: no position in %v", c.src, err)
		}
	}
}

// Nothing that is fed to the parser makes it panic.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("shop demo\nat 2026-01-05 10:00\n ann consent=analytics a@1d(x=\"(\")\ncheckout\n----")
	f.Fuzz(func(t *testing.T, src string) {
		s, err := funneltest.Parse("x.txt", src)
		if err != nil {
			return
		}
		for _, arrival := range funneltest.Arrivals() {
			arriving := s.Arriving(arrival)
			for i, q := range arriving.Questions {
				arriving.Stored(q)
				arriving.Phase(i)
			}
		}
	})
}

func TestRewriteChangesExpectationsOnly(t *testing.T) {
	s, err := funneltest.Parse("good.txt", good)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Rewrite([]string{"one\ntwo\n", "three\n"})
	want := strings.Replace(good, "anything\n  at all\n", "one\ntwo\n", 1)
	want = strings.TrimSuffix(want, "----\n") + "----\nthree\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, err := funneltest.Parse("good.txt", got)
	if err != nil || again.Questions[1].Expected != "three\n" {
		t.Errorf("the rewritten file does not read back: %v", err)
	}
}

// Arriving shuffles and doubles events, but lets none pass a question or a change of consent.
func TestArriving(t *testing.T) {
	s, err := funneltest.Parse("good.txt", good)
	if err != nil {
		t.Fatal(err)
	}
	for _, arrival := range funneltest.Arrivals() {
		a := s.Arriving(arrival)
		for i, q := range s.Questions {
			n, m := len(s.Stored(q)), len(a.Stored(a.Questions[i]))
			if arrival == funneltest.Twice {
				n *= 2
			}
			if n != m {
				t.Errorf("%s: %d events stored above question %d, want %d", arrival, m, i, n)
			}
		}
		granted := false
		for _, h := range a.Happenings {
			if h.Visitor != "ann" {
				continue
			}
			if h.Consent != nil {
				granted = len(h.Consent.Granted) > 0
			} else if h.Stored != granted {
				t.Errorf("%s: %s of ann arrives where its consent does not hold", arrival, h.Event.Name)
			}
		}
	}
}

func TestLoadWantsFiles(t *testing.T) {
	if _, err := funneltest.Load(fstest.MapFS{}); err == nil {
		t.Error("an empty directory is no error")
	}
	_, err := funneltest.Load(fstest.MapFS{"bad.txt": {Data: []byte("nonsense")}})
	if err == nil || !strings.Contains(err.Error(), "bad.txt:1: ") {
		t.Errorf("%v", err)
	}
}
