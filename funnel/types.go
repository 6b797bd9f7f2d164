// Package funnel answers the owner's questions: how many customers, where they came from, and where they give up at the checkout.
package funnel

import (
	"context"
	"fmt"
	"time"
)

// Reports answers the owner's questions about one shop. It is implemented by Reference, which is the definition, and over the
// warehouse, which is what runs. A question that cannot be asked is an *InvalidParameterError.
type Reports interface {
	Checkout(ctx context.Context, shop Shop, q Query) (Checkout, error)
	Customers(ctx context.Context, shop Shop, q Query) (Customers, error)
	Coverage(ctx context.Context, shop Shop, q Query) (CoverageReport, error)
}

// Shop is what the reports must know of a shop's configuration.
type Shop struct {
	ID               string
	Currency         string         // ISO 4217; what concentration looks at
	Timezone         *time.Location // days and weeks are this zone's
	PricesIncludeTax bool           // then tax is never an extra cost
	AbandonAfter     time.Duration  // idle longer than this: no longer open
	SupersededWithin time.Duration  // 0 = off
	Steps            []string       // names of the checkout's steps, in order
	Exclude          Exclude
}

// Exclude names staff and test orders: carts and orders with such a customer or coupon are counted apart and are in no figure.
// Stored events carry the verdict as a flag, since their references are pseudonyms; only the reference engine reads these lists.
type Exclude struct {
	Customers []string
	Coupons   []string
}

// DefaultSteps are a checkout's steps where a shop configures none.
func DefaultSteps() []string {
	return []string{"add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase"}
}

// Query is what is asked of a report.
type Query struct {
	Period   Period
	Rolling  time.Duration // when positive: [Now − Rolling, Now) instead of Period, as the metrics ask it
	Now      time.Time     // carts' states are as of this instant; the answer's generated_at
	By       string        // breakdown of /checkout: one of CheckoutKeys; empty: none
	Interval Interval      // of the series; empty: no series
	Compare  bool          // answer the same number of days before, too
}

// CheckoutKeys are the breakdowns that Query.By may ask of /checkout.
func CheckoutKeys() []string { return []string{"device", "channel"} }

// Span is the half-open range of instants that the query asks about.
func (q Query) Span(shop Shop) Span {
	if q.Rolling > 0 {
		return Span{Start: q.Now.Add(-q.Rolling), End: q.Now}
	}
	return q.Period.Span(shop.Timezone)
}

// Previous is the same question about the same number of days (or the same rolling time) before.
func (q Query) Previous() Query {
	q.Compare = false
	days := q.Period.Days()
	q.Period = Period{From: q.Period.From.AddDays(-days), To: q.Period.To.AddDays(-days)}
	if q.Rolling > 0 {
		q.Now = q.Now.Add(-q.Rolling)
	}
	return q
}

// Check tells, as an *InvalidParameterError, whether the query can be answered at all.
func (q Query) Check() error {
	if q.Rolling <= 0 && q.Period.To.Before(q.Period.From) {
		return &InvalidParameterError{Parameter: "from", Detail: fmt.Sprintf("%s lies after to=%s", q.Period.From, q.Period.To)}
	}
	switch q.Interval {
	case "", Day, Week, Month:
		return nil
	}
	return &InvalidParameterError{Parameter: "interval", Detail: fmt.Sprintf("%q is none of day, week, month", q.Interval)}
}

// InvalidParameterError is a parameter of a question that has no answer, such as an unknown breakdown.
type InvalidParameterError struct {
	Parameter string // its name in the query string
	Detail    string // what is wrong and what would be right
}

func (e *InvalidParameterError) Error() string { return e.Parameter + ": " + e.Detail }
