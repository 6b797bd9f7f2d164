package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/prometheus/client_golang/prometheus"
)

// Keys makes pseudonyms and seals what must be read back. *consentgate.Keys is the real one.
type Keys interface {
	Pseudonym(shop string, kind consentgate.Kind, id string) consentgate.Pseudonym
	EventID(shop, id string) [16]byte
	Seal(shop, field string, plaintext []byte) ([]byte, error)
}

// Appender makes encoded events durable. It returns once they are on disk (fsynced), with the index the record got; data is the caller's
// again. tag is what Import.Tag says, 0 for live events.
type Appender interface {
	AppendEvents(ctx context.Context, data []byte, events int, tag uint64) (index uint64, err error)
}

// AppendFunc is a function as an Appender.
type AppendFunc func(ctx context.Context, data []byte, events int, tag uint64) (index uint64, err error)

// AppendEvents calls f.
func (f AppendFunc) AppendEvents(ctx context.Context, data []byte, events int, tag uint64) (uint64, error) {
	return f(ctx, data, events, tag)
}

// The errors of Accept.
var (
	// ErrNoPermit: the zero permit, or one of another shop.
	ErrNoPermit = errors.New("no permit of the consent gate for this shop")
	// ErrUnknownShop: no shop of that id is configured.
	ErrUnknownShop = errors.New("no shop of this id is configured")
	// ErrNotDurable: the spool did not take the events; nothing was acknowledged, sending again is right. The spool's error is wrapped beside it.
	ErrNotDurable = errors.New("events could not be made durable")
)

// Config is what a Service works with.
type Config struct {
	Keys  Keys
	Spool Appender
	Shops *Shops
	// Clock is the time; nil: time.Now. It stamps batches whose Received is not set.
	Clock func() time.Time
	// RecentIDs is how many event ids are remembered at most to answer repeats as duplicates, some 40 bytes each; 0: 1,048,576.
	RecentIDs int
	// Registerer gets the kassa_ingest_ metrics; nil: they are counted but not shown.
	Registerer prometheus.Registerer
}

// Validate names everything that is missing.
func (c Config) Validate() error {
	var errs []error
	if c.Keys == nil {
		errs = append(errs, errors.New("no keys"))
	}
	if c.Spool == nil {
		errs = append(errs, errors.New("no spool"))
	}
	if c.Shops == nil {
		errs = append(errs, errors.New("no shops"))
	}
	if c.RecentIDs < 0 {
		errs = append(errs, errors.New("a negative number of remembered event ids"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	return nil
}

// Service takes in events. Its methods may be called from any number of goroutines.
type Service struct {
	keys    Keys
	spool   Appender
	shops   *Shops
	clock   func() time.Time
	recent  *recentIDs
	metrics *metrics
	scratch sync.Pool // *scratch
}

// scratch is the memory of one batch under way.
type scratch struct {
	judge   judge
	encoded []byte
	inBatch map[[16]byte]struct{}
}

// New makes a service.
func New(c Config) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Registerer, c.Shops)
	if err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	s := &Service{
		keys: c.Keys, spool: c.Spool, shops: c.Shops, clock: c.Clock, recent: newRecentIDs(cmp.Or(c.RecentIDs, 1<<20)), metrics: m,
		scratch: sync.Pool{New: func() any { return &scratch{inBatch: map[[16]byte]struct{}{}} }},
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	return s, nil
}

// Shops is the set of shops the service knows.
func (s *Service) Shops() *Shops { return s.shops }

// Check names what is wrong with the batch itself, of which nothing can be used then. attested: it came with a token or from an import, so that
// visitor ids have 1 to 200 characters of any kind; a browser's have 16 to 64 of [A-Za-z0-9_-].
func (b *Batch) Check(attested bool) []Rejection {
	faults := b.faults
	add := func(reason Reason, pointer, detail string) {
		for _, f := range faults {
			if f.Pointer == pointer || f.Pointer == "" {
				return
			}
		}
		faults = append(faults, *reject(reason, pointer, detail))
	}
	if b.Shop == "" {
		add(ReasonMissingValue, "/shop", "must name the shop")
	}
	if !consentgate.ValidVisitor(b.Visitor, attested) {
		detail := "must have 16 to 64 characters of A-Z, a-z, 0-9, _ and -"
		if attested {
			detail = "must have 1 to 200 characters"
		}
		add(ReasonInvalidValue, "/visitor", detail)
	}
	if !characters(b.Session, maxID) {
		add(ReasonTooLong, "/session", "must not have more than 200 characters")
	}
	if len(b.Events) == 0 {
		add(ReasonMissingValue, "/events", "must hold at least one event")
	}
	return faults
}

// Accept judges a batch's live events one by one, makes the good ones durable together, and tells what became of each. The permit says for
// whom: batch.Visitor is not read again.
//
// Errors: ErrNoPermit, ErrUnknownShop, ErrNotDurable; then nothing of the batch was taken.
func (s *Service) Accept(ctx context.Context, permit consentgate.Permit, batch *Batch) (Result, error) {
	if !permit.Valid() || permit.Imported() || permit.Shop() != batch.Shop {
		return Result{}, ErrNoPermit
	}
	rules := s.shops.rules(batch.Shop)
	if rules == nil {
		return Result{}, ErrUnknownShop
	}
	w := s.take(rules, batch)
	defer s.release(w)
	j := &w.judge
	j.setPermit(permit)
	j.clock = newBatchClock(s.received(batch), batch.SentAt, permit.GivenAt())
	if batch.Session != "" {
		j.session = j.pseudonym(&j.sessions, consentgate.KindSession, batch.Session)
	}
	var res Result
	for i := range batch.Events {
		if err := s.one(w, i, &res); err != nil {
			return Result{}, err
		}
	}
	return s.store(ctx, w, res, 0)
}

// Import is under what conditions events of an older system are taken in.
type Import struct {
	// Permit gives the permit for a visitor's events under the import's legal basis, such as Gate.ImportPermit.
	Permit func(visitor string) (consentgate.Permit, error)
	// Oldest is the earliest time that is kept; zero: everything is. Older events are rejected as older-than-retention.
	Oldest time.Time
	// Tag goes with the record into the spool, so that the import can follow it.
	Tag uint64
}

// AcceptImport takes in imported events, each of the visitor it names. Their times are taken as they are and are not compared with any
// consent; the permits' legal basis is kept with them instead. Errors: those of Accept and of Import.Permit.
func (s *Service) AcceptImport(ctx context.Context, imp Import, batch *Batch) (Result, error) {
	rules := s.shops.rules(batch.Shop)
	if rules == nil {
		return Result{}, ErrUnknownShop
	}
	w := s.take(rules, batch)
	defer s.release(w)
	j := &w.judge
	j.clock = newBatchClock(s.received(batch), 0, time.Time{})
	if !imp.Oldest.IsZero() {
		j.oldest = imp.Oldest.UnixMilli()
	}
	var res Result
	visitor := ""
	for i := range batch.Events {
		in := &batch.Events[i]
		if !consentgate.ValidVisitor(in.Visitor, true) {
			res.reject(in, i, reject(ReasonMissingValue, "/visitor", "an imported event needs a visitor of 1 to 200 characters"))
			continue
		}
		if where := badText(in); where != "" {
			res.reject(in, i, reject(ReasonInvalidValue, where, "is not UTF-8 text: convert the file first"))
			continue
		}
		if in.Visitor != visitor {
			permit, err := imp.Permit(in.Visitor)
			if err != nil {
				return Result{}, fmt.Errorf("asking for the permit of an imported event: %w", err)
			}
			if !permit.Imported() || permit.Shop() != batch.Shop {
				return Result{}, ErrNoPermit
			}
			j.setPermit(permit)
			visitor = in.Visitor
		}
		if err := s.one(w, i, &res); err != nil {
			return Result{}, err
		}
	}
	return s.store(ctx, w, res, imp.Tag)
}

// Refuse counts every event of the batch as rejected for one reason, such as ReasonBot.
func (s *Service) Refuse(batch *Batch, reason Reason, detail string) Result {
	var res Result
	for i := range batch.Events {
		res.reject(&batch.Events[i], i, reject(reason, "", detail))
	}
	s.metrics.count(batch, &res)
	return res
}

func (s *Service) received(b *Batch) time.Time {
	if b.Received.IsZero() {
		return s.clock()
	}
	return b.Received
}

func (s *Service) take(rules *shopRules, batch *Batch) *scratch {
	w := s.scratch.Get().(*scratch)
	j := &w.judge
	*j = judge{keys: s.keys, rules: rules, batch: batch, events: j.events[:0], items: j.items[:0], amounts: j.amounts[:0]}
	return w
}

func (s *Service) release(w *scratch) {
	// Nothing of a visitor stays behind in the pool; what grew for one huge batch goes back to the collector.
	j := &w.judge
	clear(j.events)
	clear(j.items)
	*j = judge{events: j.events, items: j.items, amounts: j.amounts}
	clear(w.inBatch)
	if cap(w.encoded) > 256<<10 || cap(j.items) > 2048 {
		return
	}
	s.scratch.Put(w)
}

func (j *judge) setPermit(p consentgate.Permit) {
	j.permit, j.marketing, j.basis, j.given = p, p.Granted(consentgate.PurposeMarketing), "", 0
	if p.Imported() {
		j.basis = p.Basis()
	} else {
		j.given = p.GivenAt().UnixMilli()
	}
}

// one judges event i; what is good and new joins the events to store.
func (s *Service) one(w *scratch, i int, res *Result) error {
	j := &w.judge
	in := &j.batch.Events[i]
	j.events = append(j.events, Event{})
	ev := &j.events[len(j.events)-1]
	if err := j.fill(ev, in); err != nil {
		j.events = j.events[:len(j.events)-1]
		var fault *Rejection
		if !errors.As(err, &fault) {
			return err
		}
		res.reject(in, i, fault)
		return nil
	}
	if w.twin(ev.ID) || s.recent.seen(ev.ID) {
		j.events = j.events[:len(j.events)-1]
		res.Duplicates++
	}
	return nil
}

// twin tells whether the last of the events stands in the batch before.
func (w *scratch) twin(id [16]byte) bool {
	events := w.judge.events
	before := events[:len(events)-1]
	if len(before) <= 32 {
		for i := range before {
			if before[i].ID == id {
				return true
			}
		}
		return false
	}
	if len(w.inBatch) == 0 {
		for i := range before {
			w.inBatch[before[i].ID] = struct{}{}
		}
	}
	if _, ok := w.inBatch[id]; ok {
		return true
	}
	w.inBatch[id] = struct{}{}
	return false
}

// store makes the good events durable and remembers their ids.
func (s *Service) store(ctx context.Context, w *scratch, res Result, tag uint64) (Result, error) {
	events := w.judge.events
	if len(events) > 0 {
		w.encoded = AppendEvents(w.encoded[:0], events)
		index, err := s.spool.AppendEvents(ctx, w.encoded, len(events), tag)
		if err != nil {
			return Result{}, fmt.Errorf("%w: %w", ErrNotDurable, err)
		}
		res.Index = index
		for i := range events {
			s.recent.remember(events[i].ID)
		}
		res.Accepted = len(events)
	}
	s.metrics.count(w.judge.batch, &res)
	return res, nil
}

// reject adds event i's fault, its pointer made one into the body.
func (r *Result) reject(in *Input, i int, fault *Rejection) {
	id := cut(in.ID, maxID)
	if !utf8.ValidString(id) { // an import's file
		id = ""
	}
	r.Rejected = append(r.Rejected, Rejection{ID: id, Reason: fault.Reason, Pointer: "/events/" + strconv.Itoa(i) + fault.Pointer, Detail: fault.Detail})
}
