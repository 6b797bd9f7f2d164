package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// beside makes the directory of a collector that has the same keys as another one.
func beside(t *testing.T, k *kassa) string {
	t.Helper()
	dir := directory(t)
	keys := filepath.Join(dir, "data", "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(keys, os.DirFS(filepath.Join(k.data, "keys"))); err != nil {
		t.Fatal(err)
	}
	private(t, keys)
	return dir
}

// Two collectors on one warehouse: an event counts once whichever it comes to, and a withdrawal at one holds at the other.
func TestTwoCollectorsShareAWarehouse(t *testing.T) {
	seed := serve(t, options{}) // makes the keys that both have
	seed.stop()
	e := openEngine(t, seed.dir, seed.file)
	collector := func() *kassa {
		return serve(t, options{dir: beside(t, seed), idle: idle, yaml: "warehouse: " + e.url + "/kassa\n"})
	}
	a, b := collector(), collector()

	visitor := fresh("shared")
	receipt := a.grant(visitor)
	events := batch(visitor, receipt,
		object{"id": "one", "name": "add_to_cart", "time": ago(40), "cart": "shared", "value": "10.00"},
		object{"id": "two", "name": "purchase", "time": ago(35), "cart": "shared", "value": "10.00", "order": "o1"})
	for _, k := range []*kassa{a, b, a, b} { // the receipt is good at both: they have the same keys
		k.events(events).is(t, 202, "", "")
	}
	for i := range 20 { // the same ids at both, at one time
		e := batch(visitor, receipt, object{"id": fmt.Sprintf("twin-%d", i), "name": "add_to_cart", "time": ago(30), "cart": fmt.Sprintf("twin-%d", i), "value": "1.00"})
		done := make(chan answer, 2)
		for _, k := range []*kassa{a, b} {
			go func() {
				got, err := request(http.MethodPost, k.public+"/v1/events", e)
				if err != nil {
					got.body = err.Error()
				}
				done <- got
			}()
		}
		for range 2 {
			(<-done).is(t, 202, "", "")
		}
	}
	a.settle()
	b.settle()
	for _, k := range []*kassa{a, b} {
		eventually(t, 10*time.Second, "the same report at both", func() string {
			var c checkout
			var who customers
			if err := k.report("/checkout?"+span(1), &c); err != nil {
				return err.Error()
			}
			if err := k.report("/customers?"+span(1), &who); err != nil {
				return err.Error()
			}
			if c.Totals.Carts != 21 || c.Totals.Purchased != 1 || c.Totals.Abandoned != 20 || c.Totals.AbandonedValue["EUR"] != "20.00" || who.Orders != 1 || who.Revenue["EUR"] != "10.00" {
				return fmt.Sprintf("%+v, %+v", c.Totals, who)
			}
			return ""
		})
	}

	must(t, http.MethodPost, a.public+"/v1/consent/withdraw", object{"receipt": receipt}).is(t, 204, "", "")
	a.events(batch(visitor, receipt, object{"id": fresh("e"), "name": "page_view"})).is(t, 403, "consent-withdrawn", "")
	took := eventually(t, 2*time.Second, "the withdrawal at the other collector", func() string {
		got := b.events(batch(visitor, receipt, object{"id": fresh("e"), "name": "page_view"}))
		if got.status != 403 || got.Type != "consent-withdrawn" {
			return fmt.Sprintf("%d %s", got.status, got.body)
		}
		return ""
	})
	t.Logf("a withdrawal holds at the other collector after %v", took.Round(time.Millisecond))

	// A consent given at one is recorded for the other's server-side events.
	server := fresh("server")
	a.grant(server)
	eventually(t, 5*time.Second, "the consent at the other collector", func() string {
		return notStatus(b.events(batch(server, "", object{"id": "server-side", "name": "page_view"}), bearer(b.ingest)), 202)
	})

	// Without the warehouse they go on taking events; with it back everything is counted once.
	e.kill()
	lonely := fresh("lonely")
	late := batch(lonely, a.grant(lonely), object{"id": "late", "name": "add_to_cart", "time": ago(40), "cart": "late", "value": "3.00"})
	a.events(late).is(t, 202, "", "")
	must(t, http.MethodGet, a.private+"/readyz", nil).is(t, 200, "", "")
	// Whoever withdraws before the events are stored has them left out.
	regrets := fresh("regrets")
	regretted := a.grant(regrets)
	a.events(batch(regrets, regretted, object{"id": "regretted", "name": "add_to_cart", "time": ago(40), "cart": "regretted", "value": "50.00"})).is(t, 202, "", "")
	must(t, http.MethodPost, a.public+"/v1/consent/withdraw", object{"receipt": regretted, "erase": true}).is(t, 204, "", "")
	eventually(t, 10*time.Second, "the outage in the metrics", func() string {
		m, _ := a.scrape()
		if m["kassa_warehouse_up"] != 0 || m["kassa_spool_pending_events"] != 2 {
			return fmt.Sprintf("up %v, pending %v", m["kassa_warehouse_up"], m["kassa_spool_pending_events"])
		}
		return ""
	})
	again := launch(t, seed.dir, engineEnv(), programs.kassa, "engine", "--config", seed.file, "--listen", e.url[len("http://"):])
	again.until("the engine is ready", startBound)
	b.events(late).is(t, 202, "", "")
	a.settle()
	b.settle()
	eventually(t, 10*time.Second, "what came during the outage", func() string {
		var c checkout
		if err := b.report("/checkout?"+span(1), &c); err != nil {
			return err.Error()
		}
		if c.Totals.Carts != 22 || c.Totals.AbandonedValue["EUR"] != "23.00" {
			return fmt.Sprintf("%+v", c.Totals)
		}
		return ""
	})
	if m, _ := a.scrape(); m["kassa_events_suppressed_total"] != 1 || m["kassa_warehouse_up"] != 1 {
		t.Errorf("suppressed %v, warehouse up %v; want 1, 1", m["kassa_events_suppressed_total"], m["kassa_warehouse_up"])
	}
	a.stop()
	b.stop()
}

// Asked to stop while the warehouse is away: it ends well and soon, and the next start delivers what was acknowledged.
func TestStoppedDuringAnOutage(t *testing.T) {
	seed := serve(t, options{})
	seed.stop()
	e := openEngine(t, seed.dir, seed.file)
	k := serve(t, options{dir: beside(t, seed), idle: idle, yaml: "warehouse: " + e.url + "/kassa\n"})
	s := shop(t, k, 4)
	time.Sleep(500 * time.Millisecond)
	e.kill()
	time.Sleep(500 * time.Millisecond)
	s.finish()
	acknowledged, _ := s.ids()
	_, _, _, pending := k.balance()
	start := time.Now()
	k.stop()
	took := time.Since(start)
	t.Logf("ended after %v with %v of %d acknowledged events waiting", took.Round(time.Millisecond), pending, len(acknowledged))
	if took > 10*time.Second { // what container runtimes allow before they kill
		t.Errorf("ended after %v", took)
	}
	if pending == 0 {
		t.Error("nothing waited")
	}
	again := launch(t, seed.dir, engineEnv(), programs.kassa, "engine", "--config", seed.file, "--listen", e.url[len("http://"):])
	again.until("the engine is ready", startBound)
	k.start()
	k.settle()
	eventually(t, 10*time.Second, "the reports", func() string { return s.wrong(k) })
	k.stop()
	again.signal(syscall.SIGTERM)
	if status := again.wait(stopBound); status != 0 {
		t.Errorf("the engine ended with status %d", status)
	}
	stored(t, seed, acknowledged, nil)
}
