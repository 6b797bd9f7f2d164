package funnel

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, in no particular zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// ParseDate reads "2026-01-31".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date like 2026-01-31", s)
	}
	return DateOf(t), nil
}

// DateOf is the day that t falls on in its own zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

func (d Date) String() string { return d.utc().Format(time.DateOnly) }

// MarshalText writes "2026-01-31".
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "2026-01-31".
func (d *Date) UnmarshalText(b []byte) error {
	var err error
	*d, err = ParseDate(string(b))
	return err
}

func (d Date) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// AddDays is the date n days later.
func (d Date) AddDays(n int) Date { return DateOf(d.utc().AddDate(0, 0, n)) }

// Before tells whether d is an earlier day than e.
func (d Date) Before(e Date) bool { return d.utc().Before(e.utc()) }

// DaysUntil is the number of days from d to e.
func (d Date) DaysUntil(e Date) int { return int(e.utc().Sub(d.utc()) / (24 * time.Hour)) }

// Start is the first instant of the day in the zone. It is not always midnight: some zones change their clocks there.
func (d Date) Start(zone *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
	if DateOf(t).Before(d) { // midnight was skipped and time.Date fell before it: the day begins with the new offset
		_, t = t.ZoneBounds()
	}
	if e := t.Add(-time.Hour); DateOf(e) == d { // midnight came twice
		t = e
	}
	return t
}

// Interval is the length of a step of a series.
type Interval string

// The intervals of a series; weeks start on Monday.
const (
	Day   Interval = "day"
	Week  Interval = "week"
	Month Interval = "month"
)

// Start is the first day of the interval that d lies in.
func (i Interval) Start(d Date) Date {
	switch i {
	case Week:
		return d.AddDays(-((int(d.utc().Weekday()) + 6) % 7))
	case Month:
		return Date{d.Year, d.Month, 1}
	}
	return d
}

// next is the first day of the interval after the one that starts at d.
func (i Interval) next(d Date) Date {
	switch i {
	case Week:
		return d.AddDays(7)
	case Month:
		return Month.Start(d.AddDays(31))
	}
	return d.AddDays(1)
}

// Period is a range of days of the shop, both included.
type Period struct {
	From, To Date
}

// Days is the number of days of the period.
func (p Period) Days() int { return p.From.DaysUntil(p.To) + 1 }

// Span is the period's range of instants in the zone: from the first instant of From to just before the first of the day after To.
func (p Period) Span(zone *time.Location) Span {
	return Span{Start: p.From.Start(zone), End: p.To.AddDays(1).Start(zone)}
}

// Span is a half-open range of instants [Start, End).
type Span struct {
	Start, End time.Time
}

// Contains tells whether t lies in the span.
func (s Span) Contains(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// Days are the first and the last day that the span touches in the zone.
func (s Span) Days(zone *time.Location) Period {
	return Period{From: DateOf(s.Start.In(zone)), To: DateOf(s.End.Add(-1).In(zone))}
}

// Starts are the first days of all intervals that the span touches, in order; nil where no interval is asked for. The first may lie
// before the span: a week is called by its Monday even where the period begins on a Wednesday, and then counts from the Wednesday on.
func (s Span) Starts(i Interval, zone *time.Location) []Date {
	if i == "" {
		return nil
	}
	days := s.Days(zone)
	var starts []Date
	for d := i.Start(days.From); !days.To.Before(d); d = i.next(d) {
		starts = append(starts, d)
	}
	return starts
}
