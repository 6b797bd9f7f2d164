package consentgate

import "errors"

// Refusal is why the gate says no. Slug is the problem type of the HTTP interface, Detail a sentence without personal data, Pointer
// the JSON pointer (RFC 6901) of the field at fault where there is one. Two refusals of one slug are the same error to errors.Is.
type Refusal struct {
	Slug    string
	Detail  string
	Pointer string
}

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Slug + ": " + r.Detail }

// Is compares by slug.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Slug == r.Slug
}

// The refusals of events. They are values, so that refusing costs no allocation.
var (
	// ErrConsentRequired: neither a receipt nor a recorded consent.
	ErrConsentRequired = &Refusal{Slug: "consent-required", Detail: "No consent is known for this visitor: ask for it and send it to /v1/consent first."}
	// ErrConsentInvalid: forged, cut, of another shop or visitor, of an unknown key or algorithm.
	ErrConsentInvalid = &Refusal{Slug: "consent-invalid", Detail: "This receipt was not issued here for this shop and visitor: ask for consent again."}
	// ErrConsentExpired: the consent is older than it may be.
	ErrConsentExpired = &Refusal{Slug: "consent-expired", Detail: "This consent has expired: ask for it again."}
	// ErrConsentWithdrawn: a newer decision of the visitor took this consent back.
	ErrConsentWithdrawn = &Refusal{Slug: "consent-withdrawn", Detail: "The visitor has withdrawn this consent."}
	// ErrPurposeNotGranted: the visitor decided, but not for measuring.
	ErrPurposeNotGranted = &Refusal{Slug: "purpose-not-granted", Detail: "The visitor's consent does not include analytics."}
)

// The refusals of decisions; the gate fills in detail and pointer.
var (
	// ErrUnknownShop: no such shop is configured.
	ErrUnknownShop = &Refusal{Slug: "unknown-shop", Detail: "No shop of this id is configured.", Pointer: "/shop"}
	// ErrUnknownPurpose: a purpose that is not configured.
	ErrUnknownPurpose = &Refusal{Slug: "unknown-purpose", Detail: "A purpose is not configured.", Pointer: "/purposes"}
	// ErrUnknownNotice: a notice version or language that is not configured.
	ErrUnknownNotice = &Refusal{Slug: "unknown-notice", Detail: "No notice of this version and language is configured.", Pointer: "/notice"}
	// ErrInvalidDecision: a field of the decision has a value it cannot have.
	ErrInvalidDecision = &Refusal{Slug: "invalid-parameter", Detail: "A field has a value it cannot have."}
	// ErrNeedsToken: only a server with an ingest token may say this.
	ErrNeedsToken = &Refusal{Slug: "invalid-token", Detail: "given_at is taken only with an ingest token, which attests it.", Pointer: "/given_at"}
)

// ErrUnavailable says that what was decided earlier could not be looked up, or that a decision could not be made durable: try again.
var ErrUnavailable = errors.New("consent ledger unavailable")
