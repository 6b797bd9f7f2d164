package delivery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/kassa-analytics/kassa/collector/spool"
)

// Letter is an event (or a whole record) the warehouse will not take, kept until it
// is replayed or purged. It holds pseudonyms only, as the spool does.
type Letter struct {
	Index  uint64     `cbor:"1,keyasint"` // spool record it came from
	Place  int        `cbor:"2,keyasint"` // which event of that record
	Kind   spool.Kind `cbor:"3,keyasint"`
	Tag    uint64     `cbor:"4,keyasint,omitempty"`
	Count  int        `cbor:"5,keyasint"` // events in Data, or lost where Data is empty
	Data   []byte     `cbor:"6,keyasint,omitempty"`
	Reason string     `cbor:"7,keyasint"`
	At     int64      `cbor:"8,keyasint"` // Unix ms
}

// ErrDeadLettersFull stops the delivery rather than drop a letter.
var ErrDeadLettersFull = errors.New("delivery: the dead-letter store is full; see `kassa deadletters list`, then replay or purge")

// DeadLetters is a directory with one file a letter. Purge and Replay may run while
// letters are added, also from another process.
type DeadLetters struct {
	dir   string
	limit int

	mu    sync.Mutex
	count int
}

// MaxDeadLetters is how many letters are kept at most, by default.
const MaxDeadLetters = 100_000

const letterSuffix = ".letter"

// OpenDeadLetters opens or creates the store; limit 0 takes MaxDeadLetters.
func OpenDeadLetters(dir string, limit int) (*DeadLetters, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the dead-letter store: %w", err)
	}
	if limit == 0 {
		limit = MaxDeadLetters
	}
	s := &DeadLetters{dir: dir, limit: limit}
	names, err := s.names()
	s.count = len(names)
	return s, err
}

func letterName(l Letter) string {
	return fmt.Sprintf("%020d-%06d-%d%s", l.Index, l.Place, l.Kind, letterSuffix)
}

func (s *DeadLetters) names() ([]string, error) {
	files, err := os.ReadDir(s.dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("listing the dead letters: %w", err)
	}
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), letterSuffix) {
			names = append(names, f.Name())
		}
	}
	return names, nil
}

func (s *DeadLetters) put(l Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := letterName(l)
	_, err := os.Stat(filepath.Join(s.dir, name))
	isNew := errors.Is(err, os.ErrNotExist)
	if isNew && s.count >= s.limit {
		names, err := s.names() // another process may have purged
		if err != nil {
			return err
		}
		if s.count = len(names); s.count >= s.limit {
			return ErrDeadLettersFull
		}
	}
	if err := save(s.dir, name, l); err != nil {
		return err
	}
	if isNew {
		s.count++
	}
	return nil
}

// Len is the number of letters.
func (s *DeadLetters) Len() (int, error) {
	names, err := s.names()
	return len(names), err
}

// List goes through the letters, oldest record first. A letter that cannot be read
// gives an error, and the next follows.
func (s *DeadLetters) List() iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		names, err := s.names()
		if err != nil {
			yield(Letter{}, err)
			return
		}
		for _, name := range names {
			var l Letter
			if err := load(filepath.Join(s.dir, name), &l); err != nil {
				if !yield(Letter{}, err) {
					return
				}
				continue
			}
			if l.Reason == "" { // removed meanwhile
				continue
			}
			if !yield(l, nil) {
				return
			}
		}
	}
}

// Replay hands each letter that holds data back to add (the spool's Append) and then
// removes it. An event replayed twice, by a crash in between, is a late duplicate.
func (s *DeadLetters) Replay(ctx context.Context, add func(context.Context, spool.Record) (uint64, error)) (replayed int, err error) {
	for l, err := range s.List() {
		if err != nil {
			return replayed, err
		}
		if len(l.Data) == 0 {
			continue
		}
		if _, err := add(ctx, spool.Record{Kind: l.Kind, Data: l.Data, Events: l.Count, Tag: l.Tag}); err != nil {
			return replayed, fmt.Errorf("replaying dead letter %s: %w", letterName(l), err)
		}
		if err := s.remove(l); err != nil {
			return replayed, err
		}
		replayed++
	}
	return replayed, nil
}

// Purge removes the letters for which drop holds, for good.
func (s *DeadLetters) Purge(drop func(Letter) bool) (purged int, err error) {
	for l, err := range s.List() {
		if err != nil {
			return purged, err
		}
		if !drop(l) {
			continue
		}
		if err := s.remove(l); err != nil {
			return purged, err
		}
		purged++
	}
	return purged, nil
}

func (s *DeadLetters) remove(l Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := os.Remove(filepath.Join(s.dir, letterName(l)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing a dead letter: %w", err)
	}
	s.count--
	return nil
}
