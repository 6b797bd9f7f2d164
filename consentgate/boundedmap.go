package consentgate

import (
	"hash/maphash"
	"sync"
)

// boundedMap is a sharded map of at most about max entries. Each shard has a young and an old generation: what is written or read moves
// into the young one; when that is full it becomes the old one, and what nobody touched since is gone. Unlike a cache with admission,
// what was just written is always there to be read.
type boundedMap[K comparable, V any] struct {
	hash   func(maphash.Seed, K) uint64
	seed   maphash.Seed
	half   int // entries in a generation of a shard
	shards [mapShards]mapShard[K, V]
}

const mapShards = 64

type mapShard[K comparable, V any] struct {
	mu         sync.RWMutex
	young, old map[K]V
	_          [24]byte
}

func newBoundedMap[K comparable, V any](max int, hash func(maphash.Seed, K) uint64) *boundedMap[K, V] {
	m := &boundedMap[K, V]{hash: hash, seed: maphash.MakeSeed(), half: (max + 2*mapShards - 1) / (2 * mapShards)}
	for i := range m.shards {
		m.shards[i].young = make(map[K]V)
	}
	return m
}

func (m *boundedMap[K, V]) shard(key K) *mapShard[K, V] {
	return &m.shards[m.hash(m.seed, key)%mapShards]
}

func (m *boundedMap[K, V]) get(key K) (V, bool) {
	s := m.shard(key)
	s.mu.RLock()
	v, ok := s.young[key]
	inOld := false
	if !ok {
		v, inOld = s.old[key]
	}
	s.mu.RUnlock()
	if inOld {
		s.mu.Lock()
		if newer, there := s.young[key]; there { // written in between
			v = newer
		} else if _, still := s.old[key]; still {
			m.putLocked(s, key, v)
		}
		s.mu.Unlock()
		return v, true
	}
	return v, ok
}

// update replaces the entry by what f makes of the current one; f runs under the shard's lock.
func (m *boundedMap[K, V]) update(key K, f func(old V, found bool) V) V {
	s := m.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.young[key]
	if !ok {
		v, ok = s.old[key]
	}
	v = f(v, ok)
	m.putLocked(s, key, v)
	return v
}

func (m *boundedMap[K, V]) put(key K, v V) {
	s := m.shard(key)
	s.mu.Lock()
	m.putLocked(s, key, v)
	s.mu.Unlock()
}

func (m *boundedMap[K, V]) putLocked(s *mapShard[K, V], key K, v V) {
	if _, there := s.young[key]; !there && len(s.young) >= m.half {
		s.old, s.young = s.young, make(map[K]V, m.half)
	}
	s.young[key] = v
}

func hashString(seed maphash.Seed, s string) uint64 { return maphash.String(seed, s) }

func hashVisitor(seed maphash.Seed, k visitorKey) uint64 {
	return maphash.String(seed, k.shop) ^ uint64(k.visitor)
}
