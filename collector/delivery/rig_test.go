package delivery

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a warehouse that keeps what it is sent and fails as told.
type recorder struct {
	mu       sync.Mutex
	rows     map[[16]byte]collector.Event // earliest time wins
	consents map[string]consentgate.Record
	tokens   map[string][]collector.Event
	inserts  int
	asked    int

	poison map[string]bool // event names and consent ids that are refused
	before int             // that many inserts fail before anything is applied
	after  int             // that many are applied and then fail
	down   bool
}

type dataError struct{ error }

func (dataError) DataError() bool { return true }

var errLost = errors.New("connection lost")

func newRecorder() *recorder {
	return &recorder{
		rows: map[[16]byte]collector.Event{}, consents: map[string]consentgate.Record{},
		tokens: map[string][]collector.Event{}, poison: map[string]bool{},
	}
}

func (w *recorder) do(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *recorder) KnownEventIDs(_ context.Context, shop string, ids [][16]byte) (map[[16]byte]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errLost
	}
	w.asked += len(ids)
	known := map[[16]byte]int64{}
	for _, id := range ids {
		if ev, ok := w.rows[id]; ok && ev.Shop == shop {
			known[id] = ev.Time
		}
	}
	return known, nil
}

func (w *recorder) Insert(ctx context.Context, token string, events []collector.Event, consents []consentgate.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inserts++
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if w.down || w.before > 0 {
		w.before--
		return errLost
	}
	if old, ok := w.tokens[token]; ok && !reflect.DeepEqual(old, events) {
		panic("one token for two different batches")
	}
	for i := range events {
		if w.poison[events[i].Name] {
			return fmt.Errorf("inserting: %w", dataError{errors.New("cannot parse " + events[i].Name)})
		}
	}
	for _, r := range consents {
		if w.poison[r.ID] {
			return dataError{errors.New("cannot parse consent")}
		}
	}
	w.tokens[token] = append([]collector.Event{}, events...)
	for _, ev := range events {
		if old, ok := w.rows[ev.ID]; !ok || ev.Time < old.Time {
			w.rows[ev.ID] = ev
		}
	}
	for _, r := range consents {
		w.consents[r.ID] = r
	}
	if w.after > 0 {
		w.after--
		return errLost
	}
	return nil
}

// ruling is a Consent: withdrawn visitors and those who withdrew marketing only.
type ruling struct {
	mu                sync.Mutex
	gone, noMarketing map[uint64]bool
}

func (r *ruling) Judge(ev *collector.Event) (keep, contact bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.gone[ev.Visitor], !r.noMarketing[ev.Visitor]
}

func (r *ruling) withdraw(visitor uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone[visitor] = true
}

// rig is a spool and a delivery on one directory that can crash and come back.
type rig struct {
	t      testing.TB
	dir    string
	wh     *recorder
	rule   *ruling
	filter bool
	limit  int       // events a batch
	other  Warehouse // instead of wh
	real   bool      // sizes and pauses as in service

	sp      *spool.Spool
	dl      *DeadLetters
	d       *Delivery
	cancel  context.CancelFunc
	ended   chan struct{}
	crashed chan struct{}
	armed   string
	mu      sync.Mutex
}

func newRig(t testing.TB) *rig {
	r := &rig{
		t: t, dir: t.TempDir(), wh: newRecorder(),
		rule: &ruling{gone: map[uint64]bool{}, noMarketing: map[uint64]bool{}},
	}
	return r
}

func (r *rig) arm(point string) {
	r.mu.Lock()
	r.armed = point
	r.mu.Unlock()
}

type crash struct{ point string }

func (r *rig) start() {
	r.t.Helper()
	var err error
	sc := spool.Config{Dir: filepath.Join(r.dir, "spool"), MinFreeBytes: -1, SegmentBytes: 64 << 10}
	if r.real {
		sc.SegmentBytes = 0
	}
	r.sp, err = spool.Open(sc)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.dl, err = OpenDeadLetters(filepath.Join(r.dir, "deadletters"), 0); err != nil {
		r.t.Fatal(err)
	}
	cfg := Config{
		Dir: filepath.Join(r.dir, "delivery"), Spool: r.sp, Warehouse: r.wh, Consent: r.rule, DeadLetters: r.dl,
		Linger: time.Millisecond, RetryMin: time.Microsecond, RetryMax: time.Millisecond, MaxEvents: r.limit,
	}
	if r.real {
		cfg.Linger = 0
	}
	if r.other != nil {
		cfg.Warehouse = r.other
	}
	if r.filter {
		cfg.Filter = NewFilter(0)
		ids := make([][16]byte, 0)
		r.wh.do(func() {
			for id := range r.wh.rows {
				ids = append(ids, id)
			}
		})
		err := cfg.Filter.Load(context.Background(), func(_ context.Context, add func([16]byte)) error {
			for _, id := range ids {
				add(id)
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if r.d, err = New(cfg); err != nil {
		r.t.Fatal(err)
	}
	r.ended, r.crashed = make(chan struct{}), make(chan struct{})
	r.d.at = func(point string) {
		r.mu.Lock()
		hit := r.armed == point
		if hit {
			r.armed = ""
		}
		r.mu.Unlock()
		if hit {
			panic(crash{point})
		}
	}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	d, ended, crashed := r.d, r.ended, r.crashed
	go func() {
		defer close(ended)
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(crash); !ok {
					panic(p)
				}
				close(crashed)
			}
		}()
		if err := d.Run(ctx); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}()
}

func (r *rig) stop() {
	r.cancel()
	<-r.ended
	if err := r.sp.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) restart() { r.stop(); r.start() }

// settle flushes; when the delivery crashes on the way it is started again.
func (r *rig) settle() {
	r.t.Helper()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		crashed := r.crashed
		go func() {
			select {
			case <-crashed:
				cancel()
			case <-ctx.Done():
			}
		}()
		err := r.d.Flush(ctx)
		cancel()
		if err == nil {
			// One more crash point lies behind the last visible progress.
			return
		}
		select {
		case <-crashed:
			r.restart()
		default:
			r.t.Fatal(err)
		}
	}
}

func id(n int) (out [16]byte) {
	binary.BigEndian.PutUint64(out[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(out[8:], uint64(n)*0xbf58476d1ce4e5b9+1)
	return out
}

func event(n int) collector.Event {
	return collector.Event{Shop: "demo", ID: id(n), Name: "page_view", Time: 1_800_000_000_000 + int64(n), Visitor: uint64(n%7) + 1, Page: fmt.Sprintf("/p/%d", n)}
}

func (r *rig) add(tag uint64, events ...collector.Event) {
	r.t.Helper()
	data, err := collector.EncodeEvents(events)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.sp.Append(context.Background(), spool.Record{Kind: KindEvents, Data: data, Events: len(events), Tag: tag}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) addConsent(id string) {
	r.t.Helper()
	data, err := consentgate.EncodeRecord(consentgate.Record{ID: id, Shop: "demo", Visitor: 1, Action: consentgate.ActionGrant})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.sp.Append(context.Background(), spool.Record{Kind: KindConsent, Data: data}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) want(want Counters) {
	r.t.Helper()
	if got := r.d.Counters(); got != want {
		r.t.Errorf("counters %+v, want %+v", got, want)
	}
}

func (r *rig) letters() map[string]Letter {
	r.t.Helper()
	out := map[string]Letter{}
	for l, err := range r.dl.List() {
		if err != nil {
			r.t.Fatal(err)
		}
		out[letterName(l)] = l
	}
	return maps.Clone(out)
}
