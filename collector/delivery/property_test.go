package delivery

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/collector"
)

// Any schedule of appends with duplicates and poison, lost answers, refused
// connections, restarts and crashes at any boundary: every acknowledged id has its
// one outcome, and the sums are right at each step.
func TestAnyScheduleOfFaults(t *testing.T) {
	points := []string{"judged", "sealed", "isolated", "inserted", "lettered", "stated", "forgotten"}
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		r.t = t
		r.filter = rapid.Bool().Draw(rt, "filter")
		r.limit = rapid.IntRange(1, 12).Draw(rt, "events a batch")
		r.wh.poison["poison"] = true
		r.rule.gone[2] = true
		r.start()
		defer func() { r.stop() }()

		var accepted, gone int64
		ids, poison := map[int]bool{}, 0
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0:
				r.wh.do(func() { r.wh.before = rapid.IntRange(0, 3).Draw(rt, "refused") })
			case 1:
				r.wh.do(func() { r.wh.after = rapid.IntRange(0, 3).Draw(rt, "answers lost") })
			case 2:
				r.arm(rapid.SampledFrom(points).Draw(rt, "crash at"))
			case 3:
				r.restart()
			case 4:
				r.settle()
			default:
				var events []collector.Event
				for _, n := range rapid.SliceOfN(rapid.IntRange(0, 40), 1, 6).Draw(rt, "ids") {
					ev := event(n)
					ev.Time += int64(rapid.IntRange(0, 3).Draw(rt, "skew"))
					switch {
					case n%11 == 10:
						ev.Name = "poison"
						poison++
					case ev.Visitor == 2:
						gone++
					default:
						ids[n] = true
					}
					events = append(events, ev)
				}
				accepted += int64(len(events))
				r.add(1, events...)
			}
			if got := r.d.Counters().Accepted(); got != accepted {
				rt.Fatalf("accepted %d, want %d", got, accepted)
			}
		}
		r.arm("")
		r.settle()
		r.restart()
		r.settle()
		c := r.d.Counters()
		if c.Pending != 0 || c.Accepted() != accepted {
			rt.Fatalf("%+v, want %d accepted", c, accepted)
		}
		if c.Stored != int64(len(ids)) || len(r.wh.rows) != len(ids) {
			rt.Fatalf("stored %d, rows %d, want %d", c.Stored, len(r.wh.rows), len(ids))
		}
		if got := r.d.TagOutcome(1); got != c.Outcome {
			rt.Fatalf("tag %+v, total %+v", got, c.Outcome)
		}
		if n := int64(len(r.letters())); n != c.DeadLettered {
			rt.Fatalf("%d letters, %d counted", n, c.DeadLettered)
		}
		for n := range ids {
			if _, ok := r.wh.rows[id(n)]; !ok {
				rt.Fatalf("id %d was acknowledged and is not stored", n)
			}
		}
	})
}
