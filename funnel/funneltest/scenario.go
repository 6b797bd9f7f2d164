// Package funneltest tests reports with scenarios: scripts of what happened in a shop and what the reports must then say, which a shop
// owner can read and every engine must agree on.
//
// A scenario is one text file:
//
//	shop demo currency EUR timezone Europe/Brussels abandon_after 1h
//
//	at 2026-01-05 10:00
//	  alice consent=analytics,marketing device=mobile
//	    add_to_cart@0s(cart=a, items=glass:2:12.25)  begin_checkout@2m(cart=a)  purchase@9m(cart=a, order=1, value=24.50)
//	  bob   consent=analytics  add_to_cart@0s(cart=b, value=60)
//	  carol consent=none       add_to_cart@0s(cart=c)     # never stored
//
//	checkout totals now=+3h
//	----
//	carts 2 = purchased 1 + recovered 0 + abandoned 1 + emptied 0 + superseded 0 + open 0
//	abandoned 50.0% (9.5% to 90.5%), worth EUR 60.00
//
// The language in full is described in docs/decisions/0006-scenario-tests.md.
package funneltest

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
)

// Scenario is one file: what happened in a shop, with questions in between. A question sees what stands above it in the file.
type Scenario struct {
	File       string
	Shop       funnel.Shop
	Happenings []Happening
	Questions  []Question

	lines []string // the file itself, to rewrite expectations in
}

// Happening is something a visitor did: an event, or a change of consent.
type Happening struct {
	Line    int
	Visitor string
	Time    time.Time
	Event   *funnel.Event // or
	Consent *Consent

	Stored bool // of an event: the visitor's consent of that time covers it
	phase  int  // how many questions stand above
	epoch  int  // how many changes of consent of the phases so far are not later: arrival is never shuffled across one
}

// Consent is what a visitor decides.
type Consent struct {
	Granted  []string // purposes; none: refused, or withdrawn
	Withdraw bool     // written as withdraw, after a grant
}

// Purposes are what a scenario's visitors are asked about.
func Purposes() []string { return []string{"analytics", "marketing"} }

// Question is one query and the answer that is expected.
type Question struct {
	Line     int
	Report   string // checkout, customers or coverage
	Sections []string
	Query    funnel.Query
	Expected string // ends in a newline

	upto       int // happenings above
	start, end int // lines of the expectation, [start, end) from 0
}

// Load reads every *.txt of a file system, in the order of their names.
func Load(files fs.FS) ([]*Scenario, error) {
	names, err := fs.Glob(files, "*.txt")
	if err != nil {
		return nil, fmt.Errorf("listing scenarios: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("listing scenarios: no *.txt here")
	}
	scenarios := make([]*Scenario, 0, len(names))
	for _, name := range names {
		src, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading scenario: %w", err)
		}
		s, err := Parse(path.Base(name), string(src))
		if err != nil {
			return nil, err
		}
		scenarios = append(scenarios, s)
	}
	return scenarios, nil
}

// Before are the happenings above a question, in order of arrival.
func (s *Scenario) Before(q Question) []Happening { return s.Happenings[:q.upto] }

// Phase are the happenings between the question before and this one, in order of arrival: what a runner has to deliver before it asks.
func (s *Scenario) Phase(question int) []Happening {
	from := 0
	if question > 0 {
		from = s.Questions[question-1].upto
	}
	return s.Happenings[from:s.Questions[question].upto]
}

// Stored are the events above a question that the shop may keep, in order of arrival.
func (s *Scenario) Stored(q Question) []funnel.Event {
	var events []funnel.Event
	for _, h := range s.Before(q) {
		if h.Event != nil && h.Stored {
			events = append(events, *h.Event)
		}
	}
	return events
}

// Decisions are the consent decisions above a question.
func (s *Scenario) Decisions(q Question) []funnel.Decision {
	var out []funnel.Decision
	granted := map[string][]string{}
	for _, h := range s.Before(q) {
		if h.Consent == nil {
			continue
		}
		for _, purpose := range Purposes() {
			d := funnel.Decision{Shop: s.Shop.ID, Purpose: purpose, Decision: "refused", Time: h.Time}
			switch {
			case slices.Contains(h.Consent.Granted, purpose):
				d.Decision = "granted"
			case h.Consent.Withdraw && slices.Contains(granted[h.Visitor], purpose):
				d.Decision = "withdrawn"
			case h.Consent.Withdraw:
				continue
			}
			out = append(out, d)
		}
		granted[h.Visitor] = h.Consent.Granted
	}
	return out
}

// Arrival is a way in which the same happenings reach the collector.
type Arrival string

// The arrivals that must all give the same answers.
const (
	AsWritten Arrival = "as written"
	Shuffled  Arrival = "shuffled"
	Twice     Arrival = "twice"
)

// Arrivals are all of them.
func Arrivals() []Arrival { return []Arrival{AsWritten, Shuffled, Twice} }

// Arriving is the scenario with its events arriving in another way: shuffled, or each delivered twice and shuffled. No event passes a
// question or a change of consent.
func (s *Scenario) Arriving(a Arrival) *Scenario {
	out := *s
	out.Happenings = slices.Clone(s.Happenings)
	out.Questions = slices.Clone(s.Questions)
	// Changes of consent come first in their epoch, which is what makes the epoch.
	slices.SortStableFunc(out.Happenings, func(x, y Happening) int {
		if x.phase != y.phase {
			return x.phase - y.phase
		}
		if x.epoch != y.epoch {
			return x.epoch - y.epoch
		}
		return kind(x) - kind(y)
	})
	if a == AsWritten {
		return &out
	}
	random := rand.New(rand.NewPCG(uint64(len(s.Happenings)), 2026))
	var arrived []Happening
	for rest := out.Happenings; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(h Happening) bool {
			return h.phase != rest[0].phase || h.epoch != rest[0].epoch || kind(h) != kind(rest[0])
		})
		if n < 0 {
			n = len(rest)
		}
		group := slices.Clone(rest[:n])
		rest = rest[n:]
		if group[0].Event != nil {
			if a == Twice {
				group = append(group, group...)
			}
			random.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		}
		arrived = append(arrived, group...)
	}
	out.Happenings = arrived
	for i := range out.Questions {
		out.Questions[i].upto = 0
		for _, h := range arrived {
			if h.phase <= i {
				out.Questions[i].upto++
			}
		}
	}
	return &out
}

func kind(h Happening) int {
	if h.Consent != nil {
		return 0
	}
	return 1
}

// settle works out what is stored and in which epochs things happen. The latest decision of an event's visitor that had arrived by then
// decides: of the same phase one that is not later than the event, or any of an earlier phase. What happened before a grant is not
// covered by it.
func (s *Scenario) settle() {
	for i := range s.Happenings {
		h := &s.Happenings[i]
		var latest *Happening
		h.epoch = 0
		for j := range s.Happenings {
			c := &s.Happenings[j]
			if c.Consent == nil || c.phase > h.phase || c.phase == h.phase && c.Time.After(h.Time) {
				continue
			}
			h.epoch++
			if c.Visitor == h.Visitor && (latest == nil || c.phase > latest.phase || c.phase == latest.phase && !c.Time.Before(latest.Time)) {
				latest = c
			}
		}
		h.Stored = h.Event != nil && latest != nil && !latest.Time.After(h.Time) && slices.Contains(latest.Consent.Granted, "analytics")
	}
}
