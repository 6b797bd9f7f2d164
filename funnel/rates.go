package funnel

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/kassa-analytics/kassa/internal/money"
)

// z is the 97.5% quantile of the standard normal distribution: intervals are 95%, two-sided.
const z = 1.959963984540054

// Wilson is the 95% score interval of a proportion: E. B. Wilson, "Probable inference, the law of succession, and statistical
// inference", Journal of the American Statistical Association 22 (1927), 209–212; the form is that of L. D. Brown, T. T. Cai and
// A. DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001), 101–133, equation (4).
// Without a trial it knows nothing: 0, 1.
func Wilson(successes, n int) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	trials := float64(n)
	p := float64(successes) / trials
	centre := (p + z*z/(2*trials)) / (1 + z*z/trials)
	half := z / (1 + z*z/trials) * math.Sqrt(p*(1-p)/trials+z*z/(4*trials*trials))
	low, high = max(0, centre-half), min(1, centre+half)
	if successes == 0 { // exact by algebra; rounding must not say otherwise
		low = 0
	}
	if successes == n {
		high = 1
	}
	return low, high
}

// Rate is part / whole, nil where whole is 0.
func Rate(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	r := float64(part) / float64(whole)
	return &r
}

// StepCounts is what has to be counted for a step; everything else of a Step is worked out of it.
type StepCounts struct {
	Step                string
	Carts               int      // furthest step is this or a later one
	Skipped             int      // furthest step is later, this one never seen
	Abandoned           int      // abandoned with this as the furthest step
	Unsettled           int      // open, emptied or superseded with this as the furthest step
	MedianSecondsToNext *float64 // of carts that showed this step and a later one
}

// Steps works out the rates of the steps, given in their order.
func Steps(counts []StepCounts) []Step {
	steps := make([]Step, len(counts))
	for i, c := range counts {
		s := Step{
			Step: c.Step, Carts: c.Carts, Skipped: c.Skipped, Abandoned: c.Abandoned,
			RateFromFirst:       Rate(c.Carts, counts[0].Carts),
			MedianSecondsToNext: c.MedianSecondsToNext,
		}
		if i > 0 {
			s.RateFromPrevious = Rate(c.Carts, counts[i-1].Carts)
		}
		s.AbandonmentRate, s.AbandonmentRateLow, s.AbandonmentRateHigh = interval(c.Abandoned, c.Carts-c.Unsettled)
		steps[i] = s
	}
	return steps
}

// WithRates fills in the rates of counted totals, and an abandoned value of nothing in the shop's currency where there is none.
func (t Totals) WithRates(shop Shop) Totals {
	t.AbandonmentRate, t.AbandonmentRateLow, t.AbandonmentRateHigh = interval(t.Abandoned, t.Carts-t.Open-t.Emptied-t.Superseded)
	t.AbandonedValue = t.AbandonedValue.in(shop)
	return t
}

// in is the sums with the shop's own currency always among them, so that an answer has the same shape without data.
func (m Money) in(shop Shop) Money {
	if m == nil {
		m = Money{}
	}
	m.Add(shop.Currency, 0)
	return m
}

func interval(part, whole int) (rate, low, high *float64) {
	if whole == 0 {
		return nil, nil, nil
	}
	l, h := Wilson(part, whole)
	return Rate(part, whole), &l, &h
}

// Median of durations in seconds: the middle one, or the mean of the two in the middle (ClickHouse's quantileExactInclusive(0.5));
// nil of none.
func Median(durations []time.Duration) *float64 {
	n := len(durations)
	if n == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(durations))
	m := sorted[n/2].Seconds()
	if n%2 == 0 {
		m = (sorted[n/2-1].Seconds() + m) / 2
	}
	return &m
}

// Concentrate works out how much revenue hangs on how few customers, given each customer's revenue in one currency. The Gini
// coefficient is that of the sample, Σ(2i − n − 1)·x_i / (n·Σx) over ascending x_i: C. Gini, "Variabilità e mutabilità" (1912), in the
// ranked form of A. Sen, "On Economic Inequality" (1973).
func Concentrate(revenues []money.Amount) Concentration {
	sorted := slices.SortedFunc(slices.Values(revenues), func(a, b money.Amount) int { return cmp.Compare(b, a) })
	var total float64
	for _, r := range sorted {
		total += float64(r)
	}
	if total <= 0 {
		return Concentration{}
	}
	n := len(sorted)
	tenth := (n + 9) / 10
	var c Concentration
	var sum, top, spread float64
	for i, r := range sorted {
		sum += float64(r)
		if i < tenth {
			top = sum
		}
		if c.CustomersForHalfOfRevenue == 0 && sum*2 >= total {
			c.CustomersForHalfOfRevenue = i + 1
		}
		spread += float64(n-1-2*i) * float64(r) // descending: i = 0 is the largest
	}
	share, largest, gini := top/total, float64(sorted[0])/total, spread/(float64(n)*total)
	c.Top10PercentRevenueShare, c.LargestCustomerShare, c.Gini = &share, &largest, &gini
	return c
}
