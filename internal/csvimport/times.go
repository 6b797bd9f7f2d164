package csvimport

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// timeField is the field that tells when a row happened, and the zone of times that name none.
type timeField struct {
	field
	zone *time.Location
}

func (t *timeField) read(n yamlfile.Node) {
	if !n.IsMap() {
		t.field.read(n)
		return
	}
	keys := t.keys()
	keys["timezone"] = func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		zone, err := time.LoadLocation(s)
		if err != nil || s == "" || s == "Local" {
			n.Problem("%q is not a time zone; write a name such as Europe/Brussels or UTC", s)
			return
		}
		t.zone = zone
	}
	n.Map(keys)
	t.finish(n)
}

// errTime says which times are understood.
var errTime = errors.New("is not a time; understood are RFC 3339, 2006-01-02 15:04:05.999999 (seconds may be missing, hours may have one digit) and Unix seconds or milliseconds")

// parseTime reads a time as logs write it; zone is of those that name none.
func parseTime(s string, zone *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	if digits(s) == len(s) && len(s) >= 5 {
		return parseUnix(s)
	}
	if len(s) < 12 || s[4] != '-' || s[7] != '-' || s[10] != ' ' && s[10] != 'T' && s[10] != 't' {
		return time.Time{}, errTime
	}
	var p scanner
	year, month, day := p.number(s[:4], 0, 9999), p.number(s[5:7], 1, 12), p.number(s[8:10], 1, 31)
	rest := s[11:]
	h := digits(rest)
	if h < 1 || h > 2 {
		return time.Time{}, errTime
	}
	hour := p.number(rest[:h], 0, 23)
	rest = rest[h:]
	minute := p.colon(&rest)
	second, nanos := 0, 0
	if strings.HasPrefix(rest, ":") {
		second = p.colon(&rest)
		nanos = p.fraction(&rest)
	}
	zone = p.zone(rest, zone)
	if p.bad || day > 28 && day > daysIn(year, month) {
		return time.Time{}, errTime
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, zone), nil
}

// parseUnix tells seconds from milliseconds by the number of digits: up to eleven are seconds (until the year 5138).
func parseUnix(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || len(s) > 14:
		return time.Time{}, errTime
	case len(s) <= 11:
		return time.Unix(n, 0).UTC(), nil
	}
	return time.UnixMilli(n).UTC(), nil
}

func digits(s string) int {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return i
		}
	}
	return len(s)
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// scanner remembers whether any part was bad.
type scanner struct{ bad bool }

func (p *scanner) number(s string, low, high int) int {
	n, err := strconv.Atoi(s)
	if err != nil || digits(s) != len(s) || n < low || n > high {
		p.bad = true
	}
	return n
}

// colon reads ":04".
func (p *scanner) colon(rest *string) int {
	s := *rest
	if len(s) < 3 || s[0] != ':' {
		p.bad = true
		return 0
	}
	*rest = s[3:]
	return p.number(s[1:3], 0, 59)
}

// fraction reads ".999" of up to nine digits, in nanoseconds.
func (p *scanner) fraction(rest *string) int {
	s := *rest
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0
	}
	n := digits(s[1:])
	*rest = s[1+n:]
	if n < 1 || n > 9 {
		p.bad = true
		return 0
	}
	return p.number((s[1:1+n] + "000000000")[:9], 0, 999_999_999)
}

// zone reads what follows the time of day: nothing, Z, UTC, or +01:00 and +0100.
func (p *scanner) zone(s string, otherwise *time.Location) *time.Location {
	s = strings.TrimSpace(s)
	switch s {
	case "":
		return otherwise
	case "Z", "z", "UTC":
		return time.UTC
	}
	sign, hm := s[0], strings.Replace(s[1:], ":", "", 1)
	if sign != '+' && sign != '-' || len(hm) != 4 {
		p.bad = true
		return time.UTC
	}
	offset := p.number(hm[:2], 0, 23)*3600 + p.number(hm[2:], 0, 59)*60
	if sign == '-' {
		offset = -offset
	}
	return time.FixedZone("", offset)
}
