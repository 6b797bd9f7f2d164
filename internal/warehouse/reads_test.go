package warehouse

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/consentgate"
)

func TestKnownEventIDs(t *testing.T) {
	w := openTest(t)
	ctx := context.Background()
	insert(t, w, "a", collector.Event{Shop: "demo", ID: eventID(1), Name: "page_view", Time: at(time.Minute), Visitor: 1, Page: "/"})
	insert(t, w, "b", collector.Event{Shop: "demo", ID: eventID(1), Name: "page_view", Time: at(0), Visitor: 2, Page: "/"},
		collector.Event{Shop: "other", ID: eventID(2), Name: "page_view", Time: at(0), Visitor: 2, Page: "/"})
	ids := make([][16]byte, 20_000) // several questions
	for i := range ids {
		ids[i] = eventID(uint64(i))
	}
	known, err := w.KnownEventIDs(ctx, "demo", ids)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[[16]byte]int64{eventID(1): at(0)}; !reflect.DeepEqual(known, want) {
		t.Errorf("known: %v, want %v", known, want)
	}
	seen := map[[16]byte]bool{}
	if err := w.EachEventID(ctx, func(id [16]byte) { seen[id] = true }); err != nil || len(seen) != 2 {
		t.Errorf("each: %v %v", seen, err)
	}
}

func TestLedger(t *testing.T) {
	w := openTest(t)
	ctx := context.Background()
	grant := consentgate.Record{ID: "r1", Shop: "demo", Visitor: 1<<63 + 7, Aliases: []consentgate.Pseudonym{70}, Action: consentgate.ActionGrant, ReceiptID: "r1",
		Granted: []string{"analytics"}, Denied: []string{"marketing"}, Choices: []byte(`{"marketing":{"frequency":"weekly"}}`), NoticeVersion: "2026-11",
		NoticeLanguage: "nl", NoticeSHA256: "ab", Source: "banner", GivenAt: at(0), RecordedAt: at(time.Second), ExpiresAt: at(time.Hour)}
	withdrawal := consentgate.Record{ID: "w1", Shop: "demo", Visitor: 1<<63 + 7, Action: consentgate.ActionWithdrawal, ReceiptID: "r1",
		Revoked: []string{"*"}, GivenAt: at(time.Minute), RecordedAt: at(time.Minute), Erase: true}
	refusal := consentgate.Record{ID: "n1", Shop: "demo", Action: consentgate.ActionRefusal, Denied: []string{"analytics", "marketing"}, GivenAt: at(0)}
	for _, token := range []string{"1", "1", "2"} { // twice the same batch, then the same rows in another
		if err := w.Insert(ctx, token, nil, []consentgate.Record{grant, refusal, withdrawal}); err != nil {
			t.Fatal(err)
		}
	}
	for what, visitor := range map[string]consentgate.Pseudonym{"own": 1<<63 + 7, "alias": 70} {
		got, err := w.LatestDecisions(ctx, "demo", []consentgate.Pseudonym{5, visitor})
		want := []consentgate.Record{grant, withdrawal}
		if what == "alias" {
			want = want[:1]
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", what, got, err)
		}
	}
	var all []consentgate.Record
	for r, err := range w.ConsentRecords(ctx, base.Add(time.Minute)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) != 1 || all[0].ID != "w1" || !all[0].Erase {
		t.Errorf("since: %+v", all)
	}
	if n := count(t, w, "SELECT sum(count) FROM consent_counts FINAL WHERE decision = 'refused'"); n != 2 {
		t.Errorf("refusals: %d, want one a purpose", n)
	}
}

type opener struct{}

func (opener) Open(shop, field string, sealed []byte) ([]byte, error) {
	if string(sealed) == "broken" {
		return nil, errors.New("unknown key")
	}
	return []byte(shop + "/" + field + "/" + string(sealed)), nil
}

func TestPersonalData(t *testing.T) {
	w := openTest(t)
	w.sealed = opener{}
	insert(t, w, "a",
		collector.Event{Shop: "demo", ID: eventID(1), Name: "page_view", Time: at(0), Visitor: 1, Session: 255, Page: "/glass"},
		collector.Event{Shop: "demo", ID: eventID(2), Name: "purchase", CartEvent: true, Time: at(1), Visitor: 1, Cart: 7, Value: euro("24.50"), Currency: "EUR", Contact: []byte("mail"), CartRef: []byte("broken")},
		collector.Event{Shop: "demo", ID: eventID(3), Name: "page_view", Time: at(0), Visitor: 2, Page: "/secret"})
	if err := w.Insert(context.Background(), "c", nil, []consentgate.Record{{ID: "r", Shop: "demo", Visitor: 1, Action: consentgate.ActionGrant, Granted: []string{"analytics"}, GivenAt: at(0), RecordedAt: at(0)}}); err != nil {
		t.Fatal(err)
	}
	v, err := w.PersonalData(context.Background(), "demo", []consentgate.Pseudonym{1, 99})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string][]map[string]any
	if err := json.Unmarshal(v, &got); err != nil {
		t.Fatal(err)
	}
	for section, n := range map[string]int{"consents": 1, "sessions": 1, "events": 2, "carts": 1, "orders": 1} {
		if len(got[section]) != n {
			t.Errorf("%s: %v, want %d", section, got[section], n)
		}
	}
	if s := string(v); strings.Contains(s, "secret") || !strings.Contains(s, `"page":"/glass"`) || !strings.Contains(s, `"time":"2026-01-05T09:00:00.000Z"`) ||
		!strings.Contains(s, `"contact":"demo/contact/mail"`) || !strings.Contains(s, `"session":"00000000000000ff"`) || !strings.Contains(s, `"value":"24.5"`) {
		t.Error(s)
	}
}
