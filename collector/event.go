// Package collector turns what a shop's tag or back end sends into pseudonymised events and makes them durable, for those who consented.
package collector

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/kassa-analytics/kassa/internal/money"
)

// Event is one event as it is kept: every identifier is a keyed pseudonym (0 = none), times are Unix milliseconds UTC, money is in
// Currency's units. It is what the spool holds, so a field's number never changes its meaning.
type Event struct {
	Shop     string   `cbor:"1,keyasint"`
	ID       [16]byte `cbor:"2,keyasint"` // keyed hash of (shop, event id); never rotates
	Name     string   `cbor:"3,keyasint"`
	Time     int64    `cbor:"4,keyasint"` // when it happened, corrected by the client clock's skew
	Received int64    `cbor:"5,keyasint"`

	Visitor  uint64 `cbor:"6,keyasint"`
	Session  uint64 `cbor:"7,keyasint,omitempty"`
	Cart     uint64 `cbor:"8,keyasint,omitempty"`
	Order    uint64 `cbor:"9,keyasint,omitempty"`
	Customer uint64 `cbor:"10,keyasint,omitempty"`

	ReceiptID string `cbor:"11,keyasint,omitempty"` // consent receipt that permits it
	GivenAt   int64  `cbor:"12,keyasint,omitempty"` // when that consent was given
	Basis     string `cbor:"13,keyasint,omitempty"` // legal basis of an import; empty: consent
	Marketing bool   `cbor:"14,keyasint,omitempty"` // the receipt grants marketing too
	Wire      string `cbor:"15,keyasint,omitempty"` // tag, server, import, ga4, segment, matomo

	CartEvent bool `cbor:"16,keyasint,omitempty"` // a cart event under the shop's steps at the time of receipt

	Page     string `cbor:"20,keyasint,omitempty"` // path without query and fragment, e-mail addresses masked
	Title    string `cbor:"21,keyasint,omitempty"`
	Language string `cbor:"22,keyasint,omitempty"` // primary subtag, lower case: nl
	Referrer string `cbor:"23,keyasint,omitempty"` // host; empty for the shop's own
	Source   string `cbor:"24,keyasint,omitempty"`
	Medium   string `cbor:"25,keyasint,omitempty"`
	Campaign string `cbor:"26,keyasint,omitempty"`
	Term     string `cbor:"27,keyasint,omitempty"`
	Content  string `cbor:"28,keyasint,omitempty"`
	Channel  string `cbor:"29,keyasint,omitempty"` // default channel group of this event's referrer and campaign
	Device   string `cbor:"30,keyasint,omitempty"` // desktop, mobile, tablet, other
	Browser  string `cbor:"31,keyasint,omitempty"`
	OS       string `cbor:"32,keyasint,omitempty"`

	Currency string        `cbor:"40,keyasint,omitempty"`
	Value    *money.Amount `cbor:"41,keyasint,omitempty"` // goods, without shipping
	Shipping *money.Amount `cbor:"42,keyasint,omitempty"`
	Tax      *money.Amount `cbor:"43,keyasint,omitempty"`
	Fees     *money.Amount `cbor:"44,keyasint,omitempty"`
	Discount *money.Amount `cbor:"45,keyasint,omitempty"`

	Coupon       string `cbor:"50,keyasint,omitempty"`
	PaymentType  string `cbor:"51,keyasint,omitempty"`
	ShippingTier string `cbor:"52,keyasint,omitempty"`
	ErrorKind    string `cbor:"53,keyasint,omitempty"`
	ErrorDetail  string `cbor:"54,keyasint,omitempty"`
	Items        []Item `cbor:"55,keyasint,omitempty"`

	Contact []byte `cbor:"60,keyasint,omitempty"` // sealed; only with marketing consent
	CartRef []byte `cbor:"61,keyasint,omitempty"` // the shop's own cart reference, sealed; only with marketing consent

	Excluded bool `cbor:"70,keyasint,omitempty"` // staff or test order: counted apart, in no figure
}

// Item is one line of goods. Price is a unit's, in the event's currency.
type Item struct {
	ID       string        `cbor:"1,keyasint,omitempty"`
	Name     string        `cbor:"2,keyasint,omitempty"`
	Category string        `cbor:"3,keyasint,omitempty"`
	Variant  string        `cbor:"4,keyasint,omitempty"`
	Price    *money.Amount `cbor:"5,keyasint,omitempty"`
	Quantity int64         `cbor:"6,keyasint,omitempty"` // 0 = not told, counts as one
}

// EncodeEvents writes events as they lie in the spool; see AppendEvents. The error is always nil.
func EncodeEvents(events []Event) ([]byte, error) { return AppendEvents(nil, events), nil }

// DecodeEvents reads what EncodeEvents wrote; unknown keys, of a newer version, are passed over.
func DecodeEvents(b []byte) ([]Event, error) {
	var events []Event
	if err := cbor.Unmarshal(b, &events); err != nil {
		return nil, fmt.Errorf("decoding spooled events: %w", err)
	}
	return events, nil
}
