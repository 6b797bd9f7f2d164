package money

import (
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in     string
		digits int
		want   string
		err    error
	}{
		{"24.50", 2, "24.50", nil},
		{"24.5", 2, "24.50", nil},
		{"0.005", 2, "0.01", nil},
		{"-0.005", 2, "-0.01", nil},
		{"0.0049999999999", 2, "0.00", nil},
		{"1.005", 2, "1.01", nil}, // a float would say 1.00
		{"2450", 0, "2450", nil},
		{"2449.5", 0, "2450", nil},
		{"1.2345", 3, "1.235", nil},
		{"1e2", 2, "100.00", nil},
		{"1.5E-1", 2, "0.15", nil},
		{"00012.30", 2, "12.30", nil},
		{"0", 2, "0.00", nil},
		{"5e-3", 2, "0.01", nil},
		{"4e-3", 2, "0.00", nil},
		{"0.5e-300", 2, "0.00", nil},
		{"899999999.99", 2, "899999999.99", nil},
		{"900000000.01", 2, "", ErrRange},
		{"1e400", 2, "", ErrRange},
		{"1e17", 2, "", ErrRange},
		{"NaN", 2, "", ErrSyntax},
		{"Infinity", 2, "", ErrSyntax},
		{"", 2, "", ErrSyntax},
		{".", 2, "", ErrSyntax},
		{"-", 2, "", ErrSyntax},
		{"1,5", 2, "", ErrSyntax},
		{"1.2.3", 2, "", ErrSyntax},
		{"1e", 2, "", ErrSyntax},
		{"0x10", 2, "", ErrSyntax},
	} {
		got, err := Parse(c.in, c.digits)
		if !errors.Is(err, c.err) {
			t.Errorf("Parse(%q, %d): error %v, want %v", c.in, c.digits, err, c.err)
			continue
		}
		if err == nil && got.Format(c.digits) != c.want {
			t.Errorf("Parse(%q, %d) = %s, want %s", c.in, c.digits, got.Format(c.digits), c.want)
		}
	}
}

// Rounding agrees with exact rational arithmetic, half away from zero.
func TestParseRoundsExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?[0-9]{1,8}(\.[0-9]{1,12})?`).Draw(t, "s")
		digits := rapid.IntRange(0, Scale).Draw(t, "digits")
		got, err := Parse(s, digits)
		if err != nil {
			t.Fatalf("Parse(%q): %v", s, err)
		}
		exact, _ := new(big.Rat).SetString(s)
		want, _ := new(big.Rat).SetString(exact.FloatString(digits)) // FloatString rounds half away from zero
		if new(big.Rat).SetFrac64(int64(got), unit).Cmp(want) != 0 {
			t.Fatalf("Parse(%q, %d) = %s, want %s", s, digits, got.Format(digits), want)
		}
	})
}

func TestMinorDigits(t *testing.T) {
	for code, want := range map[string]int{"EUR": 2, "JPY": 0, "KWD": 3, "CHF": 2} {
		if got, err := MinorDigits(code); err != nil || got != want {
			t.Errorf("MinorDigits(%s) = %d, %v; want %d", code, got, err, want)
		}
	}
	for _, bad := range []string{"", "eur", "EURO", "QQQ1", "€"} {
		if _, err := MinorDigits(bad); err == nil {
			t.Errorf("MinorDigits(%q) accepted", bad)
		}
	}
}

func TestTimesSaturates(t *testing.T) {
	if got := Amount(12_2500).Times(2); got != 24_5000 {
		t.Errorf("2 × 12.25 = %s", got.Format(2))
	}
	if got := MaxAmount.Times(1 << 40); got != MaxAmount {
		t.Errorf("overflow gave %d", got)
	}
}
