package e2e

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// Killed with -9 in the middle of the load, again and again: what was acknowledged is stored exactly once, and every figure is right.
func TestKilledUnderLoad(t *testing.T) {
	k := serve(t, options{idle: idle})
	s := shop(t, k, 32)
	highest := 0.0
	for round := range 4 {
		for until := time.Now().Add(200*time.Millisecond + rand.N(900*time.Millisecond)); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
			accepted, _, _, _ := k.balance() // holds at every moment, and what was counted once stays counted
			if accepted < highest {
				t.Errorf("accepted went from %v back to %v", highest, accepted)
			}
			highest = accepted
		}
		k.kill()
		k.start()
		s.serving(k)
		if round == 1 { // at once again, while it still catches up
			time.Sleep(rand.N(100 * time.Millisecond))
			k.kill()
			k.start()
			s.serving(k)
		}
	}
	s.finish()
	k.settle()
	acknowledged, _ := s.ids()
	accepted, inWarehouse, late, _ := k.balance()
	t.Logf("%d shoppers, %d events acknowledged; accepted %v = stored %v + late duplicates %v; %d repeats answered at once", len(s.shops), len(acknowledged), accepted, inWarehouse, late, s.repeated)
	if int(inWarehouse) != len(acknowledged) {
		t.Errorf("%v events counted as stored, %d acknowledged", inWarehouse, len(acknowledged))
	}
	eventually(t, 10*time.Second, "the reports", func() string { return s.wrong(k) })
	k.stop()
	stored(t, k, acknowledged, nil)
	k.start() // the counters outlive the process
	again, _, _, pending := k.balance()
	if again != accepted || pending != 0 {
		t.Errorf("after a restart accepted is %v, was %v; %v pending", again, accepted, pending)
	}
	if why := s.wrong(k); why != "" {
		t.Error("after a restart: " + why)
	}
}

// Asked to stop in the middle of the load: it ends well, in time, and everything acknowledged is in the warehouse by then.
func TestStoppedUnderLoad(t *testing.T) {
	k := serve(t, options{idle: idle})
	s := shop(t, k, 32)
	time.Sleep(1500 * time.Millisecond)
	start := time.Now()
	k.stop()
	took := time.Since(start)
	s.cease()
	acknowledged, unknown := s.ids()
	arrived := stored(t, k, acknowledged, unknown)
	t.Logf("%d events acknowledged, all stored when it ended after %v; of %d under way %d stored", len(acknowledged), took.Round(time.Millisecond), len(unknown), arrived)
}

// A decision that was answered outlives kill -9: it was on disk before.
func TestDecisionsOutliveAKill(t *testing.T) {
	k := serve(t, options{})
	event := func() object { return object{"id": fresh("e"), "name": "page_view"} }
	crash := func() {
		k.kill()
		k.start()
	}
	visitor := fresh("kept")
	receipt := k.grant(visitor)
	crash()
	k.events(batch(visitor, receipt, event())).is(t, 202, "", "")
	k.events(batch(visitor, "", event()), bearer(k.ingest)).is(t, 202, "", "") // by what is recorded
	must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": receipt}).is(t, 204, "", "")
	crash()
	k.events(batch(visitor, receipt, event())).is(t, 403, "consent-withdrawn", "")
	k.events(batch(visitor, "", event()), bearer(k.ingest)).is(t, 403, "consent-withdrawn", "")
	again := k.grant(visitor)
	k.consent(decision(visitor, false, false)).is(t, 200, "", "") // a refusal withdraws
	crash()
	for _, r := range []string{receipt, again} {
		k.events(batch(visitor, r, event())).is(t, 403, "consent-withdrawn", "")
	}
	third := k.grant(visitor)
	crash()
	k.events(batch(visitor, third, event())).is(t, 202, "", "")
	k.settle()
	crash() // now from the warehouse's ledger
	k.events(batch(visitor, third, event())).is(t, 202, "", "")
	k.events(batch(visitor, again, event())).is(t, 403, "consent-withdrawn", "")
	k.stop()
}
