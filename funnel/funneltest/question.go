package funneltest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kassa-analytics/kassa/funnel"
)

// sections are the parts of an answer that a question may ask to be shown; without one, all are.
func sections(report string) []string {
	switch report {
	case "checkout":
		return []string{"steps", "totals"}
	case "customers":
		return []string{"totals", "concentration", "initiatives"}
	}
	return nil
}

// parseQuestion reads "checkout totals now=+3h by=device", the ---- below it and the expected answer up to an empty line.
func (p *parser) parseQuestion(w []string) error {
	q := Question{Line: p.line + 1, Report: w[0], upto: len(p.s.Happenings)}
	expectErr := p.parseExpected(&q)
	if p.s.Shop.ID == "" {
		return errors.New(`the shop comes first: "shop demo"`)
	}
	zone := p.s.Shop.Timezone
	if p.at.IsZero() {
		return errors.New(`an "at" line says when it is`)
	}
	q.Query.Now = p.at
	var from, to string
	for _, word := range w[1:] {
		key, value, ok := pair(word)
		if !ok {
			if !slices.Contains(sections(q.Report), word) {
				return fmt.Errorf("%q is neither key=value nor one of %v", word, sections(q.Report))
			}
			q.Sections = append(q.Sections, word)
			continue
		}
		var err error
		switch key {
		case "now":
			q.Query.Now, err = p.moment(value)
		case "from":
			from = value
		case "to":
			to = value
		case "rolling":
			q.Query.Rolling, err = duration(value)
		case "by":
			q.Query.By = value
		case "interval":
			q.Query.Interval = funnel.Interval(value)
		case "compare":
			if value != "previous" {
				err = fmt.Errorf("%q is not previous", value)
			}
			q.Query.Compare = true
		default:
			err = errors.New("no such parameter; there are now, from, to, rolling, by, interval, compare")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	q.Query.Period = funnel.Period{From: funnel.DateOf(p.began.In(zone)), To: funnel.DateOf(q.Query.Now.In(zone))}
	for _, d := range []struct {
		text string
		date *funnel.Date
	}{{from, &q.Query.Period.From}, {to, &q.Query.Period.To}} {
		if d.text == "" {
			continue
		}
		date, err := funnel.ParseDate(d.text)
		if err != nil {
			return err
		}
		*d.date = date
	}
	if len(q.Sections) == 0 {
		q.Sections = sections(q.Report)
	}
	if expectErr != nil {
		return expectErr
	}
	p.s.Questions = append(p.s.Questions, q)
	return nil
}

func (p *parser) parseExpected(q *Question) error {
	if p.line+1 >= len(p.s.lines) || strings.TrimSpace(p.s.lines[p.line+1]) != "----" {
		return errors.New("---- and the expected answer must follow a question")
	}
	p.line += 2
	q.start = p.line
	for p.line < len(p.s.lines) && strings.TrimSpace(p.s.lines[p.line]) != "" {
		p.line++
	}
	q.end = p.line
	for _, line := range p.s.lines[q.start:q.end] {
		q.Expected += strings.TrimRight(line, " \t\r") + "\n"
	}
	return nil
}

// Rewrite is the file with other expectations, one for each question.
func (s *Scenario) Rewrite(answers []string) string {
	var out []string
	from := 0
	for i, q := range s.Questions {
		out = append(out, s.lines[from:q.start]...)
		out = append(out, strings.Split(strings.TrimSuffix(answers[i], "\n"), "\n")...)
		from = q.end
	}
	return strings.Join(append(out, s.lines[from:]...), "\n")
}
