package collector

import "time"

// Limits of a batch. Longer texts are cut (see textLimits); longer identifiers are refused.
const (
	MaxEvents    = 500
	MaxItems     = 200     // of an event
	MaxBodyBytes = 1 << 20 // decompressed

	// maxBatchItems bounds the memory a body of empty items could ask for.
	maxBatchItems = 10_000

	maxID      = 200 // characters of event id, session, cart, order, customer; of visitor ids on token wires
	maxContact = 320 // characters
)

// Batch is what one request or one piece of an import brings, before it is judged: every wire is translated into it. Its strings
// are as sent; nothing of it is kept but through Accept.
type Batch struct {
	Shop    string
	Receipt string
	Visitor string
	Session string
	SentAt  int64 // client's clock when it was sent, Unix milliseconds; 0 = not told
	Events  []Input

	// Set by the receiving side, not by the sender.
	Received time.Time
	Wire     string // tag, server, import, ga4, segment, matomo
	Agent    Agent  // of the browser; zero for a back end

	// Unknown counts the fields that were dropped because the vocabulary does not have them.
	Unknown int

	faults []Rejection // at the batch itself: none of it is usable
	items  []InputItem // backing store of the events' items, reused
}

// Agent is the class of the sending browser; a full user agent string is never kept.
type Agent struct {
	Device  string // desktop, mobile, tablet, other; empty = unknown
	Browser string // name without version
	OS      string
}

// Input is one event as sent. An empty string and a zero time mean "not told". Money is decimal text, "24.50".
type Input struct {
	ID   string
	Name string
	Time int64 // Unix milliseconds by the client's clock

	Visitor string // of this event, where a batch mixes visitors (imports); else the batch's
	Session string // likewise

	Page     string // URL or path, with its query
	Title    string
	Language string
	Referrer string // URL or host
	Campaign Campaign

	Cart     string
	Order    string
	Customer string
	Contact  string

	Currency string
	Value    string
	Shipping string
	Tax      string
	Fees     string
	Discount string

	Coupon       string
	PaymentType  string
	ShippingTier string
	ErrorKind    string
	ErrorDetail  string
	Items        []InputItem

	fault *Rejection // found while decoding, pointer relative to the event
}

// Campaign is how the shop tagged the way here.
type Campaign struct {
	Source, Medium, Name, Term, Content string
}

// InputItem is one line of goods as sent.
type InputItem struct {
	ID, Name, Category, Variant string
	Price                       string // of one, decimal text
	Quantity                    string // decimal text; empty counts as one
}

// Result tells what became of a batch's events.
type Result struct {
	Accepted   int // durable here
	Duplicates int // seen before: the same id counts once
	Rejected   []Rejection
	Index      uint64 // the spool record that holds the accepted ones; 0 = none
}

// reset empties the batch and keeps its memory for the next.
func (b *Batch) reset() {
	clear(b.Events)
	clear(b.items)
	*b = Batch{Events: b.Events[:0], items: b.items[:0], faults: b.faults[:0]}
}

// Faults are what is wrong with the batch itself (shop, visitor, events …); where there are any, none of it can be used.
func (b *Batch) Faults() []Rejection { return b.faults }

// Recycle empties the batch, so that nothing of a visitor stays in a pool, and tells whether its memory is worth keeping for the next one.
func (b *Batch) Recycle() bool {
	b.reset()
	return cap(b.items) <= 2048
}
