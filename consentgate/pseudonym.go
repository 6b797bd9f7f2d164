package consentgate

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/tink-crypto/tink-go/v2/prf"
)

// Pseudonym stands for an identifier of a shop: 64 bits of a keyed function of (shop, kind, identifier), without the key no way leads
// back. 0 is none. At 64 bits two of a million visitors share one with a chance of 1 in 37 million.
type Pseudonym uint64

// String is 16 hex digits.
func (p Pseudonym) String() string { return fmt.Sprintf("%016x", uint64(p)) }

// ParsePseudonym reads what String writes.
func ParsePseudonym(s string) (Pseudonym, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("pseudonym %q is not 16 hex digits", s)
	}
	return Pseudonym(v), nil
}

// Kind is what an identifier names; the same text of two kinds gives two pseudonyms. The numbers go into the keyed function: they never change.
type Kind uint8

// The kinds. All are scoped to the shop, sessions and carts too: a back end names a cart without knowing the visitor.
const (
	KindVisitor  Kind = 1
	KindSession  Kind = 2
	KindCart     Kind = 3
	KindOrder    Kind = 4
	KindCustomer Kind = 5
)

// prfBytes is what AES-CMAC gives.
const prfBytes = 16

// eventIDKind keeps event ids apart even where someone copies the pseudonym keyset over the event-id one.
const eventIDKind Kind = 255

// Pseudonym is the pseudonym under the primary key; 0 for an empty id.
func (k *Keys) Pseudonym(shop string, kind Kind, id string) Pseudonym {
	if id == "" {
		return 0
	}
	return toPseudonym(k.keyed(k.pseudonyms[0], shop, kind, id))
}

// Pseudonyms are the pseudonyms under all live keys, the primary's first; nil for an empty id.
func (k *Keys) Pseudonyms(shop string, kind Kind, id string) []Pseudonym {
	if id == "" {
		return nil
	}
	out := make([]Pseudonym, len(k.pseudonyms))
	for i, f := range k.pseudonyms {
		out[i] = toPseudonym(k.keyed(f, shop, kind, id))
	}
	return out
}

// EventID is the keyed hash that identifies an event of a shop; its key never rotates.
func (k *Keys) EventID(shop, id string) [prfBytes]byte {
	return k.keyed(k.eventIDs, shop, eventIDKind, id)
}

// toPseudonym takes 64 bits; 0 means none, so the one output that is 0 becomes 1.
func toPseudonym(b [prfBytes]byte) Pseudonym {
	return max(1, Pseudonym(binary.BigEndian.Uint64(b[:8])))
}

// keyed computes the keyed function of (shop, kind, id).
func (k *Keys) keyed(f prf.PRF, shop string, kind Kind, id string) (out [prfBytes]byte) {
	p, ok := k.inputs.Get().(*[]byte)
	if !ok {
		p = new([]byte)
	}
	in := append((*p)[:0], byte(kind))
	in = append(appendCounted(in, shop), id...)
	b, err := f.ComputePRF(in, prfBytes)
	clear(in)
	*p = in[:0]
	k.inputs.Put(p)
	if err != nil || copy(out[:], b) != prfBytes {
		// OpenKeys tried each key at this length; AES-CMAC has no other way to fail.
		panic(fmt.Sprintf("consentgate: keyed function failed: %v", err))
	}
	return out
}

// appendCounted appends a text after its length, so that what follows cannot be taken for part of it.
func appendCounted(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
