package e2e

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Killed with -9 in the middle of the load, again and again: what was acknowledged is stored exactly once, and every figure is right.
func TestKilledUnderLoad(t *testing.T) {
	k := serve(t, options{idle: idle})
	s := shop(t, k, 32)
	for round := range 4 {
		time.Sleep(200*time.Millisecond + rand.N(900*time.Millisecond)) // at any moment
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
