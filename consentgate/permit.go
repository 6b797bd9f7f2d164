package consentgate

import (
	"slices"
	"time"
)

// The purposes every installation knows; more come from the configuration.
const (
	PurposeAnalytics = "analytics"
	PurposeMarketing = "marketing"
)

// BasisConsent is the Basis of a permit that rests on the visitor's consent.
const BasisConsent = "consent"

// Permit allows storing events of one visitor. Only a Gate makes one; the zero Permit is none, and whoever stores events refuses it.
type Permit struct {
	shop      string
	visitor   Pseudonym
	receiptID string
	granted   []string
	given     int64 // Unix ms; 0 for an import
	expires   int64
	basis     string
}

// Valid tells a permit made by a Gate from the zero Permit.
func (p Permit) Valid() bool { return p.basis != "" && p.visitor != 0 && p.shop != "" }

// Shop is the shop the permit holds for.
func (p Permit) Shop() string { return p.shop }

// Visitor is the visitor's pseudonym under the primary key.
func (p Permit) Visitor() Pseudonym { return p.visitor }

// ReceiptID names the consent receipt; empty for an import.
func (p Permit) ReceiptID() string { return p.receiptID }

// Granted tells whether the visitor's newest decision allows the purpose.
func (p Permit) Granted(purpose string) bool { return slices.Contains(p.granted, purpose) }

// GivenAt is when the consent was given, UTC; zero for an import.
func (p Permit) GivenAt() time.Time { return fromMillis(p.given) }

// ExpiresAt is when the consent ends, UTC; zero for an import.
func (p Permit) ExpiresAt() time.Time { return fromMillis(p.expires) }

// Basis is BasisConsent, or the legal basis an import names.
func (p Permit) Basis() string { return p.basis }

// Imported tells whether the permit rests on an import's legal basis instead of the visitor's consent.
func (p Permit) Imported() bool { return p.basis != "" && p.receiptID == "" }

// fromMillis turns Unix milliseconds into UTC time; 0 is the zero time.
func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
