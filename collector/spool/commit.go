package spool

import "runtime"

// group is the records that will share one fsync. Its buffer is laid out as the
// block that goes to disk.
type group struct {
	buf    []byte
	first  uint64
	count  uint32
	events uint64
	taken  chan struct{} // made on demand; closed when the committer takes the group
	done   chan struct{} // closed when err is final
	err    error
}

// newGroup is called with s.mu held.
func (s *Spool) newGroup() *group {
	g := &group{buf: s.spare, first: s.next, done: make(chan struct{})}
	s.spare = nil
	if g.buf == nil {
		g.buf = make([]byte, 0, 64<<10)
	}
	g.buf = g.buf[:blockHeaderLen]
	return g
}

func (g *group) add(head [recordHeaderLen]byte, r Record) {
	g.buf = append(g.buf, head[:]...)
	g.buf = append(g.buf, r.Data...)
	g.events += uint64(r.Events)
	g.count++
}

func (g *group) awaitTaken() <-chan struct{} {
	if g.taken == nil {
		g.taken = make(chan struct{})
	}
	return g.taken
}

// records is the bytes of the records, without the block's header.
func (g *group) records() int64 { return int64(len(g.buf) - blockHeaderLen) }

// commitLoop writes group after group: whatever has been queued while one fsync ran
// shares the next, so nobody waits for a timer and the group grows with the load.
func (s *Spool) commitLoop() {
	defer close(s.done)
	for {
		s.mu.Lock()
		for (s.open == nil || s.open.count == 0) && !s.closing && !s.healNow {
			s.work.Wait()
		}
		s.gather()
		s.healNow = false
		g := s.open
		s.open = nil
		if g != nil && g.taken != nil {
			close(g.taken)
		}
		closing := s.closing
		s.mu.Unlock()
		switch {
		case g != nil && g.count > 0:
			s.commit(g)
		case closing:
			return
		default:
			s.tryHeal()
		}
	}
}

// gather lets those run who are about to append, as long as the group still grows: an fsync for each few records would cost more than
// it saves. Where nobody else is ready to run it costs nothing. s.mu is held, and let go meanwhile.
func (s *Spool) gather() {
	for range maxGathers {
		if s.open == nil || s.closing {
			return
		}
		before := s.open.count
		s.mu.Unlock()
		runtime.Gosched()
		s.mu.Lock()
		if s.open == nil || s.open.count == before {
			return
		}
	}
}

const maxGathers = 8

// commit writes g, settles the accounts and wakes its appenders, all at once.
func (s *Spool) commit(g *group) {
	err := s.heal()
	if err == nil {
		err = s.write(g)
	}
	s.queued.Add(-g.records())
	if err != nil {
		s.fail(g, err)
		return
	}
	close(g.done)
	select {
	case s.notify <- struct{}{}:
	default:
	}
	if cap(g.buf) <= 2*s.cfg.GroupBytes { // a huge record's buffer is not kept
		s.mu.Lock()
		s.spare = g.buf
		s.mu.Unlock()
	}
}

// write stores g as one block of the active generation and fsyncs it.
func (s *Spool) write(g *group) error {
	// Only this goroutine appends to the list or changes the active generation's
	// totals; the lock is for the reader's sake.
	a := s.list[len(s.list)-1]
	putBlockHeader(g.buf, blockHeader{
		first: g.first, eventsBefore: a.events, bytesBefore: a.bytes,
		count: g.count, payload: uint32(g.records()),
	})
	s.log.Index, s.log.Data = a.nextEntry, g.buf
	err := a.wal.StoreLogs(s.entry[:])
	s.log.Data = nil
	if err != nil {
		return err
	}
	last := g.first + uint64(g.count) - 1
	if err := s.mark.setAcked(last); err != nil {
		// The log is what counts; without the mark only a torn end is told less well.
		s.cfg.Logger.Warn("spool: writing the mark failed", "error", err)
	}
	s.gens.Lock()
	a.nextEntry++
	a.last = last
	a.events += g.events
	a.bytes += uint64(len(g.buf))
	s.events.Add(int64(g.events))
	s.total.Add(int64(len(g.buf)))
	s.last.Store(last)
	s.gens.Unlock()
	return nil
}

// fail answers g and everything queued behind it. The log may now have a hole that
// a later fsync would not close (the kernel drops pages it failed to write), so
// nothing more is appended to this generation.
func (s *Spool) fail(g *group, cause error) {
	err := notDurable(cause)
	s.mu.Lock()
	if s.failed == nil {
		s.cfg.Logger.Error("spool: write failed, refusing records until a new log can be begun", "error", cause)
	}
	s.failed = err
	s.healAt = s.cfg.Clock().Add(healEvery)
	behind := s.open
	s.open = nil
	s.next = s.last.Load() + 1
	if behind != nil {
		s.queued.Add(-behind.records())
		if behind.taken != nil {
			close(behind.taken)
		}
	}
	s.mu.Unlock()
	g.err = err
	close(g.done)
	if behind != nil {
		behind.err = err
		close(behind.done)
	}
}

// heal begins a new generation after a failure.
func (s *Spool) heal() error {
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	if failed == nil {
		return nil
	}
	s.gens.Lock()
	// s.next has moved on by the records that wait; the log goes on where the
	// acknowledged ones end.
	err := s.newGeneration(s.last.Load() + 1)
	s.gens.Unlock()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.failed = nil
	s.mu.Unlock()
	s.cfg.Logger.Info("spool: writing again in a new log")
	return nil
}

// tryHeal heals without a record that waits for it.
func (s *Spool) tryHeal() {
	if err := s.heal(); err != nil {
		s.mu.Lock()
		s.failed = notDurable(err)
		s.healAt = s.cfg.Clock().Add(healEvery)
		s.mu.Unlock()
	}
}
