package funnel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kassa-analytics/kassa/internal/money"
)

// Money is a sum in each currency, which are never added together. As JSON: {"EUR":"24.50"}, in each currency's minor precision.
type Money map[string]money.Amount

// Add adds an amount to the sum of its currency.
func (m Money) Add(currency string, a money.Amount) { m[currency] += a }

// MarshalJSON writes the currencies in alphabetical order; nothing is {}.
func (m Money) MarshalJSON() ([]byte, error) {
	return marshalByCurrency(m, func(currency string, a money.Amount) any { return a.In(currency) })
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Money) UnmarshalJSON(b []byte) error {
	var texts map[string]string
	if err := json.Unmarshal(b, &texts); err != nil {
		return fmt.Errorf("reading amounts by currency: %w", err)
	}
	*m = make(Money, len(texts))
	for currency, text := range texts {
		a, err := money.Parse(text, money.Scale)
		if err != nil {
			return fmt.Errorf("reading the amount in %s: %q %w", currency, text, err)
		}
		(*m)[currency] = a
	}
	return nil
}

// Averages is an average amount in each currency; nil where there is nothing to take an average of. As JSON: {"EUR":"24.50","USD":null}.
type Averages map[string]*money.Amount

// MarshalJSON writes the currencies in alphabetical order.
func (m Averages) MarshalJSON() ([]byte, error) {
	return marshalByCurrency(m, func(currency string, a *money.Amount) any {
		if a == nil {
			return nil
		}
		return a.In(currency)
	})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Averages) UnmarshalJSON(b []byte) error {
	var texts map[string]*string
	if err := json.Unmarshal(b, &texts); err != nil {
		return fmt.Errorf("reading averages by currency: %w", err)
	}
	*m = make(Averages, len(texts))
	for currency, text := range texts {
		if text == nil {
			(*m)[currency] = nil
			continue
		}
		a, err := money.Parse(*text, money.Scale)
		if err != nil {
			return fmt.Errorf("reading the average in %s: %q %w", currency, *text, err)
		}
		(*m)[currency] = &a
	}
	return nil
}

func marshalByCurrency[A any](m map[string]A, value func(string, A) any) ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, currency := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := json.Marshal(currency)
		if err != nil {
			return nil, fmt.Errorf("writing currency %q: %w", currency, err)
		}
		v, err := json.Marshal(value(currency, m[currency]))
		if err != nil {
			return nil, fmt.Errorf("writing the amount in %s: %w", currency, err)
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// Average is total / n in the currency's minor precision, rounded half away from zero once; nil where n is 0.
func Average(currency string, total money.Amount, n int) *money.Amount {
	if n <= 0 {
		return nil
	}
	digits, err := money.MinorDigits(currency)
	if err != nil {
		digits = 2
	}
	minor := int64(1) // one minor unit as an Amount
	for i := digits; i < money.Scale; i++ {
		minor *= 10
	}
	// total/(n·minor) rounded; n·minor stays far below 2^63 for any number of orders.
	d := int64(n) * minor
	q, r := int64(total)/d, int64(total)%d
	switch {
	case r > 0 && r >= d-r:
		q++
	case r < 0 && -r >= d+r:
		q--
	}
	a := money.Amount(q * minor)
	return &a
}
