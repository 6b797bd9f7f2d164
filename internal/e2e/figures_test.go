package e2e

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// checkout is what the tests read of /checkout.
type checkout struct {
	Steps []struct {
		Step             string
		Carts, Abandoned int
	}
	Totals struct {
		Carts, Open, Purchased, Recovered, Abandoned, Emptied, Superseded int
		AbandonmentRate                                                   *float64          `json:"abandonment_rate"`
		AbandonedValue                                                    map[string]string `json:"abandoned_value"`
	}
}

// customers is what the tests read of /customers.
type customers struct {
	Customers, New, Returning, Orders int
	Revenue                           map[string]string
}

// samples are the metrics by name with labels, as they are written.
type samples map[string]float64

// names without labels.
func (s samples) names() map[string]bool {
	out := map[string]bool{}
	for k := range s {
		name, _, _ := strings.Cut(k, "{")
		out[name] = true
	}
	return out
}

// scrape reads /metrics.
func (k *kassa) scrape(changes ...change) (samples, string) {
	k.t.Helper()
	a := must(k.t, http.MethodGet, k.private+"/metrics", nil, changes...)
	if a.status != http.StatusOK {
		k.t.Fatalf("/metrics: %d %s", a.status, a.body)
	}
	out := samples{}
	for lines := bufio.NewScanner(strings.NewReader(a.body)); lines.Scan(); {
		line := lines.Text()
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			v, err := strconv.ParseFloat(line[i+1:], 64)
			if err != nil {
				k.t.Fatalf("/metrics: %q", line)
			}
			out[line[:i]] = v
		}
	}
	return out, a.body
}

// balance checks that every accepted event has exactly one outcome, and gives how many wait.
func (k *kassa) balance(changes ...change) (accepted, stored, late, pending float64) {
	k.t.Helper()
	m, _ := k.scrape(changes...)
	accepted, stored, late, pending = m["kassa_events_accepted_total"], m["kassa_events_stored_total"], m["kassa_events_late_duplicate_total"], m["kassa_spool_pending_events"]
	if sum := stored + late + m["kassa_events_dead_lettered_total"] + m["kassa_events_suppressed_total"] + pending; accepted != sum {
		k.t.Errorf("accepted %v, but stored %v + late duplicates %v + dead-lettered %v + suppressed %v + pending %v = %v", accepted, stored, late,
			m["kassa_events_dead_lettered_total"], m["kassa_events_suppressed_total"], pending, sum)
	}
	return accepted, stored, late, pending
}

// settle waits until nothing waits in the spool.
func (k *kassa) settle() {
	k.t.Helper()
	eventually(k.t, 30*time.Second, "the spool to be delivered", func() string {
		if _, _, _, pending := k.balance(); pending > 0 {
			return strconv.FormatFloat(pending, 'f', 0, 64) + " events pending"
		}
		return ""
	})
}
