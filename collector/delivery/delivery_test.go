package delivery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

func TestOutcomes(t *testing.T) {
	r := newRig(t)
	r.rule.gone[3] = true
	r.start()
	defer r.stop()
	late := event(1)
	late.Time += 60_000
	r.add(0, event(1), event(4), late)
	r.addConsent("c1")
	r.settle()
	r.add(9, event(4), event(5), event(2)) // 4 is known, 2 is visitor 3's
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 3, LateDuplicate: 2, Suppressed: 1}})
	if got, want := r.d.TagOutcome(9), (Outcome{Stored: 1, LateDuplicate: 1, Suppressed: 1}); got != want {
		t.Errorf("tag 9: %+v, want %+v", got, want)
	}
	if len(r.wh.rows) != 3 || r.wh.rows[id(1)].Time != event(1).Time || r.wh.consents["c1"].Shop != "demo" {
		t.Errorf("stored: %v, consents %v", r.wh.rows, r.wh.consents)
	}
	r.restart()
	r.want(Counters{Outcome: Outcome{Stored: 3, LateDuplicate: 2, Suppressed: 1}})
	if got, want := r.d.TagOutcome(9), (Outcome{Stored: 1, LateDuplicate: 1, Suppressed: 1}); got != want {
		t.Errorf("tag 9 after a restart: %+v, want %+v", got, want)
	}
}

// Whichever copy of an event comes first, its earliest time is what is stored.
func TestEarlierCopyOfAStoredEventIsInsertedAndCountedAsDuplicate(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	early, mid := event(1), event(1)
	mid.Time += 1000
	r.add(0, mid)
	r.settle()
	r.add(0, early)
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 1, LateDuplicate: 1}})
	if got := r.wh.rows[id(1)].Time; got != early.Time {
		t.Errorf("time %d, want %d", got, early.Time)
	}
}

func TestContactIsLeftOutWhereMarketingWasWithdrawn(t *testing.T) {
	r := newRig(t)
	r.rule.noMarketing[2] = true
	r.start()
	defer r.stop()
	a, b := event(1), event(2) // visitors 2 and 3
	a.Contact, b.Contact = []byte("sealed"), []byte("sealed")
	a.CartRef = []byte("ref")
	r.add(0, a, b)
	r.settle()
	if got := r.wh.rows[id(1)]; got.Contact != nil || got.CartRef != nil {
		t.Errorf("contact kept: %+v", got)
	}
	if got := r.wh.rows[id(2)]; string(got.Contact) != "sealed" {
		t.Errorf("contact lost: %+v", got)
	}
	r.want(Counters{Outcome: Outcome{Stored: 2}})
}

func TestUnknownOutcomeSendsTheIdenticalBatch(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	r.wh.do(func() { r.wh.before, r.wh.after = 3, 4 })
	r.add(0, event(1), event(2))
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 2}})
	if len(r.wh.tokens) != 1 || r.wh.inserts != 8 {
		t.Errorf("%d tokens in %d inserts", len(r.wh.tokens), r.wh.inserts)
	}
}

func TestWithdrawalDuringAnOutageIsRespected(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	r.wh.do(func() { r.wh.before = 1 << 30 })
	r.add(0, event(1), event(2), event(2))
	for range 2000 {
		time.Sleep(time.Millisecond)
		if r.d.Err() != nil {
			break
		}
	}
	if r.d.Err() == nil {
		t.Fatal("the outage was not told")
	}
	r.rule.withdraw(event(1).Visitor)
	r.wh.do(func() { r.wh.before = 0 })
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 1, LateDuplicate: 1, Suppressed: 1}})
	if _, ok := r.wh.rows[id(1)]; ok {
		t.Error("stored although withdrawn")
	}
	if r.d.Err() != nil {
		t.Error("the outage is over", r.d.Err())
	}
}

func TestPoisonGoesAloneToTheDeadLetters(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	r.wh.poison["poison"] = true
	r.wh.poison["bad"] = true
	var events []collector.Event
	for n := range 40 {
		ev := event(n)
		if n == 7 || n == 31 {
			ev.Name = "poison"
		}
		events = append(events, ev)
	}
	r.add(5, events[:20]...)
	r.addConsent("bad")
	r.addConsent("good")
	r.add(5, events[20:]...)
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 38, DeadLettered: 2}})
	if len(r.wh.rows) != 38 || len(r.wh.consents) != 1 {
		t.Errorf("%d rows, %d consents", len(r.wh.rows), len(r.wh.consents))
	}
	letters := r.letters()
	if len(letters) != 3 {
		t.Fatalf("letters: %v", letters)
	}
	for _, l := range letters {
		if !strings.Contains(l.Reason, "cannot parse") {
			t.Errorf("reason %q", l.Reason)
		}
		if l.Kind == KindEvents {
			evs, err := collector.DecodeEvents(l.Data)
			if err != nil || len(evs) != 1 || evs[0].Name != "poison" || l.Tag != 5 {
				t.Errorf("letter %+v: %v", l, err)
			}
		}
	}

	// The cause is mended: replay.
	r.wh.do(func() { clear(r.wh.poison) })
	if n, err := r.dl.Replay(t.Context(), r.sp.Append); err != nil || n != 3 {
		t.Fatalf("replayed %d, %v", n, err)
	}
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 40, DeadLettered: 2}})
	if n, err := r.dl.Len(); n != 0 || err != nil {
		t.Errorf("%d letters left, %v", n, err)
	}
}

func TestUnreadableRecordsBecomeDeadLetters(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	for _, rec := range []spool.Record{
		{Kind: KindEvents, Data: []byte{0xff, 1, 2}, Events: 3},
		{Kind: 77, Data: []byte("later version"), Events: 2},
	} {
		if _, err := r.sp.Append(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	r.add(0, event(1))
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 1, DeadLettered: 5}})
	if n, err := r.dl.Purge(func(l Letter) bool { return l.Kind == 77 }); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
}

func TestFullDeadLetterStoreStopsRatherThanDrops(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	r.dl.limit = 1
	r.wh.poison["poison"] = true
	a, b := event(1), event(2)
	a.Name, b.Name = "poison", "poison"
	r.add(0, a, b)
	for range 5000 {
		if errors.Is(r.d.Err(), ErrDeadLettersFull) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !errors.Is(r.d.Err(), ErrDeadLettersFull) {
		t.Fatal(r.d.Err())
	}
	r.want(Counters{Pending: 2})
	if _, err := r.dl.Purge(func(Letter) bool { return true }); err != nil {
		t.Fatal(err)
	}
	r.dl.mu.Lock()
	r.dl.limit = 10
	r.dl.mu.Unlock()
	r.settle()
	r.want(Counters{Outcome: Outcome{DeadLettered: 2}})
}

func TestCrashAtEachBoundary(t *testing.T) {
	for _, filter := range []bool{false, true} {
		for _, point := range []string{"judged", "sealed", "isolated", "inserted", "lettered", "stated", "forgotten"} {
			t.Run(point, func(t *testing.T) {
				r := newRig(t)
				r.filter = filter
				r.wh.poison["poison"] = true
				r.start()
				defer func() { r.stop() }()
				r.add(0, event(1))
				r.settle()
				bad := event(3)
				bad.Name = "poison"
				r.arm(point)
				r.add(4, event(1), event(2), event(2), bad)
				r.settle()
				if point == "forgotten" {
					<-r.crashed
					r.restart()
				}
				r.want(Counters{Outcome: Outcome{Stored: 2, LateDuplicate: 2, DeadLettered: 1}})
				if got, want := r.d.TagOutcome(4), (Outcome{Stored: 1, LateDuplicate: 2, DeadLettered: 1}); got != want {
					t.Errorf("tag: %+v, want %+v", got, want)
				}
				if n := len(r.letters()); n != 1 || len(r.wh.rows) != 2 {
					t.Errorf("%d letters, %d rows", n, len(r.wh.rows))
				}
			})
		}
	}
}

func TestDamagedSpoolRecordIsADeadLetter(t *testing.T) {
	r := newRig(t)
	r.start()
	r.wh.do(func() { r.wh.down = true })
	r.add(0, event(1))
	r.add(0, event(2), event(3))
	r.add(0, event(4))
	r.stop()
	files, err := filepath.Glob(filepath.Join(r.dir, "spool", "log-*", "*.wal"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), "/p/2")
	b[at] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	r.wh.do(func() { r.wh.down = false })
	r.start()
	defer r.stop()
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 2, DeadLettered: 2}})
}

func TestDrainRefusesAnEndedContext(t *testing.T) {
	r := newRig(t)
	r.start()
	defer r.stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.d.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.add(0, event(1))
	if err := r.d.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	r.want(Counters{Outcome: Outcome{Stored: 1}})
}

func TestDamagedStateIsSaid(t *testing.T) {
	r := newRig(t)
	r.start()
	r.add(0, event(1))
	r.settle()
	r.stop()
	path := filepath.Join(r.dir, "delivery", "state")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	sp, err := spool.Open(spool.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	if _, err := New(Config{Dir: filepath.Join(r.dir, "delivery"), Spool: sp, Warehouse: r.wh, Consent: r.rule, DeadLetters: r.dl}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Error(err)
	}
}

func TestReplacedSpoolIsDeliveredFromItsBeginning(t *testing.T) {
	r := newRig(t)
	r.start()
	r.add(0, event(1))
	r.add(0, event(2))
	r.settle()
	r.stop()
	if err := os.RemoveAll(filepath.Join(r.dir, "spool")); err != nil {
		t.Fatal(err)
	}
	r.start()
	defer r.stop()
	r.add(0, event(3))
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 3}})
}

func TestFilterSparesTheWarehouseFreshIDs(t *testing.T) {
	r := newRig(t)
	r.filter = true
	r.start()
	defer r.stop()
	for n := range 200 {
		r.add(0, event(n))
	}
	r.settle()
	if r.wh.asked > 5 {
		t.Errorf("asked about %d fresh ids", r.wh.asked)
	}
	r.add(0, event(5), event(6))
	r.settle()
	r.want(Counters{Outcome: Outcome{Stored: 200, LateDuplicate: 2}})
}

func TestFilterNeverForgets(t *testing.T) {
	f := NewFilter(0)
	if !f.MayHave(id(1)) || !(*Filter)(nil).MayHave(id(1)) {
		t.Error("fresh before it is loaded")
	}
	if err := f.Load(t.Context(), func(context.Context, func([16]byte)) error { return errLost }); err == nil || !f.MayHave(id(1)) {
		t.Error("fresh although the load failed")
	}
	const n = firstLayerIDs + firstLayerIDs/2 // two layers
	if err := f.Load(t.Context(), func(_ context.Context, add func([16]byte)) error {
		for i := range n {
			add(id(i))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	false_ := 0
	for i := range n {
		if !f.MayHave(id(i)) {
			t.Fatalf("id %d forgotten", i)
		}
	}
	for i := range 100_000 {
		if f.MayHave(id(n + i)) {
			false_++
		}
	}
	if false_ > 2500 {
		t.Errorf("%d false maybes in 100,000", false_)
	}
	small := NewFilter(1)
	small.loaded = true
	small.Add(id(1))
	if !small.MayHave(id(2)) {
		t.Error("an outgrown filter must say maybe")
	}
}

func TestValidate(t *testing.T) {
	if err := (Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "Warehouse is missing") {
		t.Error(err)
	}
}

// sink takes everything at once: what is left is the delivery's own cost.
type sink struct{}

func (sink) KnownEventIDs(context.Context, string, [][16]byte) (map[[16]byte]int64, error) {
	return nil, nil
}
func (sink) Insert(context.Context, string, []collector.Event, []consentgate.Record) error {
	return nil
}

func BenchmarkDelivery(b *testing.B) {
	for _, perRecord := range []int{1, 20} {
		b.Run(fmt.Sprintf("eventsPerRecord=%d", perRecord), func(b *testing.B) {
			r := newRig(b)
			r.other, r.filter, r.real = sink{}, true, true
			r.start()
			defer r.stop()
			events := make([]collector.Event, perRecord)
			var wg sync.WaitGroup
			records := (b.N + perRecord - 1) / perRecord
			for w := range 64 {
				wg.Go(func() {
					for i := w; i < records; i += 64 {
						mine := append([]collector.Event(nil), events...)
						for k := range mine {
							mine[k] = event(i*perRecord + k)
						}
						data, err := collector.EncodeEvents(mine)
						if err != nil {
							b.Error(err)
						}
						if _, err := (Intake{r.sp}).AppendEvents(b.Context(), data, perRecord, 0); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ReportAllocs()
			b.ResetTimer()
			wg.Wait()
			if err := r.d.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
