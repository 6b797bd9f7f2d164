package funneltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kassa-analytics/kassa/funnel"
)

// Runner brings scenarios about somewhere and asks their questions there. It is given all at once, since what they need beside each other
// (a batch, a flush) is dear; a shop's id may stand in several scenarios, which are different shops all the same.
type Runner interface {
	// Run delivers what happened, in each scenario's order of arrival, and answers each question at its place: one slice of answers a
	// scenario.
	Run(ctx context.Context, scenarios []*Scenario) ([][]Answer, error)
}

// Keyed is a runner whose events of one instant are not in the order of their ids: the answers are compared to those of a reference
// engine with the same order.
type Keyed interface {
	EventKey(shop, id string) string
}

// RunAll runs every scenario of a directory, each in every arrival. Every answer must be the one that the file expects and equal, in
// full, to the reference engine's.
func RunAll(t *testing.T, files fs.FS, runner Runner) {
	t.Helper()
	scenarios, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	reference := ReferenceRunner{}
	if keyed, ok := runner.(Keyed); ok {
		reference.Key = keyed.EventKey
	}
	var names []string
	var arriving []*Scenario
	for _, s := range scenarios {
		for _, arrival := range Arrivals() {
			names = append(names, s.File+"/"+string(arrival))
			arriving = append(arriving, s.Arriving(arrival))
		}
	}
	answers, err := runner.Run(t.Context(), arriving)
	if err != nil {
		t.Fatal(err)
	}
	want, err := reference.Run(t.Context(), arriving)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range arriving {
		t.Run(names[i], func(t *testing.T) { check(t, s, answers[i], want[i]) })
	}
}

func check(t *testing.T, s *Scenario, answers, want []Answer) {
	t.Helper()
	if len(answers) != len(s.Questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(s.Questions))
	}
	for i, q := range s.Questions {
		if got := q.Text(answers[i]); squeeze(got) != squeeze(q.Expected) {
			t.Errorf("%s:%d: %s\ngot\n%s\nwant\n%s", s.File, q.Line, q.Report, got, q.Expected)
		}
		if err := Equal(answers[i], want[i]); err != nil {
			t.Errorf("%s:%d: %s differs from the reference engine's: %v", s.File, q.Line, q.Report, err)
		}
	}
}

// squeeze takes out what only lines up columns.
func squeeze(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

// RewriteAll puts the reference engine's answers into the scenarios of a directory. Read the difference before keeping it: the point of
// an expectation is that it was worked out by hand.
func RewriteAll(ctx context.Context, dir string) error {
	scenarios, err := Load(os.DirFS(dir))
	if err != nil {
		return err
	}
	answers, err := ReferenceRunner{}.Run(ctx, scenarios)
	if err != nil {
		return err
	}
	for n, s := range scenarios {
		texts := make([]string, len(s.Questions))
		for i, a := range answers[n] {
			texts[i] = s.Questions[i].Text(a)
		}
		name := filepath.Join(dir, s.File)
		if err := os.WriteFile(name, []byte(s.Rewrite(texts)), 0o644); err != nil {
			return fmt.Errorf("rewriting: %w", err)
		}
	}
	return nil
}

// ReferenceRunner asks the in-memory reference engine.
type ReferenceRunner struct {
	Key func(shop, id string) string // order among events of one instant; nil: by id
}

// Run implements Runner.
func (r ReferenceRunner) Run(ctx context.Context, scenarios []*Scenario) ([][]Answer, error) {
	all := make([][]Answer, len(scenarios))
	for i, s := range scenarios {
		var err error
		if all[i], err = r.run(ctx, s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (r ReferenceRunner) run(ctx context.Context, s *Scenario) ([]Answer, error) {
	var answers []Answer
	for _, q := range s.Questions {
		events := s.Stored(q)
		if r.Key != nil {
			for i := range events {
				events[i].Key = r.Key(events[i].Shop, events[i].ID)
			}
		}
		a, err := Ask(ctx, funnel.NewReference(events, s.Decisions(q)), s.Shop, q)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", s.File, q.Line, err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// Ask puts a question to an engine.
func Ask(ctx context.Context, reports funnel.Reports, shop funnel.Shop, q Question) (Answer, error) {
	var a Answer
	var err error
	switch q.Report {
	case "checkout":
		a.Checkout = new(funnel.Checkout)
		*a.Checkout, err = reports.Checkout(ctx, shop, q.Query)
	case "customers":
		a.Customers = new(funnel.Customers)
		*a.Customers, err = reports.Customers(ctx, shop, q.Query)
	case "coverage":
		a.Coverage = new(funnel.CoverageReport)
		*a.Coverage, err = reports.Coverage(ctx, shop, q.Query)
	default:
		return a, fmt.Errorf("no report %q", q.Report)
	}
	if refused := (*funnel.InvalidParameterError)(nil); errors.As(err, &refused) {
		return Answer{Refused: refused}, nil
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", q.Report, err)
	}
	return a, nil
}

// Equal compares two answers in full, as their JSON says it: numbers to 9 significant digits, decisions apart (an engine that was
// given events alone knows of none). The error names the first place where they differ.
func Equal(got, want Answer) error {
	g, err := tree(got)
	if err != nil {
		return err
	}
	w, err := tree(want)
	if err != nil {
		return err
	}
	return equal("", g, w)
}

func tree(a Answer) (any, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("writing an answer: %w", err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return v, nil
}

func equal(at string, got, want any) error {
	if strings.HasSuffix(at, ".Refused.Detail") {
		return nil // each interface has its own words
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for key := range g {
			if _, ok := w[key]; !ok {
				return fmt.Errorf("%s.%s: got %v, want nothing", at, key, g[key])
			}
		}
		for key := range w {
			if key == "decisions" || key == "Decisions" {
				continue
			}
			if _, ok := g[key]; !ok {
				return fmt.Errorf("%s.%s: got nothing, want %v", at, key, w[key])
			}
			if err := equal(at+"."+key, g[key], w[key]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if err := equal(fmt.Sprintf("%s[%d]", at, i), g[i], w[i]); err != nil {
				return err
			}
		}
		return nil
	case float64:
		if g, ok := got.(float64); ok && math.Abs(g-w) <= 1e-9*max(1, math.Abs(w)) {
			return nil
		}
	default:
		if got == want {
			return nil
		}
	}
	return fmt.Errorf("%s: got %v, want %v", at, got, want)
}
