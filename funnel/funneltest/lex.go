package funneltest

import (
	"fmt"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/money"
	"strconv"
)

// words splits a line at blanks outside of quotes and brackets; a # after a blank begins a comment.
func words(line string) ([]string, error) {
	var out []string
	var quoted bool
	depth, start := 0, -1
	flush := func(end int) {
		if start >= 0 {
			out = append(out, line[start:end])
			start = -1
		}
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
			continue
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return nil, fmt.Errorf("column %d: a ) without its (", i+1)
			}
		case depth == 0 && (c == ' ' || c == '\t'):
			flush(i)
			continue
		case c == '#' && start < 0 && depth == 0:
			return out, nil
		}
		if start < 0 {
			start = i
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed")
	}
	if depth > 0 {
		return nil, fmt.Errorf("a ( is not closed on this line")
	}
	flush(len(line))
	return out, nil
}

// pair splits key=value; quotes around the value are taken off.
func pair(word string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(word, "=")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return strings.TrimSpace(key), value, ok
}

// fields splits "a=1, b="x, y"" at commas outside of quotes.
func fields(s string) []string {
	var out []string
	quoted := false
	start := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	if last := strings.TrimSpace(s[start:]); last != "" || len(out) > 0 {
		out = append(out, last)
	}
	return out
}

// duration reads Go's durations and days: 90s, 1h30m, 3d, 3d12h.
func duration(s string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if n, after, ok := strings.Cut(s, "d"); ok {
		d, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration like 90s, 1h30m or 3d", s)
		}
		if days, rest = time.Duration(d)*24*time.Hour, after; rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration like 90s, 1h30m or 3d", s)
	}
	return days + d, nil
}

// instant reads RFC 3339, or 2026-01-05 10:00[:05] in the shop's zone.
func instant(s string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time like 2026-01-05 10:00 or 2026-01-05T10:00:00+01:00", s)
}

// items reads goods: id:quantity:price joined by +; quantity and price may be left out.
func items(s string) ([]funnel.Item, error) {
	if s == "" {
		return nil, nil
	}
	var out []funnel.Item
	for _, part := range strings.Split(s, "+") {
		bits := strings.Split(part, ":")
		item := funnel.Item{ID: bits[0], Name: bits[0]}
		if item.ID == "" || len(bits) > 3 {
			return nil, fmt.Errorf("%q is not an item like glass:2:12.25", part)
		}
		if len(bits) > 1 {
			n, err := strconv.ParseInt(bits[1], 10, 32)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%q: %q is not a quantity", part, bits[1])
			}
			item.Quantity = n
		}
		if len(bits) > 2 {
			price, err := money.Parse(bits[2], money.Scale)
			if err != nil {
				return nil, fmt.Errorf("%q: %q %w", part, bits[2], err)
			}
			item.Price = &price
		}
		out = append(out, item)
	}
	return out, nil
}
