package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What was acknowledged is in the reports within 5 seconds and in /metrics within 15.
func TestLatency(t *testing.T) {
	k := serve(t, options{})
	var before checkout
	if err := k.report("/checkout?"+span(0), &before); err != nil || before.Totals.Carts != 0 || before.Totals.AbandonmentRate != nil || len(before.Steps) != 5 {
		t.Errorf("a shop without data: %+v, %v", before, err)
	}
	for i := range 2 {
		visitor := fresh("quick")
		receipt := k.grant(visitor)
		k.events(batch(visitor, receipt, object{"id": fresh("e"), "name": "add_to_cart", "cart": fresh("c"), "value": "1.00"})).is(t, 202, "", "")
		start := time.Now()
		report := eventually(t, 5*time.Second, "the cart in /checkout", func() string {
			var c checkout
			if err := k.report("/checkout?"+span(1), &c); err != nil {
				return err.Error()
			}
			if c.Totals.Carts != i+1 {
				return fmt.Sprintf("%d carts", c.Totals.Carts)
			}
			return ""
		})
		eventually(t, 15*time.Second-time.Since(start), "the cart in /metrics", func() string {
			m, _ := k.scrape()
			if n := m[`webshop_checkout_carts{shop="demo",step="add_to_cart",window="1d"}`]; n != float64(i+1) {
				return fmt.Sprintf("%v carts", n)
			}
			return ""
		})
		t.Logf("in /checkout after %v, in /metrics after %v", report.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	}
	k.stop()
	if strings.Contains(k.log.String(), `"level":"WARN"`) {
		t.Errorf("a warning in an ordinary life:\n%s", k.log.tail(2000))
	}
}
