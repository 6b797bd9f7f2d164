package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/problem"
)

// maxPeriodDays bounds a period: ten years and its leap days.
const maxPeriodDays = 3660

// defaultPeriodDays is the length of the period where none is asked for: the last full days.
const defaultPeriodDays = 30

// format of an answer.
type format string

const (
	formatJSON format = "json"
	formatCSV  format = "csv"
)

// question is a report's query string, understood.
type question struct {
	funnel.Query
	format format
}

// parameters reads a query string once, remembering what is wrong with it; names not asked for are faults too, so that a
// misspelt parameter is told rather than ignored.
type parameters struct {
	values url.Values
	known  []string
	faults []problem.Field
}

func (p *parameters) fault(name, detail string) {
	p.faults = append(p.faults, problem.Field{Pointer: "/" + name, Detail: detail})
}

// text is a parameter's value; empty when absent. A parameter given twice is a fault.
func (p *parameters) text(name string) string {
	p.known = append(p.known, name)
	v := p.values[name]
	if len(v) > 1 {
		p.fault(name, "is given more than once")
	}
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// oneOf is a parameter's value, which must be one of those allowed when it is there.
func (p *parameters) oneOf(name string, allowed ...string) string {
	v := p.text(name)
	if _, given := p.values[name]; given && !slices.Contains(allowed, v) {
		p.fault(name, fmt.Sprintf("%q is none of %s", clip(v), strings.Join(allowed, ", ")))
		return ""
	}
	return v
}

// date is a parameter's value as a day, and whether it was given.
func (p *parameters) date(name string) (funnel.Date, bool) {
	v := p.text(name)
	if _, given := p.values[name]; !given {
		return funnel.Date{}, false
	}
	d, err := funnel.ParseDate(v)
	if err != nil {
		p.fault(name, fmt.Sprintf("%q is not a date like 2026-01-31", clip(v)))
	}
	return d, err == nil
}

// problem is the 400 that names every fault and every unknown parameter; nil when there is none.
func (p *parameters) problem() error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.Contains(p.known, name) {
			p.fault(name, "is not a parameter of this report; known are "+strings.Join(slices.Sorted(slices.Values(p.known)), ", "))
		}
	}
	if len(p.faults) == 0 {
		return nil
	}
	f := p.faults[0]
	return problem.New(http.StatusBadRequest, "invalid-parameter",
		fmt.Sprintf("The parameter %s %s.", strings.TrimPrefix(f.Pointer, "/"), f.Detail), p.faults...)
}

// clip keeps an echoed value short.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// parse reads the parameters common to all reports, and those named: "by" and "interval" with their allowed values.
func parse(values url.Values, shop funnel.Shop, now time.Time, by, intervals []string) (question, error) {
	p := &parameters{values: values}
	q := question{Query: funnel.Query{Now: now}, format: formatJSON}
	q.Period = p.period(shop, now)
	q.Compare = p.oneOf("compare", "previous") != ""
	if f := p.oneOf("format", string(formatJSON), string(formatCSV)); f != "" {
		q.format = format(f)
	}
	if len(by) > 0 {
		q.By = p.oneOf("by", by...)
	}
	if len(intervals) > 0 {
		q.Interval = funnel.Interval(p.oneOf("interval", intervals...))
	}
	return q, p.problem()
}

// period is [from, to], both included; by default the last full days. With one end given, the other follows from the default length.
func (p *parameters) period(shop funnel.Shop, now time.Time) funnel.Period {
	today := funnel.DateOf(now.In(shop.Timezone))
	from, hasFrom := p.date("from")
	to, hasTo := p.date("to")
	if !hasTo {
		to = today.AddDays(-1)
		if hasFrom && to.Before(from) {
			to = today
		}
	}
	if !hasFrom {
		from = to.AddDays(1 - defaultPeriodDays)
	}
	period := funnel.Period{From: from, To: to}
	switch {
	case len(p.faults) > 0:
	case hasTo && today.Before(to):
		p.fault("to", fmt.Sprintf("%s lies in the future; in the shop's time zone today is %s", to, today))
	case to.Before(from):
		p.fault("from", fmt.Sprintf("%s lies after to=%s", from, to))
	case period.Days() > maxPeriodDays:
		p.fault("from", fmt.Sprintf("makes a period of %d days; at most %d can be asked for", period.Days(), maxPeriodDays))
	}
	return period
}
