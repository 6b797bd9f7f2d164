package consentgate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// verifiedReceipt is a receipt whose signature was checked, with what the next check of it needs.
type verifiedReceipt struct {
	receipt  Receipt
	raw      string      // the visitor id it was presented with, and belongs to; in memory only
	visitor  []Pseudonym // all live pseudonyms of raw, primary first
	purposes []string    // granted, sorted
	given    int64       // Unix ms
	expires  int64       // Unix ms
}

// Check judges the receipt that came with events of a visitor. It answers with a permit, or with one of the refusals ErrConsentRequired,
// ErrConsentInvalid, ErrConsentExpired, ErrConsentWithdrawn, ErrPurposeNotGranted. It looks nothing up outside memory.
func (g *Gate) Check(shop, receipt, visitor string) (Permit, error) {
	if receipt == "" {
		return Permit{}, ErrConsentRequired
	}
	v, ok := g.receipts.get(receipt)
	if !ok {
		var err error
		if v, err = g.verify(shop, receipt, visitor); err != nil {
			return Permit{}, err
		}
	}
	if v.receipt.Shop != shop || v.raw != visitor {
		return Permit{}, ErrConsentInvalid
	}
	if g.clock().UnixMilli() >= v.expires {
		return Permit{}, ErrConsentExpired
	}
	if !slices.Contains(v.purposes, PurposeAnalytics) {
		return Permit{}, ErrPurposeNotGranted
	}
	denied := g.denied(shop, v.visitor, v.given)
	if denied&g.bit(PurposeAnalytics) != 0 {
		return Permit{}, ErrConsentWithdrawn
	}
	granted := v.purposes
	if denied != 0 {
		granted = slices.DeleteFunc(slices.Clone(granted), func(p string) bool { return denied&g.bit(p) != 0 })
	}
	return Permit{shop: v.receipt.Shop, visitor: v.visitor[0], receiptID: v.receipt.ID, granted: granted, given: v.given, expires: v.expires, basis: BasisConsent}, nil
}

// verify checks signature, shop and visitor of a receipt not seen before, and remembers it.
func (g *Gate) verify(shop, compact, visitor string) (*verifiedReceipt, error) {
	r, err := g.keys.VerifyReceipt(compact)
	if err != nil {
		return nil, err
	}
	v := &verifiedReceipt{receipt: r, raw: strings.Clone(visitor), visitor: g.keys.Pseudonyms(shop, KindVisitor, visitor), given: r.GivenAt.UnixMilli(), expires: g.ends(r.GivenAt, r.ExpiresAt)}
	if r.Shop != shop || !slices.Contains(v.visitor, r.Visitor) {
		return nil, ErrConsentInvalid
	}
	for p, granted := range r.Purposes {
		if granted {
			v.purposes = append(v.purposes, p)
		}
	}
	slices.Sort(v.purposes)
	v.receipt.Choices, v.receipt.Purposes = nil, nil // not needed again
	g.receipts.put(strings.Clone(compact), v)
	return v, nil
}

// ends is when a consent ends, Unix ms: as its receipt says, or sooner where consents were given a shorter life since.
func (g *Gate) ends(given, expires time.Time) int64 {
	return min(expires.UnixMilli(), g.expiry(given).UnixMilli())
}

// Recorded gives the permit that the consent recorded for a visitor allows: what a server with an ingest token asks for, whose events
// come without a receipt. Refusals are those of Check (never ErrConsentInvalid); ErrUnavailable where the ledger could not be asked.
func (g *Gate) Recorded(ctx context.Context, shop, visitor string) (Permit, error) {
	ps := g.keys.Pseudonyms(shop, KindVisitor, visitor)
	if ps == nil {
		return Permit{}, ErrConsentRequired
	}
	state, err := g.visitor(ctx, shop, ps)
	analytics, decided := state.on(PurposeAnalytics)
	if err != nil && !decided {
		return Permit{}, err
	}
	now := g.clock()
	switch {
	case len(state.choices) == 0:
		return Permit{}, ErrConsentRequired
	case !decided:
		return Permit{}, ErrPurposeNotGranted
	case !analytics.granted && g.denied(shop, ps, 0)&g.bit(PurposeAnalytics) != 0:
		return Permit{}, ErrConsentWithdrawn
	case !analytics.granted:
		return Permit{}, ErrPurposeNotGranted
	}
	expires := g.ends(fromMillis(analytics.at), fromMillis(analytics.expires))
	if now.UnixMilli() >= expires {
		return Permit{}, ErrConsentExpired
	}
	if g.denied(shop, ps, analytics.at)&g.bit(PurposeAnalytics) != 0 {
		return Permit{}, ErrConsentWithdrawn
	}
	p := Permit{shop: shop, visitor: ps[0], receiptID: analytics.receiptID, given: analytics.at, expires: expires, basis: BasisConsent}
	for _, c := range state.granted() {
		if now.UnixMilli() < g.ends(fromMillis(c.at), fromMillis(c.expires)) && g.denied(shop, ps, c.at)&g.bit(c.purpose) == 0 {
			p.granted = append(p.granted, c.purpose)
		}
	}
	return p, nil
}

// ImportPermit allows storing events of an older system under the legal basis the owner names. It grants analytics alone.
func (g *Gate) ImportPermit(shop, visitor, legalBasis string) (Permit, error) {
	if !g.knownShop(shop) {
		return Permit{}, ErrUnknownShop
	}
	if !ValidVisitor(visitor, true) {
		return Permit{}, invalid("/visitor", "a visitor id has 1 to 200 characters")
	}
	if !validText(legalBasis, 500) {
		return Permit{}, invalid("/legal_basis", "an import names the legal basis it rests on, in at most 500 characters")
	}
	return Permit{shop: shop, visitor: g.keys.Pseudonym(shop, KindVisitor, visitor), granted: []string{PurposeAnalytics}, basis: legalBasis}, nil
}

// overrideGrace is how long overrides are kept after the last receipt they can concern has expired: time for a spool to drain.
const overrideGrace = 30 * 24 * time.Hour

// Suppressed tells whether an event must not be inserted (any more): its consent (given at givenAt) was overridden or the visitor
// erased since it was accepted. For an import givenAt is zero: then only an erasure counts, since it does not rest on consent. now is
// the time of the insert; an event whose consent is so old that its overrides may be forgotten is suppressed too. receiptID is for the
// caller's log alone: decisions are about visitors.
func (g *Gate) Suppressed(shop string, visitor Pseudonym, receiptID string, givenAt, now time.Time) bool {
	return g.Denied(shop, visitor, PurposeAnalytics, givenAt, now)
}

// Denied is Suppressed for one purpose: whoever inserts an event leaves out its sealed contact where marketing is denied.
func (g *Gate) Denied(shop string, visitor Pseudonym, purpose string, givenAt, now time.Time) bool {
	if givenAt.IsZero() {
		return g.overrides.denied(shop, visitor, 0)&erasedBit != 0
	}
	return g.overrides.denied(shop, visitor, givenAt.UnixMilli())&g.bit(purpose) != 0 || g.forgotten(givenAt, now)
}

// forgotten tells whether consents given then are too old for their overrides to be kept.
func (g *Gate) forgotten(given, now time.Time) bool {
	return g.expiry(given).Add(overrideGrace).Before(now)
}

// denied collects the overrides of all pseudonyms of a visitor.
func (g *Gate) denied(shop string, visitor []Pseudonym, given int64) (mask uint64) {
	for _, p := range visitor {
		mask |= g.overrides.denied(shop, p, given)
	}
	return mask
}

// bit is a purpose's place in an override.
func (g *Gate) bit(purpose string) uint64 {
	for i, p := range g.purposes {
		if p == purpose {
			return 1 << i
		}
	}
	return otherBit
}

// bits is the mask of purposes; AllPurposes is all of them.
func (g *Gate) bits(purposes []string) (mask uint64) {
	for _, p := range purposes {
		if p == AllPurposes {
			return allBits
		}
		mask |= g.bit(p)
	}
	return mask
}

// invalid is a refusal of a decision's field.
func invalid(pointer, format string, args ...any) *Refusal {
	return &Refusal{Slug: ErrInvalidDecision.Slug, Pointer: pointer, Detail: fmt.Sprintf(format, args...)}
}
