package consentgate

import (
	"hash/maphash"
	"slices"
	"sync"
)

// Bits of an override: the gate's purposes in their order, then these.
const (
	maxExtraPurposes = 11
	otherBit         = uint64(1) << 13   // any purpose that is no longer configured: they share one bit, which errs on the side of less
	allBits          = uint64(1)<<14 - 1 // every purpose
	erasedBit        = uint64(1) << 14   // the visitor's data was erased and must not come back
	maskWidth        = 16
	overrideShards   = 64
)

// visitorKey names a visitor of a shop.
type visitorKey struct {
	shop    string
	visitor Pseudonym
}

// overrideSet is every "no" that is newer than some "yes": for a visitor and purpose, the time of the newest one. Receipts given at or
// before that time do not count for that purpose. It is complete, never evicted from, and small: an entry is two words, the visitor's
// key and time<<16|purposes; the few visitors who took back purposes at several times have more entries in a second map.
type overrideSet struct {
	seed   maphash.Seed
	shards [overrideShards]overrideShard
}

type overrideShard struct {
	mu    sync.RWMutex
	first map[uint64]uint64
	more  map[uint64][]uint64
	_     [40]byte // a cache line each
}

func newOverrideSet() *overrideSet {
	s := &overrideSet{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].first = make(map[uint64]uint64)
		s.shards[i].more = make(map[uint64][]uint64)
	}
	return s
}

// at finds the shard and key of a visitor. The pseudonym alone tells shops apart already; the shop's hash keeps a forged mix from hitting.
func (s *overrideSet) at(shop string, visitor Pseudonym) (*overrideShard, uint64) {
	key := uint64(visitor) ^ maphash.String(s.seed, shop)
	return &s.shards[key%overrideShards], key
}

// denied gives the purposes that are overridden for a receipt given at the time (Unix ms), and erasedBit if the visitor was erased.
func (s *overrideSet) denied(shop string, visitor Pseudonym, given int64) uint64 {
	sh, key := s.at(shop, visitor)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e, ok := sh.first[key]
	if !ok {
		return 0
	}
	mask := deniedBy(e, given)
	for _, e := range sh.more[key] {
		mask |= deniedBy(e, given)
	}
	return mask
}

// deniedBy is denied for one entry.
func deniedBy(e uint64, given int64) uint64 {
	mask := e & (1<<maskWidth - 1)
	if int64(e>>maskWidth) >= given {
		return mask
	}
	return mask & erasedBit
}

// newest is the time of the visitor's newest override, Unix ms; 0 without one.
func (s *overrideSet) newest(shop string, visitor Pseudonym) int64 {
	sh, key := s.at(shop, visitor)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	t := int64(sh.first[key] >> maskWidth)
	for _, e := range sh.more[key] {
		t = max(t, int64(e>>maskWidth))
	}
	return t
}

// add overrides the purposes of mask for every receipt given at or before the time (Unix ms).
func (s *overrideSet) add(shop string, visitor Pseudonym, mask uint64, at int64) {
	if mask == 0 || visitor == 0 {
		return
	}
	at = min(max(at, 0), 1<<(64-maskWidth-1)-1)
	sh, key := s.at(shop, visitor)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	old, ok := sh.first[key]
	if !ok { // nearly always
		sh.first[key] = uint64(at)<<maskWidth | mask
		return
	}
	erased := mask & erasedBit
	mask &^= erasedBit
	var kept []uint64
	for _, e := range append([]uint64{old}, sh.more[key]...) {
		eat, em := int64(e>>maskWidth), e&(1<<maskWidth-1)
		erased |= em & erasedBit
		em &^= erasedBit
		switch {
		case eat == at:
			mask |= em
			em = 0
		case eat < at:
			em &^= mask
		default:
			mask &^= em
		}
		if em != 0 {
			kept = append(kept, uint64(eat)<<maskWidth|em)
		}
	}
	if mask != 0 {
		kept = append(kept, uint64(at)<<maskWidth|mask)
	}
	if len(kept) == 0 {
		kept = append(kept, uint64(at)<<maskWidth)
	}
	kept[0] |= erased
	sh.first[key] = kept[0]
	delete(sh.more, key)
	if len(kept) > 1 {
		sh.more[key] = kept[1:]
	}
}

// prune forgets overrides of times for which over says that no receipt that old can still count. Erasures stay.
func (s *overrideSet) prune(over func(at int64) bool) (dropped int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for key, e := range sh.first {
			// An entry that matters keeps the visitor's others: there are few of them, and their order is not worth the code.
			if e&erasedBit != 0 || !over(int64(e>>maskWidth)) || slices.ContainsFunc(sh.more[key], func(e uint64) bool { return !over(int64(e >> maskWidth)) }) {
				continue
			}
			delete(sh.first, key)
			delete(sh.more, key)
			dropped++
		}
		sh.mu.Unlock()
	}
	return dropped
}

// len is the number of visitors with an override.
func (s *overrideSet) len() int {
	n := 0
	for i := range s.shards {
		s.shards[i].mu.RLock()
		n += len(s.shards[i].first)
		s.shards[i].mu.RUnlock()
	}
	return n
}
