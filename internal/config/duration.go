package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Lengths of the units that a Go duration has not. A month is a twelfth of a year, so that 12mo is 1y.
const (
	day   = 24 * time.Hour
	year  = 365 * day
	month = year / 12
)

// ParseDuration reads a Go duration that may also use d (24 hours), mo (a twelfth of a year) and y (365 days): "1h30m", "7d",
// "13mo", "1y6mo", "0". Negative durations are refused.
func ParseDuration(s string) (time.Duration, error) {
	rest, total := s, time.Duration(0)
	if rest == "0" {
		return 0, nil
	}
	for rest != "" {
		number := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if number <= 0 {
			return 0, errDuration(s)
		}
		unit := rest[number:]
		if end := strings.IndexAny(unit, "0123456789."); end >= 0 {
			unit = unit[:end]
		}
		text := rest[:number]
		rest = rest[number+len(unit):]
		part, err := parsePart(text, unit)
		if err != nil {
			return 0, errDuration(s)
		}
		if total += part; total < 0 {
			return 0, errDuration(s)
		}
	}
	if s == "" {
		return 0, errDuration(s)
	}
	return total, nil
}

func parsePart(number, unit string) (time.Duration, error) {
	length, ok := map[string]time.Duration{"d": day, "mo": month, "y": year}[unit]
	if !ok {
		return time.ParseDuration(number + unit)
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n > 250 && unit == "y" || n > 3000 && unit == "mo" || n > 100_000 {
		return 0, fmt.Errorf("out of range")
	}
	return time.Duration(n * float64(length)), nil
}

func errDuration(s string) error {
	return fmt.Errorf("%q is not a duration; write a number with s, m, h, d, mo or y, such as 90m, 7d or 13mo", s)
}
