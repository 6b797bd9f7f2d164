package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nothing that was sent about a person stands readable anywhere: not in the files, not in the tables, not in the log.
func TestNoRawIdentifiersAreKept(t *testing.T) {
	k := serve(t, options{yaml: "trusted_proxies: [127.0.0.0/8]\n", shop: "    exclude: {customers: [\"raw-customer-of-staff\"]}"})
	const visitor = "raw-visitor-Zk3rQ0aT7y"
	secrets := []string{
		visitor, "raw-session-77", "raw-cart-81", "raw-order-1001", "raw-customer-4711", "raw-contact@example.org", "203.0.113.77", "RawAgent/9.8.7",
		"raw-event-id-5", "raw.name@example.net", "raw-query-secret", "raw-fragment", "raw-title-of-page", "raw-unknown-field", "raw-referrer-path", "raw-refusing-visitor-1", "raw-value-of-unknown",
	}
	forwarded := []change{header("X-Forwarded-For", "203.0.113.77"), header("User-Agent", browser+" RawAgent/9.8.7")}
	a := k.consent(decision(visitor, true, true), forwarded...)
	a.is(t, 201, "", "")
	k.consent(decision("raw-refusing-visitor-1", false, false), forwarded...).is(t, 200, "", "")
	k.consent(decision("raw-refusing-visitor-1", true, false), append(forwarded, header("Origin", "https://evil.example"))...).is(t, 403, "", "")
	body := batch(visitor, *a.Receipt)
	body["session"] = "raw-session-77"
	var events []object
	for i, name := range []string{"page_view", "add_to_cart", "begin_checkout", "checkout_error", "purchase", "refund"} {
		events = append(events, object{
			"id": fmt.Sprintf("raw-event-id-5-%d", i), "name": name, "page": "/account/raw.name@example.net/orders?token=raw-query-secret&utm_source=letter#raw-fragment",
			"title": "raw-title-of-page", "referrer": "https://search.example/raw-referrer-path?q=raw-query-secret", "cart": "raw-cart-81", "order": "raw-order-1001", "customer": "raw-customer-4711",
			"contact": "raw-contact@example.org", "currency": "EUR", "value": "12.00", "raw-unknown-field": "raw-value-of-unknown",
			"error": object{"kind": "payment_declined", "detail": "insufficient_funds"}, "items": []object{{"id": "SKU-1", "name": "Glass", "price": "12.00", "raw-unknown-field": "raw-value-of-unknown"}},
		})
	}
	body["events"] = events
	if got := k.events(body, forwarded...); got.Accepted != len(events) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	k.events(`{"shop":"demo","visitor":"`+visitor+`","receipt":"x","session":"raw-session-77","events":[`, forwarded...).is(t, 400, "", "")
	search(t, k.data, secrets) // the spool still has it
	must(t, http.MethodGet, k.public+"/raw-visitor-Zk3rQ0aT7y", nil, forwarded...).is(t, 404, "", "")
	k.settle()
	if _, text := k.scrape(); true {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("/metrics shows %q", s)
			}
		}
	}
	search(t, k.data, secrets)
	k.stop()
	search(t, k.data, secrets)
	for _, s := range secrets {
		if strings.Contains(k.log.String(), s) {
			t.Errorf("the log shows %q", s)
		}
	}

	conn := openEngine(t, k.dir, k.file).connect()
	rows, err := conn.Query(t.Context(), `SELECT database, table, name FROM system.columns
		WHERE (database = 'kassa' OR database = 'default' OR database = 'system' AND table LIKE '%\_log') AND type NOT LIKE '%AggregateFunction(%' AND table NOT LIKE '%\_view'
		AND table != 'incoming'`)
	if err != nil {
		t.Fatal(err)
	}
	type column struct{ database, table, name string }
	var columns []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.database, &c.table, &c.name); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	list := "['" + strings.Join(secrets, "','") + "']"
	var holds []string // the sanity check: what may be kept is found
	for _, c := range columns {
		var found, allowed uint64
		sql := fmt.Sprintf("SELECT countIf(multiSearchAny(toString(`%[3]s`), %[4]s)), countIf(position(toString(`%[3]s`), 'Glass') > 0) FROM `%[1]s`.`%[2]s`", c.database, c.table, c.name, list)
		if err := conn.QueryRow(t.Context(), sql).Scan(&found, &allowed); err != nil {
			t.Fatalf("%v in %s", err, sql)
		}
		if found > 0 {
			t.Errorf("%s.%s.%s holds what was sent, in %d rows", c.database, c.table, c.name, found)
		}
		if allowed > 0 {
			holds = append(holds, c.table+"."+c.name)
		}
	}
	t.Logf("%d columns searched; the name of a product is in %v", len(columns), holds)
	if len(columns) < 100 || len(holds) == 0 {
		t.Error("too little was searched")
	}
}

// search looks for texts in the bytes of all files below dir.
func search(t *testing.T, dir string, texts []string) {
	t.Helper()
	files, size := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // gone since, as parts go when they are merged
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		files, size = files+1, size+len(b)
		for _, s := range texts {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s holds %q", path, s)
			}
		}
		return nil
	})
	if err != nil || files < 10 || size == 0 {
		t.Errorf("%d files with %d bytes were searched, %v", files, size, err)
	}
}

// A visitor sees everything that is held, with what was sealed opened, whoever holds the receipt and nobody else.
func TestMyData(t *testing.T) {
	k := serve(t, options{})
	visitor, stranger := fresh("mine"), fresh("stranger")
	a := k.consent(decision(visitor, true, true))
	for v, receipt := range map[string]string{visitor: *a.Receipt, stranger: k.grant(stranger)} {
		k.events(batch(v, receipt,
			object{"id": fresh("e"), "name": "page_view", "page": "/page-of-" + v, "referrer": "https://www.google.com/"},
			object{"id": fresh("e"), "name": "add_to_cart", "cart": "cart-of-" + v, "contact": v + "@example.org", "value": "12.34"},
			object{"id": fresh("e"), "name": "purchase", "cart": "cart-of-" + v, "order": "order-of-" + v, "value": "12.34"})).is(t, 202, "", "")
	}
	k.settle()
	var held struct {
		Consents, Sessions, Events, Carts, Orders []object
	}
	ask := func(receipt string) answer {
		return must(t, http.MethodPost, k.public+"/v1/my-data", object{"receipt": receipt})
	}
	got := ask(*a.Receipt)
	if err := json.Unmarshal([]byte(got.body), &held); err != nil || got.status != 200 || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %s", got.status, got.header, got.body)
	}
	if len(held.Consents) != 1 || len(held.Sessions) != 1 || len(held.Events) != 3 || len(held.Carts) != 1 || len(held.Orders) != 1 {
		t.Errorf("%s", got.body)
	}
	for _, want := range []string{"/page-of-" + visitor, visitor + "@example.org", "12.34", a.ReceiptID} {
		if !strings.Contains(got.body, want) {
			t.Errorf("does not show %s: %s", want, got.body)
		}
	}
	if strings.Contains(got.body, stranger) {
		t.Errorf("shows somebody else's: %s", got.body)
	}
	ask("").is(t, 403, "consent-required", "")
	ask((*a.Receipt)[:50]).is(t, 403, "consent-invalid", "")
	must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": *a.Receipt}).is(t, 204, "", "")
	ask(*a.Receipt).is(t, 200, "", "") // the data may still be there
	k.stop()
}
