package funnel_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/money"
)

// Known values: 95% Wilson intervals as published calculators print them.
func TestWilsonKnownValues(t *testing.T) {
	for _, c := range []struct {
		successes, n int
		low, high    float64
	}{
		{0, 0, 0, 1},
		{0, 10, 0, 0.277533},
		{10, 10, 0.722467, 1},
		{1, 2, 0.094531, 0.905469},
		{81, 263, 0.255289, 0.366210}, // Newcombe 1998, table I, method 3: 0.2553, 0.3662
	} {
		low, high := funnel.Wilson(c.successes, c.n)
		if math.Abs(low-c.low) > 1e-5 || math.Abs(high-c.high) > 1e-5 {
			t.Errorf("Wilson(%d, %d) = %.6f, %.6f, want %.6f, %.6f", c.successes, c.n, low, high, c.low, c.high)
		}
	}
}

func TestWilsonContainsTheProportion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1_000_000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		low, high := funnel.Wilson(k, n)
		p := float64(k) / float64(n)
		if !(0 <= low && low <= p && p <= high && high <= 1) {
			t.Fatalf("Wilson(%d, %d) = %v, %v does not hold %v", k, n, low, high, p)
		}
	})
}

func TestAverageRoundsOnceHalfAwayFromZero(t *testing.T) {
	for _, c := range []struct {
		currency, total string
		n               int
		want            string
	}{
		{"EUR", "10.00", 3, "3.33"},
		{"EUR", "0.05", 2, "0.03"},
		{"EUR", "-0.05", 2, "-0.03"},
		{"EUR", "0.89", 200, "0.00"}, // 0.00445: rounding to four decimals first would say 0.01
		{"JPY", "5", 2, "3"},
		{"KWD", "1.000", 3, "0.333"},
	} {
		total, err := money.Parse(c.total, money.Scale)
		if err != nil {
			t.Fatal(err)
		}
		if got := funnel.Average(c.currency, total, c.n).In(c.currency); got != c.want {
			t.Errorf("Average(%s, %s, %d) = %s, want %s", c.currency, c.total, c.n, got, c.want)
		}
	}
	if funnel.Average("EUR", 0, 0) != nil {
		t.Error("an average of nothing is not nil")
	}
}

func TestConcentrate(t *testing.T) {
	euros := func(units ...int64) []money.Amount {
		var out []money.Amount
		for _, u := range units {
			out = append(out, money.Amount(u*10_000))
		}
		return out
	}
	for _, c := range []struct {
		name           string
		revenues       []money.Amount
		top10, largest float64
		half           int
		gini           float64
	}{
		{"one customer", euros(50), 1, 1, 1, 0},
		{"all alike", euros(10, 10, 10, 10), 0.25, 0.25, 2, 0},
		{"one has all", euros(0, 0, 0, 100), 1, 1, 1, 0.75},
		{"1 to 4", euros(1, 2, 3, 4), 0.4, 0.4, 2, 0.25}, // (−3·1 −1·2 +1·3 +3·4)/(4·10)
		{"eleven customers: two are the top tenth", euros(5, 5, 1, 1, 1, 1, 1, 1, 1, 1, 2), 0.5, 0.25, 2, 0},
	} {
		got := funnel.Concentrate(c.revenues)
		if *got.Top10PercentRevenueShare != c.top10 || *got.LargestCustomerShare != c.largest || got.CustomersForHalfOfRevenue != c.half {
			t.Errorf("%s: got %v, %v, %d", c.name, *got.Top10PercentRevenueShare, *got.LargestCustomerShare, got.CustomersForHalfOfRevenue)
		}
		if len(c.revenues) < 11 && math.Abs(*got.Gini-c.gini) > 1e-12 {
			t.Errorf("%s: gini %v, want %v", c.name, *got.Gini, c.gini)
		}
	}
	if got := funnel.Concentrate(euros(0, 0)); got.Gini != nil || got.CustomersForHalfOfRevenue != 0 {
		t.Errorf("without revenue: %+v", got)
	}
}

func TestMedian(t *testing.T) {
	if funnel.Median(nil) != nil {
		t.Error("a median of nothing is not nil")
	}
	if m := funnel.Median([]time.Duration{9 * time.Second, time.Second, 2 * time.Second}); *m != 2 {
		t.Errorf("median of three: %v", *m)
	}
	if m := funnel.Median([]time.Duration{4 * time.Second, time.Second}); *m != 2.5 {
		t.Errorf("median of two: %v", *m)
	}
}

func TestMoneyJSON(t *testing.T) {
	m := funnel.Money{"USD": 120_000, "EUR": 245_000, "JPY": 5_000_000}
	b, err := json.Marshal(m)
	if err != nil || string(b) != `{"EUR":"24.50","JPY":"500","USD":"12.00"}` {
		t.Fatalf("%s, %v", b, err)
	}
	var back funnel.Money
	if err := json.Unmarshal(b, &back); err != nil || back["JPY"] != m["JPY"] || back["EUR"] != m["EUR"] {
		t.Fatalf("%v, %v", back, err)
	}
	b, err = json.Marshal(funnel.Averages{"EUR": nil})
	if err != nil || string(b) != `{"EUR":null}` {
		t.Fatalf("%s, %v", b, err)
	}
}
