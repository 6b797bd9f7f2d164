package collector

// Reason says in one slug why an event was not taken. The list is closed: shops act on it, and it is a metric's label.
type Reason string

// The reasons.
const (
	// ReasonInvalidValue: a field has the wrong JSON type, form or range; the pointer names it.
	ReasonInvalidValue Reason = "invalid-value"
	// ReasonMissingValue: a field that every event needs (id, name; on imports time and visitor too) is absent or empty.
	ReasonMissingValue Reason = "missing-value"
	// ReasonTooLong: an identifier is longer than its limit. Identifiers are never cut: two could become one.
	ReasonTooLong Reason = "too-long"
	// ReasonTooManyItems: more than MaxItems items.
	ReasonTooManyItems Reason = "too-many-items"
	// ReasonTimeOutOfRange: after correction for the client's clock, not in [received − 72 h, received + 5 min].
	ReasonTimeOutOfRange Reason = "time-out-of-range"
	// ReasonBeforeConsent: it happened more than 60 s before the visitor's consent.
	ReasonBeforeConsent Reason = "before-consent"
	// ReasonOlderThanRetention: an imported event that would be deleted at once.
	ReasonOlderThanRetention Reason = "older-than-retention"
	// ReasonBot: a known crawler sent it.
	ReasonBot Reason = "bot"
)

// Reasons is the closed list, so that metrics can start every label at 0.
func Reasons() []Reason {
	return []Reason{
		ReasonInvalidValue, ReasonMissingValue, ReasonTooLong, ReasonTooManyItems,
		ReasonTimeOutOfRange, ReasonBeforeConsent, ReasonOlderThanRetention, ReasonBot,
	}
}

// Rejection is one event of a batch that was not taken.
type Rejection struct {
	ID      string // as sent, cut to 200 characters; empty where it could not be read
	Reason  Reason
	Pointer string // JSON pointer (RFC 6901) into the request body
	Detail  string // what is wrong there, without the value itself
}

// Error makes a Rejection the error of the functions that judge one event.
func (r *Rejection) Error() string { return string(r.Reason) + " at " + r.Pointer + ": " + r.Detail }

func reject(reason Reason, pointer, detail string) *Rejection {
	return &Rejection{Reason: reason, Pointer: pointer, Detail: detail}
}
