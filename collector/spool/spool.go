// Package spool is the collector's durable log: a record that Append has returned
// from is on disk and survives kill -9 and power cuts until it is forgotten.
//
// Appends that arrive while an fsync runs share the next one. FORMAT.md draws what
// is on disk.
package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
	"golang.org/x/sys/unix"
)

// Kind tells a reader how to decode a record's data. The spool does not look at it.
type Kind byte

// Record is what is appended.
type Record struct {
	Kind   Kind
	Data   []byte // copied; at most MaxRecordBytes
	Events int    // events in Data, for the count of pending ones; 0..2³²-1
	Tag    uint64 // free for the caller, e.g. the import the record belongs to; 0 = none
}

// Entry is a record read back. Data is the reader's to keep.
type Entry struct {
	Index uint64 // 1, 2, 3, … in the order of acknowledgement
	Record
}

// Spool is safe for any number of appenders and one reader. One goroutine commits.
type Spool struct {
	cfg    Config
	lock   *os.File
	mark   *mark
	notify chan struct{}
	done   chan struct{} // closed when the committer has ended

	mu      sync.Mutex // appenders and committer
	work    sync.Cond  // the open group has its first record, or closing
	open    *group
	next    uint64 // index of the next record
	closing bool
	failed  error     // why nothing is acknowledged for now
	healAt  time.Time // not tried again before
	healNow bool      // asks the committer to try, without a record
	spare   []byte

	queued    atomic.Int64 // bytes in groups not yet committed
	last      atomic.Uint64
	total     atomic.Int64 // bytes acknowledged and not forgotten
	events    atomic.Int64 // events acknowledged and not forgotten
	spaceAt   atomic.Int64 // next look at the disk, Unix ns
	spaceLow  atomic.Bool
	forgotten atomic.Uint64

	gens sync.Mutex // the list and the generations' totals
	list []*generation

	reading sync.Mutex
	cursor  cursor

	entry [1]*raft.Log // the committer's, reused
	log   raft.Log
}

// Open opens or creates the spool in cfg.Dir. Acknowledged records that are gone
// are reported as *CorruptionError; a torn write nobody was promised is cut. The
// directory is held until Close (ErrInUse for others).
func Open(cfg Config) (*Spool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the spool: %w", err)
	}
	s := &Spool{cfg: cfg, notify: make(chan struct{}, 1), done: make(chan struct{})}
	s.work.L = &s.mu
	s.entry[0] = &s.log
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.checkSpace(cfg.Clock())
	go s.commitLoop()
	return s, nil
}

// load takes the directory and opens its generations.
func (s *Spool) load() error {
	var err error
	if s.lock, err = lockDir(s.cfg.Dir); err != nil {
		return err
	}
	var clean bool
	s.mark, clean, err = openMark(s.cfg.Dir)
	if errors.Is(err, errMarkDamaged) {
		s.cfg.Logger.Warn("spool: the mark file is damaged; a record lost at the very end of the log would go unseen this once", "dir", s.cfg.Dir)
	} else if err != nil {
		return fmt.Errorf("opening the spool's mark: %w", err)
	}
	firsts, err := listGenerations(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("listing the spool: %w", err)
	}
	for i, first := range firsts {
		g, err := openGeneration(s.cfg.Dir, first, s.cfg.FS, s.cfg.SegmentBytes, s.cfg.Logger)
		if err != nil {
			return s.openError(g, first, err)
		}
		s.list = append(s.list, g)
		if i+1 < len(firsts) {
			if err := g.cutAt(firsts[i+1]); err != nil {
				return s.openError(g, first, err)
			}
		}
	}
	if err := s.checkWhole(); err != nil {
		return err
	}
	last := s.lastRecord()
	s.next = last + 1
	s.last.Store(last)
	s.forgotten.Store(min(s.mark.forgotten, last))

	// Records that lie after the last acknowledged one were complete, if unpromised:
	// they are kept. After a crash it is unknown whether the kernel has them on disk,
	// and appending after a possible hole would put acknowledged records behind it.
	if n := len(s.list); n == 0 || !clean || s.list[n-1].last != s.mark.acked {
		if n > 0 {
			if err := s.list[n-1].sync(); err != nil {
				return fmt.Errorf("syncing the log: %w", err)
			}
		}
		if err := s.newGeneration(s.next); err != nil {
			return fmt.Errorf("beginning a new log: %w", err)
		}
	}
	if err := s.dropForgotten(); err != nil {
		return err
	}
	s.mark.acked = last
	return s.mark.sync(0)
}

// lastRecord is the newest record over all generations.
func (s *Spool) lastRecord() uint64 {
	for i := len(s.list) - 1; i >= 0; i-- {
		if !s.list[i].empty() {
			return s.list[i].last
		}
	}
	if len(s.list) > 0 {
		return s.list[0].first - 1
	}
	return 0
}

// checkWhole reports acknowledged records missing at the end of a generation.
func (s *Spool) checkWhole() error {
	for i, g := range s.list {
		want := s.mark.acked
		if i+1 < len(s.list) {
			want = s.list[i+1].first - 1
		}
		have := max(g.last, g.first-1)
		if have < want && want > s.mark.forgotten {
			return &CorruptionError{
				Segment: g.segmentOf(g.nextEntry), Position: g.nextEntry, First: have + 1, Last: want, Events: -1,
				Err: errors.New("acknowledged records are missing at the end of the log"),
			}
		}
	}
	if len(s.list) == 0 && s.mark.acked > s.mark.forgotten {
		return &CorruptionError{
			Segment: s.cfg.Dir, First: s.mark.forgotten + 1, Last: s.mark.acked, Events: -1,
			Err: errors.New("the log's directories are missing"),
		}
	}
	return nil
}

func (s *Spool) openError(g *generation, first uint64, err error) error {
	if errors.Is(err, types.ErrCorrupt) || errors.Is(err, errBlockMagic) || errors.Is(err, errBlockChecksum) || errors.Is(err, errBlockLength) {
		return &CorruptionError{Segment: g.dir, First: first, Last: s.mark.acked, Events: -1, Err: err}
	}
	return fmt.Errorf("opening the spool: %w", err)
}

// newGeneration begins a log at record first; s.gens is held or not needed yet.
func (s *Spool) newGeneration(first uint64) error {
	// One of the same name can only be one without an acknowledged record.
	if n := len(s.list); n > 0 && s.list[n-1].first == first {
		if err := s.list[n-1].remove(); err != nil {
			return err
		}
		s.list = s.list[:n-1]
	} else if err := removeGeneration(generationDir(s.cfg.Dir, first)); err != nil {
		return err
	}
	g, err := openGeneration(s.cfg.Dir, first, s.cfg.FS, s.cfg.SegmentBytes, s.cfg.Logger)
	if err != nil {
		return err
	}
	s.list = append(s.list, g)
	return nil
}

// Append writes r and returns its index once it is on disk. A ctx that ends before
// the record has joined a group stops it (ctx.Err()); after that the true outcome
// is reported, even if later than ctx's end. Errors: ErrFull, ErrClosed,
// ErrNotDurable, ErrTooLarge.
func (s *Spool) Append(ctx context.Context, r Record) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(r.Data) > MaxRecordBytes {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(r.Data), MaxRecordBytes)
	}
	if now := s.cfg.Clock(); now.UnixNano() >= s.spaceAt.Load() {
		s.checkSpace(now)
	}
	head := recordHeader(r) // checksummed outside of the lock
	size := recordHeaderLen + len(r.Data)

	s.mu.Lock()
	for {
		if err := s.refusal(size); err != nil {
			s.mu.Unlock()
			return 0, err
		}
		if s.open == nil {
			s.open = s.newGroup()
		}
		if s.open.count == 0 || len(s.open.buf)+size <= s.cfg.GroupBytes {
			break
		}
		taken := s.open.awaitTaken()
		s.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		s.mu.Lock()
	}
	g := s.open
	index := s.next
	s.next++
	g.add(head, r)
	s.queued.Add(int64(size))
	if g.count == 1 {
		s.work.Signal()
	}
	s.mu.Unlock()

	<-g.done
	if g.err != nil {
		return 0, g.err
	}
	return index, nil
}

// refusal tells why a record cannot be taken now; s.mu is held.
func (s *Spool) refusal(size int) error {
	switch {
	case s.closing:
		return ErrClosed
	case s.failed != nil && s.cfg.Clock().Before(s.healAt):
		return s.failed
	case s.spaceLow.Load():
		return fmt.Errorf("%w: less than %d bytes free on its disk", ErrFull, s.cfg.MinFreeBytes)
	case s.total.Load()+s.queued.Load()+int64(size) > s.cfg.MaxBytes:
		return fmt.Errorf("%w: limit of %d bytes reached", ErrFull, s.cfg.MaxBytes)
	}
	return nil
}

// checkSpace looks at the disk, at most every spaceCheckEvery.
func (s *Spool) checkSpace(now time.Time) {
	next := s.spaceAt.Load()
	if now.UnixNano() < next || !s.spaceAt.CompareAndSwap(next, now.Add(spaceCheckEvery).UnixNano()) {
		return // another appender looks
	}
	if s.cfg.MinFreeBytes < 0 {
		return
	}
	free, err := s.cfg.FreeBytes(s.cfg.Dir)
	if err != nil {
		s.cfg.Logger.Warn("spool: reading the free space failed", "error", err)
		return
	}
	low := free < uint64(s.cfg.MinFreeBytes)
	if s.spaceLow.Swap(low) != low {
		s.cfg.Logger.Warn("spool: free-space watermark crossed", "free_bytes", free, "watermark_bytes", s.cfg.MinFreeBytes, "refusing", low)
	}
}

// Err tells why Append would refuse a small record now; nil if it would not. After a
// failed write it also has a new log tried now and then, so that a readiness check
// that keeps clients away does not keep the spool down.
func (s *Spool) Err() error {
	if now := s.cfg.Clock(); now.UnixNano() >= s.spaceAt.Load() {
		s.checkSpace(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil && !s.closing {
		if !s.cfg.Clock().Before(s.healAt) {
			s.healNow = true
			s.work.Signal()
		}
		return s.failed
	}
	return s.refusal(recordHeaderLen)
}

// Close commits what has joined a group, stops and releases the directory.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closing = true
	s.work.Signal()
	s.mu.Unlock()
	<-s.done

	s.gens.Lock()
	defer s.gens.Unlock()
	var err error
	if s.failed == nil {
		err = s.mark.sync(markClean)
	}
	return errors.Join(err, s.release())
}

// release closes all files.
func (s *Spool) release() error {
	var errs []error
	for _, g := range s.list {
		errs = append(errs, g.close())
	}
	s.list = nil
	if s.mark != nil {
		errs = append(errs, s.mark.f.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// notDurable wraps the cause of a failed write; a full disk is ErrFull, too.
func notDurable(cause error) error {
	if errors.Is(cause, unix.ENOSPC) || errors.Is(cause, unix.EDQUOT) {
		return fmt.Errorf("%w: %w: %w", ErrNotDurable, ErrFull, cause)
	}
	return fmt.Errorf("%w: %w", ErrNotDurable, cause)
}

// Dir is the spool's directory.
func (s *Spool) Dir() string { return filepath.Clean(s.cfg.Dir) }
