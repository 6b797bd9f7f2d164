package delivery

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
)

// Filter is a Bloom filter over the stored event ids: where it says no, the id is
// new to this collector and the warehouse need not be asked. Event ids are keyed
// hashes already, so their own bits are the hash functions. A nil *Filter, one that
// is not loaded yet and one that has outgrown its limit say maybe.
//
// An id that another collector stored since the load is taken for new; it then
// counts as stored on both, and once in every report.
type Filter struct {
	mu       sync.RWMutex
	layers   []layer
	maxBytes int
	used     int
	loaded   bool
	given    bool // up: outgrown
}

type layer struct {
	bits []uint64
	left int // ids until it is full
}

const (
	filterProbes    = 7  // with 10 bits an id: under 1% false maybes
	filterBitsPerID = 10 // Bloom 1970; m/n = 10, k = 7
	firstLayerIDs   = 1 << 20
)

// NewFilter makes an empty filter that grows up to maxBytes (0: 128 MiB, some 100
// million ids) and then gives up.
func NewFilter(maxBytes int) *Filter {
	if maxBytes == 0 {
		maxBytes = 128 << 20
	}
	return &Filter{maxBytes: maxBytes}
}

// Load fills the filter with what the warehouse has: each must call its argument
// with every stored id. Until it has returned, the filter says maybe to all. Ids
// that are added meanwhile are kept.
func (f *Filter) Load(ctx context.Context, each func(ctx context.Context, add func(id [16]byte)) error) error {
	if err := each(ctx, f.Add); err != nil {
		return fmt.Errorf("loading the filter of known event ids: %w", err)
	}
	f.mu.Lock()
	f.loaded = true
	f.mu.Unlock()
	return nil
}

// Add remembers an id.
func (f *Filter) Add(id [16]byte) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.given {
		return
	}
	n := len(f.layers)
	if n == 0 || f.layers[n-1].left == 0 {
		ids := firstLayerIDs << n
		words := ids * filterBitsPerID / 64
		if f.used+8*words > f.maxBytes {
			f.given, f.layers = true, nil
			return
		}
		f.used += 8 * words
		f.layers = append(f.layers, layer{bits: make([]uint64, words), left: ids})
		n++
	}
	l := &f.layers[n-1]
	l.left--
	h1, h2 := binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])|1
	for range filterProbes {
		bit := h1 % uint64(64*len(l.bits))
		l.bits[bit/64] |= 1 << (bit % 64)
		h1 += h2
	}
}

// MayHave is false only for an id that was neither loaded nor added.
func (f *Filter) MayHave(id [16]byte) bool {
	if f == nil {
		return true
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !f.loaded || f.given {
		return true
	}
	h1, h2 := binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])|1
	for i := range f.layers {
		if f.layers[i].has(h1, h2) {
			return true
		}
	}
	return false
}

func (l *layer) has(h1, h2 uint64) bool {
	for range filterProbes {
		bit := h1 % uint64(64*len(l.bits))
		if l.bits[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
		h1 += h2
	}
	return true
}
