package funnel

import (
	"time"
)

// Envelope is what every answer begins with.
type Envelope struct {
	Period      PeriodAnswer `json:"period"`
	GeneratedAt time.Time    `json:"generated_at"`
	Coverage    Coverage     `json:"coverage"`
}

// PeriodAnswer repeats the period asked for.
type PeriodAnswer struct {
	From     Date   `json:"from"`
	To       Date   `json:"to"`
	Timezone string `json:"timezone"`
}

// NewEnvelope is the beginning of the answer to q.
func NewEnvelope(shop Shop, q Query, c Coverage) Envelope {
	days := q.Period
	if q.Rolling > 0 {
		days = q.Span(shop).Days(shop.Timezone)
	}
	return Envelope{
		Period:      PeriodAnswer{From: days.From, To: days.To, Timezone: shop.Timezone.String()},
		GeneratedAt: q.Now.UTC(),
		Coverage:    c,
	}
}

// Coverage tells how much of what happened in the shop the figures rest on.
type Coverage struct {
	ConsentedSessions    int      `json:"consented_sessions"`     // sessions that started in the period
	UnconsentedPageViews int      `json:"unconsented_page_views"` // counted without any identifier, where the shop wants that
	OrdersMeasured       int      `json:"orders_measured"`        // orders of the period known from consented events
	OrdersTotal          *int     `json:"orders_total"`           // orders of the shop's own book; nil without one
	Ratio                *float64 `json:"ratio"`                  // OrdersMeasured / OrdersTotal; nil without an order book
}

// CoverageReport is the answer of /coverage.
type CoverageReport struct {
	Envelope
	Decisions []DecisionCount `json:"decisions"` // sorted by purpose, then decision
	Series    []CoveragePoint `json:"series"`
	Previous  *CoverageReport `json:"previous,omitempty"`
}

// DecisionCount is how often a purpose was decided on in a way ("granted", "refused" or "withdrawn") in a period. Decisions count by
// when they were given.
type DecisionCount struct {
	Purpose  string `json:"purpose"`
	Decision string `json:"decision"`
	Count    int    `json:"count"`
}

// CoveragePoint is one interval of the coverage series.
type CoveragePoint struct {
	Start Date `json:"start"`
	Coverage
	Decisions []DecisionCount `json:"decisions"`
}

// Checkout is the answer of /checkout: what became of the carts whose first cart event lies in the period.
type Checkout struct {
	Envelope
	CheckoutFigures
	Groups   []CheckoutGroup `json:"groups"` // by descending number of carts, then by key
	Series   []CheckoutPoint `json:"series"`
	Products []Product       `json:"products"`
	Previous *Checkout       `json:"previous,omitempty"`
}

// CheckoutFigures are the steps and totals of a set of carts.
type CheckoutFigures struct {
	Steps  []Step `json:"steps"`
	Totals Totals `json:"totals"`
}

// CheckoutGroup is the carts of one breakdown key, as it was at the cart's first cart event.
type CheckoutGroup struct {
	Key string `json:"key"`
	CheckoutFigures
}

// CheckoutPoint is one interval of the series; the interval's first day in the shop's zone.
type CheckoutPoint struct {
	Start Date `json:"start"`
	CheckoutFigures
}

// Step is one step of the checkout. Rates are 0..1 and nil where nothing stands below the line.
type Step struct {
	Step                string   `json:"step"`
	Carts               int      `json:"carts"`              // carts whose furthest step is this one or a later one
	RateFromFirst       *float64 `json:"rate_from_first"`    // Carts / carts of the first step
	RateFromPrevious    *float64 `json:"rate_from_previous"` // Carts / carts of the step before; nil at the first step
	Skipped             int      `json:"skipped"`            // went further without ever showing this step
	Abandoned           int      `json:"abandoned"`          // abandoned here: this is their furthest step
	AbandonmentRate     *float64 `json:"abandonment_rate"`   // Abandoned / (Carts − those that are open, emptied or superseded here)
	AbandonmentRateLow  *float64 `json:"abandonment_rate_low"`
	AbandonmentRateHigh *float64 `json:"abandonment_rate_high"` // Wilson, 95%
	MedianSecondsToNext *float64 `json:"median_seconds_to_next"`
}

// Totals count carts by state. The six states exclude each other and add up to Carts.
type Totals struct {
	Carts               int      `json:"carts"`
	Open                int      `json:"open"`
	Purchased           int      `json:"purchased"`
	Recovered           int      `json:"recovered"`
	Abandoned           int      `json:"abandoned"`
	Emptied             int      `json:"emptied"`
	Superseded          int      `json:"superseded"`
	AbandonmentRate     *float64 `json:"abandonment_rate"` // Abandoned / (Carts − Open − Emptied − Superseded)
	AbandonmentRateLow  *float64 `json:"abandonment_rate_low"`
	AbandonmentRateHigh *float64 `json:"abandonment_rate_high"` // Wilson, 95%
	AbandonedValue      Money    `json:"abandoned_value"`       // of abandoned carts whose value is known
	Excluded            int      `json:"excluded"`              // staff and test carts, in no other figure
}

// Product is one product that was left behind.
type Product struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Carts     int    `json:"carts"`
	Abandoned int    `json:"abandoned"`
	Value     Money  `json:"value"`
}

// Customers is the answer of /customers: who ordered in the period.
type Customers struct {
	Envelope
	Customers         int             `json:"customers"`
	New               int             `json:"new"`
	Returning         int             `json:"returning"`
	Orders            int             `json:"orders"`
	OrdersPerCustomer *float64        `json:"orders_per_customer"`
	RepeatRate        *float64        `json:"repeat_rate"` // share of Customers with two orders or more by the period's end
	Revenue           Money           `json:"revenue"`     // values − refunds; the shop's currency is always there
	AverageOrderValue Averages        `json:"average_order_value"`
	Concentration     Concentration   `json:"concentration"`
	Series            []CustomerPoint `json:"series"`
	Initiatives       []Initiative    `json:"initiatives"`
	ExcludedOrders    int             `json:"excluded_orders"` // staff and test orders, in no other figure
	Previous          *Customers      `json:"previous,omitempty"`
}

// Concentration tells whether revenue hangs on few customers. It looks at the customers with an order in the shop's currency in the
// period, and at their revenue in it; nil where that revenue is nothing.
type Concentration struct {
	Top10PercentRevenueShare  *float64 `json:"top_10_percent_revenue_share"` // of the tenth of the customers, rounded up, that brought most
	LargestCustomerShare      *float64 `json:"largest_customer_share"`
	CustomersForHalfOfRevenue int      `json:"customers_for_half_of_revenue"` // the fewest customers who together brought half or more
	Gini                      *float64 `json:"gini"`                          // 0: all alike
}

// CustomerPoint is one interval of the customers series. New customers are those whose first order ever lies in the interval.
type CustomerPoint struct {
	Start     Date  `json:"start"`
	Customers int   `json:"customers"`
	New       int   `json:"new"`
	Returning int   `json:"returning"`
	Orders    int   `json:"orders"`
	Revenue   Money `json:"revenue"`
}

// Initiative is what brought new customers: the channel, source, medium and campaign of the session in which they placed their first
// order; of nothing: "(direct)", "(direct)", "(none)" and "(not set)". Sorted by descending number of new customers, then by its
// four names.
type Initiative struct {
	Channel      string `json:"channel"`
	Source       string `json:"source"`
	Medium       string `json:"medium"`
	Campaign     string `json:"campaign"`
	NewCustomers int    `json:"new_customers"`
	Revenue      Money  `json:"revenue"` // of all orders of these new customers in the period
}
