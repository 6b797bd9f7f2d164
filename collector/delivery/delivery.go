// Package delivery carries the spool's records into the warehouse so that every accepted event has exactly one outcome, whatever crashes in between.
//
// The loop is read → judge → seal → insert → state → forget. A batch's boundaries,
// verdicts and token are sealed on disk before it is first sent, and the very same
// batch is sent until the warehouse says yes; only then do the counters and the
// position move, in one atomic step, and only then does the spool forget.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

// What a spool record holds.
const (
	KindEvents  spool.Kind = 1 // collector.EncodeEvents
	KindConsent spool.Kind = 2 // consentgate.EncodeRecord
)

// Warehouse is where batches go.
type Warehouse interface {
	// KnownEventIDs returns those of a shop's event ids that are stored, with the
	// earliest time stored for each (Unix ms).
	KnownEventIDs(ctx context.Context, shop string, ids [][16]byte) (map[[16]byte]int64, error)

	// Insert stores events and consent records and brings up to date what is derived
	// from them. It may be called again with the same token and the same rows, after
	// any error; then nothing counts twice. An error for which Config.IsDataError holds
	// means that a row was refused for what it is, and that retrying is in vain; any
	// other means that the outcome is unknown. It must not change events.
	Insert(ctx context.Context, token string, events []collector.Event, consents []consentgate.Record) error
}

// Consent tells what may be inserted now.
type Consent interface {
	// Judge tells whether ev may be inserted at all, and whether with its sealed
	// contact and cart reference.
	Judge(ev *collector.Event) (keep, contact bool)
}

// Spool is what is read; *spool.Spool is one.
type Spool interface {
	Read(from uint64, maxBytes int) ([]spool.Entry, error)
	Forget(upTo uint64) error
	First() uint64
	Last() uint64
	Pending() int64
	Notify() <-chan struct{}
}

// IsDataError tells whether err says that a row was refused for what it is: an error
// in its chain has a method DataError() bool that answers true.
func IsDataError(err error) bool {
	var d interface{ DataError() bool }
	return errors.As(err, &d) && d.DataError()
}

// Config wires a Delivery. Zero values of the limits take the defaults.
type Config struct {
	Dir         string // for seal and state; created with mode 0700
	Spool       Spool
	Warehouse   Warehouse
	Consent     Consent
	DeadLetters *DeadLetters
	// Filter spares KnownEventIDs the ids that are certainly new; nil asks about all.
	Filter *Filter

	MaxEvents int           // events a batch, about; default 100,000
	MaxBytes  int           // encoded bytes a batch, about; default 32 MiB
	Linger    time.Duration // how long a small batch waits for more, at least; default 300 ms
	MaxLinger time.Duration // and at most, where inserts take long: twice what the last one took; default 2 s
	RetryMin  time.Duration // first pause after a failed insert; default 100 ms
	RetryMax  time.Duration // longest pause; default 15 s

	// IsDataError tells poison from an unknown outcome among Insert's errors; nil takes
	// this package's IsDataError.
	IsDataError func(error) bool

	Logger *slog.Logger
	Clock  func() time.Time
	// OnInsert is told of every try: how long it took, and its error.
	OnInsert func(took time.Duration, err error)
}

// Validate joins everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	for what, missing := range map[string]bool{
		"Dir": c.Dir == "", "Spool": c.Spool == nil, "Warehouse": c.Warehouse == nil,
		"Consent": c.Consent == nil, "DeadLetters": c.DeadLetters == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("delivery: %s is missing", what))
		}
	}
	if c.MaxEvents < 0 || c.MaxBytes < 0 || c.Linger < 0 || c.MaxLinger < 0 || c.RetryMin < 0 || c.RetryMax < 0 {
		errs = append(errs, errors.New("delivery: a limit is negative"))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.MaxEvents == 0 {
		c.MaxEvents = 100_000
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 32 << 20
	}
	if c.Linger == 0 {
		c.Linger = 300 * time.Millisecond
	}
	if c.MaxLinger == 0 {
		c.MaxLinger = max(2*time.Second, c.Linger)
	}
	if c.RetryMin == 0 {
		c.RetryMin = 100 * time.Millisecond
	}
	if c.RetryMax == 0 {
		c.RetryMax = 15 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.IsDataError == nil {
		c.IsDataError = IsDataError
	}
	if c.OnInsert == nil {
		c.OnInsert = func(time.Duration, error) {}
	}
	return c
}

// Delivery is the loop and its counters.
type Delivery struct {
	cfg   Config
	files files
	sleep func(ctx context.Context, d time.Duration) error
	// at is called at each boundary a crash may fall on; tests crash there.
	at func(point string)

	resume *seal // found at the start, not yet delivered; Run's alone
	ahead  []spool.Entry
	took   time.Duration // what the last insert took; Run's alone

	mu       sync.Mutex
	state    state
	progress chan struct{} // closed and replaced when state moves or Run ends
	urgent   uint64        // deliver up to here without lingering
	kick     chan struct{} // wakes the loop when urgent moved
	lastErr  error
}

// New loads seal and state from cfg.Dir and lets the spool forget what was
// delivered. Call it before anything is appended.
func New(cfg Config) (*Delivery, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d := &Delivery{
		cfg: cfg.withDefaults(), files: files{dir: cfg.Dir}, sleep: sleep, at: func(string) {},
		progress: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	if err := d.files.create(); err != nil {
		return nil, fmt.Errorf("creating the delivery directory: %w", err)
	}
	var err error
	if d.state, err = d.files.loadState(); err != nil {
		return nil, err
	}
	if d.resume, err = d.files.loadSeal(); err != nil {
		return nil, err
	}
	sp := d.cfg.Spool
	if d.state.Position > sp.Last() {
		// The spool was replaced, or lost its end. Whatever it holds is sent (again):
		// that changes no figure, skipping could lose events.
		d.cfg.Logger.Warn("delivery: the position lies beyond the spool's end; starting from the spool's beginning",
			"position", d.state.Position, "spool_last", sp.Last())
		d.state.Position, d.resume = 0, nil
	}
	if err := sp.Forget(d.state.Position); err != nil {
		return nil, fmt.Errorf("forgetting what was delivered: %w", err)
	}
	d.state.Position = max(d.state.Position, sp.First()-1)
	if s := d.resume; s != nil && (s.First != d.state.Position+1 || s.Last > sp.Last()) {
		d.resume = nil // delivered already, or of another spool
	}
	return d, nil
}

// Run delivers until ctx ends (then it returns nil) or the spool is closed under it.
// Whatever else fails (warehouse, disk, a full dead-letter store) is tried again,
// said in the log and told by Err. A batch that is being sent when ctx ends is sent
// again by the next Run.
func (d *Delivery) Run(ctx context.Context) error {
	for {
		b, err := d.nextBatch(ctx)
		if err == nil {
			err = d.deliver(ctx, b)
		}
		if err == nil {
			err = d.retry(ctx, "recording a delivered batch", func() error { return d.commit(b) })
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// broadcast wakes those who wait for progress; d.mu is held.
func (d *Delivery) broadcast() {
	close(d.progress)
	d.progress = make(chan struct{})
}

// commit makes the batch's outcome durable and lets the spool forget it.
func (d *Delivery) commit(b *batch) error {
	d.at("inserted")
	if err := d.writeLetters(b); err != nil {
		return err
	}
	d.at("lettered")
	d.mu.Lock()
	next := d.state.with(b)
	d.mu.Unlock()
	if err := d.files.saveState(next); err != nil {
		return err
	}
	d.at("stated")
	for i := range b.events {
		if b.seal.Verdicts[b.at[i]].stored() {
			d.cfg.Filter.Add(b.events[i].ID)
		}
	}
	// Counters and pending move together for whoever looks.
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = next
	if err := d.cfg.Spool.Forget(next.Position); err != nil {
		// Not lost and not sent again: the position is what counts.
		d.cfg.Logger.Warn("delivery: the spool could not forget", "error", err)
	}
	d.broadcast()
	d.at("forgotten")
	return nil
}

// Flush returns once all that was in the spool when it was called is delivered. It
// needs a Run. Small batches do not linger for it.
func (d *Delivery) Flush(ctx context.Context) error {
	target := d.cfg.Spool.Last()
	for {
		d.mu.Lock()
		if d.state.Position >= target {
			d.mu.Unlock()
			return nil
		}
		if target > d.urgent {
			d.urgent = target
			select {
			case d.kick <- struct{}{}:
			default:
			}
		}
		progress := d.progress
		d.mu.Unlock()
		select {
		case <-progress:
		case <-ctx.Done():
			d.mu.Lock()
			left, last := target-d.state.Position, d.lastErr
			d.mu.Unlock()
			return errors.Join(fmt.Errorf("delivery: %d records are still in the spool: %w", left, ctx.Err()), last)
		}
	}
}

// Drain is Flush for the shutdown, before Run's context ends. What is left when ctx
// ends stays in the spool. ctx must be alive: derive it from context.WithoutCancel.
func (d *Delivery) Drain(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delivery: Drain was given a context that had ended: %w", err)
	}
	return d.Flush(ctx)
}

// Err is why the last try to reach the warehouse failed; nil after one that did not.
func (d *Delivery) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lastErr
}

func (d *Delivery) setErr(err error) {
	d.mu.Lock()
	d.lastErr = err
	d.mu.Unlock()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
