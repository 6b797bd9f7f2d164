// Package money is exact decimal money: an Amount counts ten-thousandths of a currency unit, so that no float is ever involved.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"golang.org/x/text/currency"
)

// Amount is a sum of money in ten-thousandths of the currency's unit ("24.50" is 245000). It is stored as ClickHouse Decimal(18, 4).
// Which currency it is in stands beside it: amounts of different currencies are never added together.
type Amount int64

// Scale is the number of decimal digits an Amount keeps; no ISO 4217 currency in use has more minor digits.
const Scale = 4

const unit = 10_000

// MaxAmount is the largest amount accepted from outside, in whole units: large enough for any order, small enough that the sum of
// a million of them cannot overflow.
const MaxAmount Amount = 900_000_000 * unit

// ErrSyntax tells that a token is not a decimal number.
var ErrSyntax = errors.New("is not a decimal number")

// ErrRange tells that an amount's magnitude is above MaxAmount.
var ErrRange = fmt.Errorf("is larger than %d", MaxAmount/unit)

// MinorDigits is the number of digits after the decimal point that ISO 4217 gives the currency (EUR 2, JPY 0, KWD 3).
// The error names an unknown code.
func MinorDigits(code string) (int, error) {
	u, err := currency.ParseISO(code)
	if err != nil || len(code) != 3 || strings.ToUpper(code) != code {
		return 0, fmt.Errorf("%q is not an ISO 4217 currency code in capitals", code)
	}
	scale, _ := currency.Standard.Rounding(u)
	return scale, nil
}

// Parse reads a decimal number ("24.50", "-3", "1e2") exactly and rounds it half away from zero to digits decimals (0..Scale).
// It never goes through a float. Errors: ErrSyntax, ErrRange.
func Parse(s string, digits int) (Amount, error) {
	mantissa, neg, exp, err := scan(s)
	if err != nil {
		return 0, err
	}
	return assemble(mantissa, neg, exp, digits)
}

// scan splits a decimal number into its significant digits without leading zeros, its sign and its decimal exponent.
func scan(s string) (digits string, neg bool, exp int, err error) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	start, point, seen := i, -1, 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && point < 0 {
			point = i
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen++
	}
	if seen == 0 || len(s) > 64 {
		return "", false, 0, ErrSyntax
	}
	mantissa := s[start:i]
	if point >= 0 {
		exp = -(i - point - 1)
		mantissa = s[start:point] + s[point+1:i]
	}
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return "", false, 0, ErrSyntax
		}
		e, ok := exponent(s[i+1:])
		if !ok {
			return "", false, 0, ErrSyntax
		}
		exp += e
	}
	return strings.TrimLeft(mantissa, "0"), neg, exp, nil
}

func exponent(s string) (int, bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if s == "" || len(s) > 6 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// assemble rounds digits × 10^exp half away from zero to the wanted number of decimals and checks the range.
func assemble(mantissa string, neg bool, exp, digits int) (Amount, error) {
	if mantissa == "" {
		return 0, nil
	}
	// Number of mantissa digits that stand before the last decimal kept.
	keep := len(mantissa) + exp + digits
	if keep > 18 {
		return 0, ErrRange
	}
	if keep < 0 {
		return 0, nil
	}
	var v int64
	for i := 0; i < keep; i++ {
		v *= 10
		if i < len(mantissa) {
			v += int64(mantissa[i] - '0')
		}
	}
	if keep < len(mantissa) && mantissa[keep] >= '5' {
		v++
	}
	for i := digits; i < Scale; i++ {
		if v > math.MaxInt64/10 {
			return 0, ErrRange
		}
		v *= 10
	}
	if v > int64(MaxAmount) {
		return 0, ErrRange
	}
	if neg {
		v = -v
	}
	return Amount(v), nil
}

// Format writes the amount with the given number of decimals (0..Scale), rounded half away from zero: "24.50".
func (a Amount) Format(digits int) string {
	v := int64(a)
	neg := v < 0
	if neg {
		v = -v
	}
	div := int64(1)
	for i := digits; i < Scale; i++ {
		div *= 10
	}
	q := v / div
	if r := v % div; r*2 >= div && div > 1 {
		q++
	}
	s := fmt.Sprintf("%0*d", digits+1, q)
	if digits > 0 {
		s = s[:len(s)-digits] + "." + s[len(s)-digits:]
	}
	if neg && q != 0 {
		s = "-" + s
	}
	return s
}

// In writes the amount in the currency's minor precision ("24.50" EUR, "2450" JPY); an unknown currency gets two decimals.
func (a Amount) In(code string) string {
	digits, err := MinorDigits(code)
	if err != nil {
		digits = 2
	}
	return a.Format(digits)
}

// Times is the amount multiplied by a whole quantity; saturated at ±MaxAmount.
func (a Amount) Times(quantity int64) Amount {
	p := new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(quantity))
	if p.CmpAbs(big.NewInt(int64(MaxAmount))) > 0 {
		if p.Sign() < 0 {
			return -MaxAmount
		}
		return MaxAmount
	}
	return Amount(p.Int64())
}
