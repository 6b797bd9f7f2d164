package funnel_test

import (
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
)

func date(t *testing.T, s string) funnel.Date {
	t.Helper()
	d, err := funnel.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestPeriodSpan(t *testing.T) {
	for _, c := range []struct {
		zone, from, to, start, end string
	}{
		{"Europe/Brussels", "2026-01-05", "2026-01-05", "2026-01-04T23:00:00Z", "2026-01-05T23:00:00Z"},
		{"Europe/Brussels", "2026-03-29", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},   // 23 hours
		{"Europe/Brussels", "2026-10-25", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},   // 25 hours
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // no midnight: begins at 01:00
		{"America/Havana", "2025-11-02", "2025-11-02", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z"},    // midnight twice: the first
		{"UTC", "2024-02-28", "2024-03-01", "2024-02-28T00:00:00Z", "2024-03-02T00:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		span := funnel.Period{From: date(t, c.from), To: date(t, c.to)}.Span(zone)
		if got := span.Start.UTC().Format(time.RFC3339); got != c.start {
			t.Errorf("%s %s starts %s, want %s", c.zone, c.from, got, c.start)
		}
		if got := span.End.UTC().Format(time.RFC3339); got != c.end {
			t.Errorf("%s %s ends %s, want %s", c.zone, c.to, got, c.end)
		}
		if days := span.Days(zone); days.From != date(t, c.from) || days.To != date(t, c.to) {
			t.Errorf("%s: days %v", c.zone, days)
		}
	}
}

func TestSeriesStarts(t *testing.T) {
	span := funnel.Period{From: date(t, "2026-01-28"), To: date(t, "2026-02-09")}.Span(time.UTC)
	for _, c := range []struct {
		interval funnel.Interval
		want     []string
	}{
		{"", nil},
		{funnel.Week, []string{"2026-01-26", "2026-02-02", "2026-02-09"}},
		{funnel.Month, []string{"2026-01-01", "2026-02-01"}},
	} {
		got := span.Starts(c.interval, time.UTC)
		if len(got) != len(c.want) {
			t.Errorf("%q: %v", c.interval, got)
			continue
		}
		for i := range got {
			if got[i].String() != c.want[i] {
				t.Errorf("%q: %v, want %v", c.interval, got, c.want)
			}
		}
	}
	if got := len(span.Starts(funnel.Day, time.UTC)); got != 13 {
		t.Errorf("days: %d", got)
	}
}

func TestPreviousIsAsLong(t *testing.T) {
	q := funnel.Query{Period: funnel.Period{From: date(t, "2026-03-01"), To: date(t, "2026-03-07")}, Compare: true}
	p := q.Previous()
	if p.Period.From != date(t, "2026-02-22") || p.Period.To != date(t, "2026-02-28") || p.Compare {
		t.Errorf("%+v", p)
	}
}

func TestCheck(t *testing.T) {
	bad := funnel.Query{Period: funnel.Period{From: date(t, "2026-03-02"), To: date(t, "2026-03-01")}}
	if err := bad.Check(); err == nil || err.Error() != "from: 2026-03-02 lies after to=2026-03-01" {
		t.Errorf("%v", err)
	}
	bad = funnel.Query{Period: funnel.Period{From: date(t, "2026-03-01"), To: date(t, "2026-03-01")}, Interval: "year"}
	if err := bad.Check(); err == nil {
		t.Error("interval=year is accepted")
	}
}
