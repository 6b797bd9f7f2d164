package collector

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/channel"
)

var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func testKeys(t testing.TB) *consentgate.Keys {
	t.Helper()
	keys, err := consentgate.OpenKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func testShop() Shop {
	return Shop{ID: "demo", Origins: []string{"https://www.shop.example", "null"}, Currency: "EUR", Steps: []string{"add_to_cart", "choose_gift", "purchase"},
		ExcludeCustomers: []string{"staff"}, ExcludeCoupons: []string{"Test10"}}
}

func testRules(t testing.TB) *shopRules {
	t.Helper()
	r, err := newShopRules(testShop())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// judged fills one event under the test shop's rules.
func judged(t *testing.T, in Input) (Event, *Rejection) {
	t.Helper()
	if in.ID == "" {
		in.ID = "e"
	}
	if in.Name == "" {
		in.Name = "page_view"
	}
	j := judge{keys: testKeys(t), rules: testRules(t), batch: &Batch{}, clock: newBatchClock(testNow, 0, time.Time{})}
	var ev Event
	err := j.fill(&ev, &in)
	var fault *Rejection
	if err != nil && !errors.As(err, &fault) {
		t.Fatal(err)
	}
	return ev, fault
}

func TestMinimisedPages(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"/":                                      "/",
		"/p/glass?x=1#y":                         "/p/glass",
		"p/glass":                                "/p/glass",
		"https://shop.example/p?a=b":             "/p",
		"https://shop.example":                   "/",
		"https://shop.example?x=1":               "/",
		"//shop.example/p":                       "/p",
		"/go/https://other.example/x":            "/go/https://other.example/x",
		"/u/jan@x.be/orders":                     "/u/(e-mail)/orders",
		"/u/jan%40x.be/orders":                   "/u/(e-mail)/orders",
		"/u/jan%2540x.be":                        "/u/(e-mail)",
		"/u/jan%40x%2Ebe":                        "/u/(e-mail)",
		"/u/100%/jan%40x.be":                     "/u/100%/(e-mail)",
		"/u/%zz-jan%40x.be":                      "/u/(e-mail)",
		"/u/mailto:jan.peeters+shop@mail.x.be!":  "/u/(e-mail)",
		"/tag/@home":                             "/tag/@home",
		"/price/5@2":                             "/price/5@2",
		"/p;jsessionid=ABC123/q":                 "/p/q",
		"/" + strings.Repeat("é", 2000):          "/" + strings.Repeat("é", 1023),
		"/caf%C3%A9":                             "/caf%C3%A9",
		"javascript:alert(1)":                    "/javascript:alert(1)",
		"https://user:pw@shop.example:8443/p/q?": "/p/q",
	} {
		if ev, fault := judged(t, Input{Page: in}); fault != nil || ev.Page != want {
			t.Errorf("page %q becomes %q (%v), want %q", in, ev.Page, fault, want)
		}
	}
}

func TestReferrersAndCampaigns(t *testing.T) {
	for _, c := range []struct {
		name string
		in   Input
		want Event
	}{
		{"nothing", Input{Page: "/"}, Event{Page: "/", Channel: channel.Direct}},
		{"host only", Input{Referrer: "https://Blog.Example:8080/a?b=c"}, Event{Referrer: "blog.example", Channel: channel.Referral, Source: "blog.example", Medium: "referral"}},
		{"bare host", Input{Referrer: "www.google.com"}, Event{Referrer: "www.google.com", Channel: channel.OrganicSearch, Source: "google", Medium: "organic"}},
		{"app", Input{Referrer: "android-app://com.google.android.gm/"}, Event{Referrer: "com.google.android.gm", Channel: channel.Email, Source: "mail.google.com", Medium: "referral"}},
		{"own origin", Input{Referrer: "https://www.shop.example/x"}, Event{Channel: channel.Direct}},
		{"own domain without www", Input{Referrer: "https://shop.example/x"}, Event{Channel: channel.Direct}},
		{"own sub-domain", Input{Referrer: "https://checkout.shop.example/x"}, Event{Channel: channel.Direct}},
		{"not the own domain", Input{Referrer: "https://myshop.example/x"}, Event{Referrer: "myshop.example", Channel: channel.Referral, Source: "myshop.example", Medium: "referral"}},
		{"the page's own host", Input{Page: "https://elsewhere.example/p", Referrer: "https://elsewhere.example/"}, Event{Page: "/p", Channel: channel.Direct}},
		{"no host", Input{Referrer: "about:blank"}, Event{Channel: channel.Direct}},
		{"nonsense", Input{Referrer: "https://<script>/"}, Event{Channel: channel.Direct}},
		{"utm in the page", Input{Page: "/p?utm_source=News&utm_medium=email&utm_campaign=Mei%202026&utm_term=a+b&utm_content=c&utm_source=second"},
			Event{Page: "/p", Channel: channel.Email, Source: "news", Medium: "email", Campaign: "Mei 2026", Term: "a b", Content: "c"}},
		{"Matomo's names", Input{Page: "/?mtm_campaign=x&mtm_source=google&mtm_medium=cpc&mtm_kwd=glas"}, Event{Page: "/", Channel: channel.PaidSearch, Source: "google", Medium: "cpc", Campaign: "x", Term: "glas"}},
		{"campaign outranks the page", Input{Page: "/?utm_source=a", Campaign: Campaign{Source: "newsletter", Medium: "email"}}, Event{Page: "/", Channel: channel.Email, Source: "newsletter", Medium: "email"}},
		{"e-mail in a campaign", Input{Campaign: Campaign{Source: "crm", Medium: "email", Content: "voor jan@x.be"}}, Event{Channel: channel.Email, Source: "crm", Medium: "email", Content: "voor (e-mail)"}},
		{"click id", Input{Page: "/?gclid=abc&fbclid=d"}, Event{Page: "/", Channel: channel.PaidSearch, Source: "google", Medium: "cpc"}},
		{"click id after a weak one", Input{Page: "/?fbclid=d&gclid=abc"}, Event{Page: "/", Channel: channel.PaidSearch, Source: "google", Medium: "cpc"}},
		{"aid is not paid", Input{Page: "/?aid=paid&xutm_source=x&utm_sourcex=y"}, Event{Page: "/", Channel: channel.Direct}},
		{"campaign in the fragment only", Input{Page: "/#?utm_source=x"}, Event{Page: "/", Channel: channel.Direct}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, fault := judged(t, c.in)
			got := Event{Page: ev.Page, Referrer: ev.Referrer, Channel: ev.Channel, Source: ev.Source, Medium: ev.Medium, Campaign: ev.Campaign, Term: ev.Term, Content: ev.Content}
			if fault != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got %+v (%v)\nwant %+v", got, fault, c.want)
			}
		})
	}
}

func TestFieldRules(t *testing.T) {
	long := strings.Repeat("é", 201)
	for _, c := range []struct {
		name   string
		in     Input
		reason Reason
		where  string
	}{
		{"200 characters", Input{ID: long[2:], Cart: long[2:], Order: long[2:], Customer: long[2:]}, "", ""},
		{"id", Input{ID: long}, ReasonTooLong, "/id"},
		{"cart", Input{Cart: long}, ReasonTooLong, "/cart"},
		{"order", Input{Order: long}, ReasonTooLong, "/order"},
		{"customer", Input{Customer: long}, ReasonTooLong, "/customer"},
		{"contact", Input{Contact: strings.Repeat("x", 321)}, ReasonTooLong, "/contact"},
		{"contact of 320", Input{Contact: strings.Repeat("x", 320)}, "", ""},
		{"name", Input{Name: strings.Repeat("a", 41)}, ReasonInvalidValue, "/name"},
		{"name of 40", Input{Name: strings.Repeat("a", 40)}, "", ""},
		{"name with a capital", Input{Name: "addToCart"}, ReasonInvalidValue, "/name"},
		{"name that begins with a digit", Input{Name: "1a"}, ReasonInvalidValue, "/name"},
		{"currency", Input{Currency: "eur"}, ReasonInvalidValue, "/currency"},
		{"currency without", Input{Currency: "XYZ", Value: "1"}, ReasonInvalidValue, "/currency"},
		{"negative", Input{Value: "-1"}, ReasonInvalidValue, "/value"},
		{"shipping", Input{Shipping: "x"}, ReasonInvalidValue, "/shipping"},
		{"tax", Input{Tax: "1e400"}, ReasonInvalidValue, "/tax"},
		{"fees", Input{Fees: "1,5"}, ReasonInvalidValue, "/fees"},
		{"discount", Input{Discount: "--1"}, ReasonInvalidValue, "/discount"},
		{"quantity 0", Input{Items: []InputItem{{Quantity: "0"}}}, ReasonInvalidValue, "/items/0/quantity"},
		{"quantity huge", Input{Items: []InputItem{{}, {Quantity: "1000001"}}}, ReasonInvalidValue, "/items/1/quantity"},
		{"quantity text", Input{Items: []InputItem{{Quantity: "two"}}}, ReasonInvalidValue, "/items/0/quantity"},
		{"price", Input{Items: []InputItem{{Price: "x"}}}, ReasonInvalidValue, "/items/0/price"},
		{"price of a discount line", Input{Items: []InputItem{{Price: "-5"}}}, "", ""},
		{"201 items", Input{Items: make([]InputItem, 201)}, ReasonTooManyItems, "/items"},
		{"error kind", Input{ErrorKind: "x"}, ReasonInvalidValue, "/error/kind"},
		{"error kind known", Input{ErrorKind: "out_of_stock"}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, fault := judged(t, c.in)
			if c.reason == "" && fault != nil || c.reason != "" && (fault == nil || fault.Reason != c.reason || fault.Pointer != c.where) {
				t.Errorf("got %v, want %s at %q", fault, c.reason, c.where)
			}
		})
	}
}

func TestStoredFields(t *testing.T) {
	ev, fault := judged(t, Input{Name: "choose_gift", Value: "24.505", Title: "Jan", Language: "NL_be", Coupon: "TEST10 ", Items: []InputItem{{ID: " a ", Quantity: "1.5", Price: "2"}, {Quantity: "0.2"}}})
	if fault != nil || !ev.CartEvent || ev.Currency != "EUR" || ev.Value.Format(2) != "24.51" || ev.Title != "" || ev.Language != "nl" {
		t.Errorf("got %+v %v", ev, fault)
	}
	if ev.Items[0].ID != "a" || ev.Items[0].Quantity != 2 || ev.Items[1].Quantity != 1 || ev.Items[1].Price != nil {
		t.Errorf("items %+v", ev.Items)
	}
	if ev, _ = judged(t, Input{Name: "purchase", Currency: "JPY", Value: "2449.5", Customer: "staff"}); ev.Value.Format(0) != "2450" || !ev.Excluded || ev.Currency != "JPY" {
		t.Errorf("got %+v", ev)
	}
	if ev, _ = judged(t, Input{Name: "search"}); ev.CartEvent || ev.Currency != "" || ev.Excluded || ev.Time != testNow.UnixMilli() {
		t.Errorf("got %+v", ev)
	}
}

func TestPseudonymsAreOfShopAndKind(t *testing.T) {
	keys := testKeys(t)
	j := judge{keys: keys, rules: testRules(t), batch: &Batch{}, clock: newBatchClock(testNow, 0, time.Time{})}
	var a, b Event
	for _, f := range []struct {
		ev *Event
		in Input
	}{{&a, Input{ID: "1", Name: "purchase", Cart: "same", Order: "same", Customer: "same", Session: "same"}}, {&b, Input{ID: "2", Name: "purchase", Cart: "same"}}} {
		if err := j.fill(f.ev, &f.in); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[uint64]bool{a.Cart: true, a.Order: true, a.Customer: true, a.Session: true}
	if len(seen) != 4 || a.Cart != b.Cart || a.Cart != uint64(keys.Pseudonym("demo", consentgate.KindCart, "same")) {
		t.Errorf("pseudonyms %+v %+v", a, b)
	}
}

func TestShops(t *testing.T) {
	good := testShop()
	shops, err := NewShops([]Shop{good})
	if err != nil {
		t.Fatal(err)
	}
	bad := testShop()
	bad.Currency = "euro"
	if err := shops.Replace([]Shop{bad}); err == nil {
		t.Error("a bad currency was taken")
	}
	if err := shops.Replace([]Shop{good, good}); err == nil {
		t.Error("two shops of one id were taken")
	}
	if _, ok := shops.Lookup("demo"); !ok || !shops.Allows("demo", "null") || shops.Allows("demo", "https://x.example") || !shops.AnyAllows("https://www.shop.example") {
		t.Error("a refused set replaced the good one")
	}
	if err := shops.Replace(nil); err != nil || shops.AnyAllows("null") {
		t.Error("origins of a removed shop stay")
	}
}

func TestRecentIDsIsBoundedAndRemembersTheNewest(t *testing.T) {
	r := newRecentIDs(1600)
	id := func(i int) (out [16]byte) {
		copy(out[1:], fmt.Sprintf("%015d", i))
		out[0] = byte(i)
		return out
	}
	for i := range 100_000 {
		r.remember(id(i))
	}
	held := 0
	for i := range r.shards {
		held += len(r.shards[i].young) + len(r.shards[i].older)
	}
	if held > 1600 || held < 800 {
		t.Errorf("%d ids held", held)
	}
	for i := 100_000 - 700; i < 100_000; i++ {
		if !r.seen(id(i)) {
			t.Fatalf("id %d is forgotten", i)
		}
	}
	if r.seen(id(5)) {
		t.Error("an old id is remembered")
	}
}

func TestImport(t *testing.T) {
	keys := testKeys(t)
	shops, err := NewShops([]Shop{testShop()})
	if err != nil {
		t.Fatal(err)
	}
	gate, err := consentgate.NewGate(consentgate.Config{Keys: keys, Ledger: noLedger{}, KnownShop: func(s string) bool { return s == "demo" }})
	if err != nil {
		t.Fatal(err)
	}
	var stored []Event
	var tags []uint64
	s, err := New(Config{Keys: keys, Shops: shops, Clock: func() time.Time { return testNow }, Spool: AppendFunc(func(_ context.Context, data []byte, n int, tag uint64) (uint64, error) {
		events, err := DecodeEvents(data)
		stored, tags = append(stored, events...), append(tags, tag)
		return uint64(len(tags)), err
	})})
	if err != nil {
		t.Fatal(err)
	}
	imp := Import{Oldest: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC), Tag: 7, Permit: func(v string) (consentgate.Permit, error) { return gate.ImportPermit("demo", v, "teaching data") }}
	at := func(year int) int64 { return time.Date(year, 2, 3, 4, 5, 6, 0, time.UTC).UnixMilli() }
	b := &Batch{Shop: "demo", Wire: "import", Events: []Input{
		{ID: "1", Name: "add_to_cart", Visitor: "9", Session: "x", Cart: "c", Contact: "jan@x.be", Time: at(2020)},
		{ID: "2", Name: "purchase", Visitor: "10", Time: at(2090)},
		{ID: "3", Name: "purchase", Visitor: "10", Time: at(2009)},
		{ID: "4", Name: "purchase", Visitor: "10"},
		{ID: "5", Name: "purchase", Time: at(2020)},
		{ID: "2", Name: "purchase", Visitor: "10", Time: at(2090)},
		{ID: "6", Name: "purchase", Visitor: "10", Time: at(2020), Items: []InputItem{{Name: "caf\xe9"}}},
	}}
	res, err := s.AcceptImport(t.Context(), imp, b)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []Reason
	for _, r := range res.Rejected {
		reasons = append(reasons, r.Reason)
	}
	if res.Accepted != 2 || res.Duplicates != 1 || res.Index != 1 || fmt.Sprint(reasons) != fmt.Sprint([]Reason{ReasonOlderThanRetention, ReasonMissingValue, ReasonMissingValue, ReasonInvalidValue}) {
		t.Errorf("result %+v", res)
	}
	if e := stored[0]; e.Basis != "teaching data" || e.GivenAt != 0 || e.ReceiptID != "" || e.Time != at(2020) || e.Session == 0 || e.Contact != nil || tags[0] != 7 || e.Visitor == stored[1].Visitor {
		t.Errorf("stored %+v", e)
	}
	if res, err = s.AcceptImport(t.Context(), imp, b); err != nil || res.Accepted != 0 || res.Duplicates != 3 {
		t.Errorf("again: %+v %v", res, err)
	}
	permit, err := gate.ImportPermit("demo", "9", "teaching data")
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]consentgate.Permit{"zero": {}, "an import's": permit} {
		if _, err := s.Accept(t.Context(), p, b); !errors.Is(err, ErrNoPermit) {
			t.Errorf("%s permit for live events: %v", name, err)
		}
	}
}

// noLedger is for gates that are asked for import permits only.
type noLedger struct{}

func (noLedger) Append(context.Context, consentgate.Record) error { return os.ErrInvalid }
