package collector

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode(t *testing.T) {
	var b Batch
	body := `{"shop":"demo","receipt":"r","visitor":"v","session":"s","sent_at":1763898000123,"extra":{"a":[1,{"b":null}]},
	 "events":[{"id":"01K","name":"add_to_cart","time":"2025-11-23T12:40:00+01:00","page":"/p/gl\u00e4ss?x=1","title":"T","language":"nl","referrer":"https://www.google.com/",
	   "campaign":{"source":"a","medium":"b","name":"c","term":"d","content":"e","id":"dropped"},
	   "cart":"c-81","currency":"EUR","value":"24.50","shipping":6.95,"tax":1e1,"fees":0,"discount":null,"coupon":"C","order":"o","customer":"k","contact":"x@y.z",
	   "payment_type":"p","shipping_tier":"t","error":{"kind":"payment_declined","detail":"no","code":1},
	   "items":[{"id":"SKU-1","name":"Glass","category":"Glas","variant":"","price":"12.25","quantity":2,"brand":"x"},{"id":42}]},
	  {"id":"2","name":"page_view","campaign":null,"error":null,"items":null,"time":null}]}`
	for range 2 { // a reused batch gives the same
		if err := Decode([]byte(body), &b); err != nil {
			t.Fatal(err)
		}
		want := []Input{
			{ID: "01K", Name: "add_to_cart", Time: 1763898000000, Page: "/p/gläss?x=1", Title: "T", Language: "nl", Referrer: "https://www.google.com/",
				Campaign: Campaign{"a", "b", "c", "d", "e"}, Cart: "c-81", Currency: "EUR", Value: "24.50", Shipping: "6.95", Tax: "1e1", Fees: "0",
				Coupon: "C", Order: "o", Customer: "k", Contact: "x@y.z", PaymentType: "p", ShippingTier: "t", ErrorKind: "payment_declined", ErrorDetail: "no",
				Items: []InputItem{{ID: "SKU-1", Name: "Glass", Category: "Glas", Price: "12.25", Quantity: "2"}, {ID: "42"}}},
			{ID: "2", Name: "page_view"},
		}
		if !reflect.DeepEqual(b.Events, want) {
			t.Errorf("events\n got %+v\nwant %+v", b.Events, want)
		}
		if b.Shop != "demo" || b.Receipt != "r" || b.Visitor != "v" || b.Session != "s" || b.SentAt != 1763898000123 || b.Unknown != 4 || len(b.Faults()) != 0 {
			t.Errorf("batch %+v", b)
		}
	}
}

// A field of the wrong type costs its event, with a pointer to it, and no other.
func TestDecodeWrongTypes(t *testing.T) {
	for field, pointer := range map[string]string{
		`"id":7`: "/id", `"name":null,"title":{}`: "/title", `"time":true`: "/time", `"time":"soon"`: "/time", `"page":[]`: "/page", `"campaign":"x"`: "/campaign",
		`"campaign":{"source":1}`: "/campaign/source", `"value":true`: "/value", `"value":{"amount":1}`: "/value", `"items":{}`: "/items", `"items":[1]`: "/items/0",
		`"items":[{},{"price":[]}]`: "/items/1/price", `"items":[{"quantity":false}]`: "/items/0/quantity", `"error":"x"`: "/error", `"error":{"kind":1}`: "/error/kind",
		`"items":[` + strings.Repeat(`{},`, 200) + `{}]`: "/items",
	} {
		var b Batch
		if err := Decode([]byte(`{"events":[{`+field+`},{"id":"good"}]}`), &b); err != nil {
			t.Errorf("%s: %v", field, err)
			continue
		}
		if f := b.Events[0].fault; f == nil || f.Pointer != pointer {
			t.Errorf("%s: fault %+v, want one at %s", field, f, pointer)
		}
		if b.Events[1].fault != nil || b.Events[1].ID != "good" {
			t.Errorf("%s: the other event suffered: %+v", field, b.Events[1])
		}
	}
}

func TestDecodeMalformed(t *testing.T) {
	for _, body := range []string{
		"", " ", "{", "}", `{"events":[`, `{"events":[{"id":"a"`, `{"a":1,}`, `{a:1}`, `{'a':1}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":"` + "\n" + `"}`,
		`{"a":"\x"}`, `{"a":"\udc00"}`, "{\"a\":\"\xc3\x28\"}", "{\"\xff\":1}", `{}{}`, `{} x`, `{"a":1,"a":2}`, `{"shop":"x","shop":"y"}`, `{"events":[{"items":[{"id":"1","id":"2"}]}]}`, "\ufeff{}", "nul",
		strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
	} {
		var b Batch
		err := Decode([]byte(body), &b)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%.60q: error %v", body, err)
		} else if len(err.Error()) > 200 {
			t.Errorf("%.60q: the error repeats the body: %v", body, err)
		}
	}
	var b Batch
	if err := Decode([]byte(`{"events":[`+strings.Repeat(`{},`, 500)+`{}]}`), &b); !errors.Is(err, ErrTooManyEvents) {
		t.Errorf("501 events: %v", err)
	}
}

func TestDecodeBoundsItems(t *testing.T) {
	var b Batch
	event := `{"items":[` + strings.TrimSuffix(strings.Repeat(`{},`, 200), ",") + `]}`
	if err := Decode([]byte(`{"events":[`+strings.TrimSuffix(strings.Repeat(event+",", 100), ",")+`]}`), &b); err != nil {
		t.Fatal(err)
	}
	if cap(b.items) > 2*maxBatchItems || b.Events[49].fault != nil || b.Events[50].fault == nil || b.Events[50].fault.Reason != ReasonTooManyItems {
		t.Errorf("%d items kept; event 49 %+v, event 50 %+v", cap(b.items), b.Events[49].fault, b.Events[50].fault)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"shop":"demo","receipt":"r","visitor":"v","sent_at":1,"events":[{"id":"1","name":"purchase","time":"2026-01-01T00:00:00Z","page":"/a%40b.c?utm_source=x","value":1e2,"items":[{"id":1,"price":"2","quantity":3}]}]}`,
		`{"events":[[],{},null,1,{"campaign":{"source":"x"},"error":{"kind":"other"}}]}`, `{"events":[{"id":"\ud83d\ude00"}]}`, `[]`, `{"a":1,"a":2}`, `{"events":{}}`, "",
	} {
		f.Add([]byte(seed))
	}
	keys, rules := testKeys(f), testRules(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var b Batch
		before := string(body)
		err := Decode(body, &b)
		if string(body) != before {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		if len(b.Events) > MaxEvents || len(b.items) > maxBatchItems {
			t.Fatalf("%d events, %d items", len(b.Events), len(b.items))
		}
		// Whatever was decoded can be judged; what is good can be stored and read back.
		j := judge{keys: keys, rules: rules, batch: &b, marketing: true}
		j.clock = newBatchClock(testNow, b.SentAt, testNow.Add(-maxAge))
		var good []Event
		for i := range b.Events {
			var ev Event
			err := j.fill(&ev, &b.Events[i])
			var fault *Rejection
			if err != nil && !errors.As(err, &fault) {
				t.Fatal(err)
			}
			if err == nil {
				for _, s := range []string{ev.Page, ev.Source, ev.Coupon, ev.Referrer} {
					if !utf8.ValidString(s) {
						t.Fatalf("event holds bad UTF-8: %q", s)
					}
				}
				if strings.ContainsAny(ev.Page, "?#") || looksLikeEmail(ev.Page) {
					t.Fatalf("page kept too much: %q", ev.Page)
				}
				good = append(good, ev)
			}
		}
		if len(good) == 0 {
			return
		}
		back, err := DecodeEvents(AppendEvents(nil, good))
		if err != nil || fmt.Sprint(len(back)) != fmt.Sprint(len(good)) {
			t.Fatalf("reading back: %d of %d, %v", len(back), len(good), err)
		}
	})
}
