package collector

import "sync"

// recentIDs remembers about the last n event ids, so that a beacon sent again is answered as a duplicate without a look-up. It is a
// help, not the rule: what it has forgotten the writer still finds.
type recentIDs struct {
	shards [recentShards]recentShard
	limit  int // ids a shard's younger generation holds before it becomes the older one
}

const recentShards = 16

type recentShard struct {
	mu           sync.Mutex
	young, older map[[16]byte]struct{}
	_            [40]byte // apart from its neighbour's cache line
}

// newRecentIDs remembers at least n/2 and at most n ids (32 bytes each, or so).
func newRecentIDs(n int) *recentIDs {
	r := &recentIDs{limit: max(1, n/2/recentShards)}
	for i := range r.shards {
		r.shards[i].young = map[[16]byte]struct{}{}
	}
	return r
}

// seen tells whether the id was remembered. Ids are keyed hashes, so any byte spreads them evenly.
func (r *recentIDs) seen(id [16]byte) bool {
	s := &r.shards[id[0]%recentShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[id]; ok {
		return true
	}
	_, ok := s.older[id]
	return ok
}

// remember is called once the event is durable: an id whose event was lost must not make its repeat a duplicate.
func (r *recentIDs) remember(id [16]byte) {
	s := &r.shards[id[0]%recentShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= r.limit {
		s.young, s.older = s.older, s.young
		if s.young == nil {
			s.young = map[[16]byte]struct{}{}
		}
		clear(s.young)
	}
	s.young[id] = struct{}{}
}
