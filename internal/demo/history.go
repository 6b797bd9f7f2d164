package demo

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kassa-analytics/kassa/collector"
)

// Plan is what a history is made from. The same plan makes the same history, to the last id.
type Plan struct {
	Seed  uint64    `json:"seed"`
	Days  int       `json:"days"`  // full days before Until's day
	Until time.Time `json:"until"` // the history ends here; it is the moment of the first start
	Zone  string    `json:"timezone"`
}

// Event is one event of the history, with what the import path takes beside it.
type Event struct {
	Device string
	Input  collector.Input
}

// History is a made-up past of the shop and what is true of it.
type History struct {
	Events  []Event  // by time
	Choices []Choice // by time
	Truth   Truth
}

// Choice is one visitor's decision about consent.
type Choice struct {
	At        time.Time
	Visitor   string // empty: refused, and nothing more is known
	Marketing bool   // mail was allowed too
}

// visitsPerDay is the mean number of visits with consent on an ordinary day.
const visitsPerDay = 240

// refusing is the share of visitors who refuse to be measured: of them nothing is known but their number.
const refusing = 0.24

// grantsMarketing is the share of consenting visitors who allow mail too.
const grantsMarketing = 0.4

// person is somebody who visits the shop, perhaps more than once.
type person struct {
	visitor  string
	second   string // visitor id on a second device; empty: none
	customer string // the shop's own reference, once it is told
	member   bool   // tells the reference at every purchase
	joins    bool   // a guest at the first purchase, a member from the second on
	currency string
	language string
	device   int
	orders   int
}

// maker makes one history.
type maker struct {
	plan    Plan
	rand    *rand.Rand
	zone    *time.Location
	start   time.Time // first midnight
	planted Planted
	people  int
	visits  visits
	history History
	carts   []cartRecord
	orders  []orderRecord
	serial  int // numbers sessions, carts, orders and events
}

// visit is a visit to come.
type visit struct {
	at     time.Time
	who    *person
	origin int
	resume *cartPlan // a left cart that this visit goes on with
}

// visits is a queue by time.
type visits []visit

func (v *visits) push(x visit) {
	i, _ := slices.BinarySearchFunc(*v, x, func(a, b visit) int { return b.at.Compare(a.at) }) // last is next
	*v = slices.Insert(*v, i, x)
}

func (v *visits) pop() visit {
	x := (*v)[len(*v)-1]
	*v = (*v)[:len(*v)-1]
	return x
}

// Make makes the history of a plan.
func Make(plan Plan) (*History, error) {
	zone, err := time.LoadLocation(plan.Zone)
	if err != nil {
		return nil, fmt.Errorf("making the demo's history: %w", err)
	}
	until := plan.Until.In(zone)
	// Shortly after midnight yesterday's carts may still be open: then the last full day is the one before.
	settled := until.Add(-3 * abandonAfter)
	today := time.Date(settled.Year(), settled.Month(), settled.Day(), 0, 0, 0, 0, zone)
	m := &maker{
		plan: plan, zone: zone, start: today.AddDate(0, 0, -plan.Days),
		rand: rand.New(rand.NewPCG(plan.Seed, 0x6b61737361)), //nolint:gosec // a seeded, repeatable past is wanted
	}
	m.plant(today)
	m.firstVisits(until)
	for len(m.visits) > 0 {
		v := m.visits.pop()
		if v.at.Before(until) {
			m.walk(v)
		}
	}
	slices.SortStableFunc(m.history.Events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Input.Time, b.Input.Time), cmp.Compare(a.Input.ID, b.Input.ID))
	})
	m.history.Truth = m.truth(today)
	return &m.history, nil
}

// plant decides what will be wrong with the shop, and when.
func (m *maker) plant(today time.Time) {
	day := func(back int) string { return today.AddDate(0, 0, -back).Format(time.DateOnly) }
	scale := func(back int) int { return back * m.plan.Days / 60 }
	m.planted = Planted{
		ShippingShock:  Stretch{From: day(scale(26)), To: day(scale(18)), What: "shipping costs 12.95 instead of 4.95; of those who see it, about half leave at add_shipping_info"},
		FailingPayment: Stretch{From: day(scale(12)), To: day(scale(5)), What: "seven of ten payments by " + failingPayment + " fail with payment_error, and most of those carts are left at add_payment_info"},
	}
}

func (s Stretch) holds(t time.Time) bool {
	d := t.Format(time.DateOnly)
	return s.From <= d && d <= s.To
}

// firstVisits draws when new people come: a Poisson number each hour, in the shop's rhythm, slowly growing.
func (m *maker) firstVisits(until time.Time) {
	sum := 0.0
	for _, h := range hours {
		sum += h
	}
	for t := m.start; t.Before(until); t = t.Add(time.Hour) {
		age := t.Sub(m.start).Hours() / 24 / float64(m.plan.Days)
		mean := visitsPerDay * (0.85 + 0.3*age) * weekdays[t.Weekday()] * hours[t.Hour()] / sum
		for range m.poisson(mean) {
			at := t.Add(time.Duration(m.rand.Float64() * float64(time.Hour)))
			if !at.Before(until) {
				continue
			}
			if m.rand.Float64() < refusing {
				m.history.Choices = append(m.history.Choices, Choice{At: at})
				continue
			}
			who := m.newPerson()
			m.history.Choices = append(m.history.Choices, Choice{At: at, Visitor: who.visitor, Marketing: m.chance(grantsMarketing)})
			m.visits.push(visit{at: at, who: who, origin: pick(m.rand, len(origins), func(i int) float64 { return origins[i].weight })})
		}
	}
}

func (m *maker) poisson(mean float64) int {
	limit, p := math.Exp(-mean), m.rand.Float64()
	n := 0
	for p > limit {
		p *= m.rand.Float64()
		n++
	}
	return n
}

func (m *maker) newPerson() *person {
	m.people++
	n := m.people
	p := &person{
		visitor: fmt.Sprintf("demo-visitor-%08d-%d", n, m.plan.Seed), currency: "EUR", language: languages[m.rand.IntN(len(languages))],
		device: pick(m.rand, len(devices), func(i int) float64 { return devices[i].weight }),
	}
	if m.rand.Float64() < 0.03 {
		p.currency = "GBP"
	}
	switch x := m.rand.Float64(); {
	case x < 0.05:
		p.member, p.second = true, p.visitor+"-b"
	case x < 0.65:
		p.member = true
	case x < 0.80:
		p.joins = true
	}
	if p.member {
		p.customer = fmt.Sprintf("K%06d", n)
	}
	return p
}

// after plans what a person does next once a visit is over.
func (m *maker) after(p *person, at time.Time, bought, left bool) {
	chance, days := 0.10, 6.0
	switch {
	case bought:
		chance, days = 0.6, 12
	case left: // with a cart that was not bought
		chance, days = 0.35, 3
	}
	if m.rand.Float64() > chance {
		return
	}
	wait := time.Duration((0.3 + m.rand.ExpFloat64()*days) * 24 * float64(time.Hour))
	m.visits.push(visit{at: at.Add(wait), who: p, origin: pick(m.rand, len(origins), func(i int) float64 { return origins[i].returns })})
}

func (m *maker) next() int {
	m.serial++
	return m.serial
}
