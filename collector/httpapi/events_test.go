package httpapi

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
)

func tokenOf(t testing.TB, shop string, role auth.Role, hash string) auth.Token {
	t.Helper()
	b, err := hex.DecodeString(hash)
	if err != nil {
		t.Fatal(err)
	}
	return auth.Token{Name: string(role), Shop: shop, Role: role, SHA256: [32]byte(b)}
}

var analytics = map[string]bool{"analytics": true}

// batch is a body with one event, whose fields may be replaced.
func batch(receipt, fields string) string {
	if fields == "" {
		fields = `"id":"e1","name":"page_view","page":"/"`
	}
	return fmt.Sprintf(`{"shop":"demo","receipt":%q,"visitor":%q,"session":"s1","events":[{%s}]}`, receipt, visitor, fields)
}

func TestAcceptedEventIsOnDiskPseudonymised(t *testing.T) {
	w := newWorld(t)
	r := w.receipt("demo", visitor, map[string]bool{"analytics": true, "marketing": true})
	a := w.post(batch(r, `"id":"e1","name":"add_to_cart","time":`+fmt.Sprint(start.Add(time.Second).UnixMilli())+`,"page":"https://shop.example/u/jan%40x.be/p?utm_source=news&utm_medium=email&q=secret#frag",
		"title":"Jan","language":"nl-BE","referrer":"https://www.google.com/search?q=secret","cart":"c-81","currency":"EUR","value":24.505,"contact":"jan@x.be",
		"items":[{"id":7,"name":"Glass","price":"12.25","quantity":2}],"secret":{"deep":[1]}`))
	if a.status != 202 || a.Accepted != 1 || len(a.Rejected) != 0 {
		t.Fatalf("answer %d %s", a.status, a.raw)
	}
	events := w.stored()
	if len(events) != 1 {
		t.Fatalf("%d events on disk", len(events))
	}
	e := events[0]
	if e.Page != "/u/(e-mail)/p" || e.Title != "" || e.Language != "nl" || e.Referrer != "www.google.com" || e.Source != "news" || e.Channel != "Email" {
		t.Errorf("minimisation: %+v", e)
	}
	if e.Value == nil || e.Value.Format(2) != "24.51" || e.Currency != "EUR" || len(e.Items) != 1 || e.Items[0].ID != "7" || e.Items[0].Quantity != 2 || !e.CartEvent {
		t.Errorf("goods: %+v", e)
	}
	if e.Device != "desktop" || e.Browser != "Chrome" || e.OS != "Linux" || e.Wire != "tag" {
		t.Errorf("agent: %+v", e)
	}
	for _, sealed := range []struct {
		field string
		b     []byte
		want  string
	}{{"contact", e.Contact, "jan@x.be"}, {"cart_ref", e.CartRef, "c-81"}} {
		if got, err := w.keys.Open("demo", sealed.field, sealed.b); err != nil || string(got) != sealed.want {
			t.Errorf("%s opens as %q, %v", sealed.field, got, err)
		}
	}
}
