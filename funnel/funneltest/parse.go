package funneltest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/channel"
	"github.com/kassa-analytics/kassa/internal/money"
)

// SyntaxError is a mistake in a scenario file.
type SyntaxError struct {
	File string
	Line int // from 1
	Err  error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap is the mistake without its position.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Parse reads a scenario. The error joins a *SyntaxError for each line at fault.
func Parse(file, src string) (*Scenario, error) {
	p := &parser{
		s:       &Scenario{File: file, lines: strings.Split(src, "\n")},
		consent: map[string]string{},
	}
	var errs []error
	for p.line = 0; p.line < len(p.s.lines); p.line++ {
		at := p.line
		if err := p.parseLine(p.s.lines[at]); err != nil {
			errs = append(errs, &SyntaxError{File: file, Line: at + 1, Err: err})
		}
	}
	if p.s.Shop.ID == "" && len(errs) == 0 {
		errs = append(errs, &SyntaxError{File: file, Line: len(p.s.lines), Err: errors.New(`no shop: begin with a line like "shop demo"`)})
	}
	if len(p.s.Questions) == 0 && len(errs) == 0 {
		errs = append(errs, &SyntaxError{File: file, Line: len(p.s.lines), Err: errors.New("no question: end with checkout, customers or coverage")})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	p.s.settle()
	return p.s, nil
}

type parser struct {
	s    *Scenario
	line int // from 0

	at      time.Time // of the block
	began   time.Time // of the first block
	visitor string    // who acts on an indented line that begins with none
	preset  funnel.Event
	pending string            // consent written on the visitor's line, takes effect at the first event
	consent map[string]string // by visitor: as last written
	events  int
}

func (p *parser) parseLine(line string) error {
	w, err := words(line)
	if err != nil {
		return err
	}
	if len(w) == 0 {
		return nil
	}
	if line[0] == ' ' || line[0] == '\t' {
		return p.parseVisitor(w)
	}
	switch w[0] {
	case "shop":
		return p.parseShop(w[1:])
	case "at":
		return p.parseAt(w[1:])
	case "checkout", "customers", "coverage":
		return p.parseQuestion(w)
	}
	return fmt.Errorf("%q is none of shop, at, checkout, customers, coverage (what a visitor does is indented)", w[0])
}

func (p *parser) parseShop(w []string) error {
	if len(w) == 0 {
		return errors.New(`a shop has a name: "shop demo"`)
	}
	shop := &p.s.Shop
	switch {
	case shop.ID == "":
		*shop = funnel.Shop{
			ID: w[0], Currency: "EUR", Timezone: time.UTC, PricesIncludeTax: true, AbandonAfter: time.Hour,
			SupersededWithin: 7 * 24 * time.Hour, Steps: funnel.DefaultSteps(),
		}
	case shop.ID != w[0]:
		return fmt.Errorf("the shop is called %q already; a scenario has one shop", shop.ID)
	case !p.at.IsZero():
		return errors.New("settings stand above the first at")
	}
	if len(w)%2 == 0 {
		return fmt.Errorf("setting %q has no value", w[len(w)-1])
	}
	for i := 1; i < len(w); i += 2 {
		if err := setting(shop, w[i], w[i+1]); err != nil {
			return fmt.Errorf("%s: %w", w[i], err)
		}
	}
	return nil
}

func setting(shop *funnel.Shop, key, value string) (err error) {
	switch key {
	case "currency":
		_, err = money.MinorDigits(value)
		shop.Currency = value
	case "timezone":
		shop.Timezone, err = time.LoadLocation(value)
	case "prices_include_tax":
		if value != "true" && value != "false" {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		shop.PricesIncludeTax = value == "true"
	case "abandon_after":
		shop.AbandonAfter, err = duration(value)
	case "superseded_within":
		shop.SupersededWithin, err = duration(value)
	case "steps":
		shop.Steps = strings.Split(value, ",")
	case "exclude_customers":
		shop.Exclude.Customers = strings.Split(value, ",")
	case "exclude_coupons":
		shop.Exclude.Coupons = strings.Split(value, ",")
	default:
		return errors.New("no such setting; there are currency, timezone, prices_include_tax, abandon_after, superseded_within, steps, exclude_customers, exclude_coupons")
	}
	return err
}

func (p *parser) parseAt(w []string) error {
	if p.s.Shop.ID == "" {
		return errors.New(`the shop comes first: "shop demo"`)
	}
	at, err := instant(strings.Join(w, " "), p.s.Shop.Timezone)
	if err != nil {
		return err
	}
	p.at, p.visitor = at, ""
	if p.began.IsZero() {
		p.began = at
	}
	return nil
}

// parseVisitor reads an indented line: a visitor, what holds for all its events, and its events; or more events of the visitor above.
func (p *parser) parseVisitor(w []string) error {
	if p.at.IsZero() {
		return errors.New(`nothing happens before an "at" line`)
	}
	if !strings.ContainsAny(w[0], "@(=") {
		p.visitor, p.preset, p.pending = w[0], funnel.Event{Page: "/"}, ""
		w = w[1:]
	} else if p.visitor == "" {
		return fmt.Errorf("%q: whose event is it? begin the line with a visitor's name", w[0])
	}
	var found []Happening
	for _, word := range w {
		if head, _, _ := strings.Cut(word, "("); strings.Contains(head, "=") {
			if err := p.parsePreset(word); err != nil {
				return err
			}
			continue
		}
		h, err := p.parseEvent(word)
		if err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
		found = append(found, h)
	}
	return p.add(found)
}

// parsePreset reads field=value, which holds for all events of the visitor's block, or consent=….
func (p *parser) parsePreset(word string) error {
	key, value, _ := pair(word)
	if key == "consent" {
		if err := checkConsent(value); err != nil {
			return err
		}
		p.pending = value
		return nil
	}
	if slices.Contains([]string{"id", "order", "value", "items"}, key) {
		return fmt.Errorf("%s belongs to one event, not to all of a visitor: write it in its brackets", key)
	}
	return setField(&p.preset, key, value)
}

func checkConsent(value string) error {
	if value == "none" {
		return nil
	}
	for _, purpose := range strings.Split(value, ",") {
		if !slices.Contains(Purposes(), purpose) {
			return fmt.Errorf("consent: %q is none of %s, none", purpose, strings.Join(Purposes(), ", "))
		}
	}
	return nil
}

// add appends a line's happenings, with the consent written on it, which takes effect at its earliest event.
func (p *parser) add(found []Happening) error {
	if len(found) == 0 {
		return nil
	}
	if p.pending != "" && p.pending != p.consent[p.visitor] {
		first := slices.MinFunc(found, func(a, b Happening) int { return a.Time.Compare(b.Time) })
		c := &Consent{}
		if p.pending != "none" {
			c.Granted = strings.Split(p.pending, ",")
		}
		p.s.Happenings = append(p.s.Happenings, Happening{Line: p.line + 1, Visitor: p.visitor, Time: first.Time, Consent: c, phase: len(p.s.Questions)})
		p.consent[p.visitor] = p.pending
	}
	if p.consent[p.visitor] == "" {
		return fmt.Errorf("%s has not been asked: write consent=analytics, consent=analytics,marketing or consent=none", p.visitor)
	}
	for _, h := range found {
		if h.Consent != nil {
			p.consent[p.visitor] = "withdrawn"
		}
	}
	p.s.Happenings = append(p.s.Happenings, found...)
	p.pending = ""
	return nil
}

// parseEvent reads name@time(field=value, …).
func (p *parser) parseEvent(word string) (Happening, error) {
	head, brackets, has := strings.Cut(word, "(")
	name, when, timed := strings.Cut(head, "@")
	h := Happening{Line: p.line + 1, Visitor: p.visitor, Time: p.at, phase: len(p.s.Questions)}
	if timed {
		at, err := p.moment(when)
		if err != nil {
			return h, err
		}
		h.Time = at
	}
	if has && !strings.HasSuffix(brackets, ")") {
		return h, errors.New("something follows the )")
	}
	if name == "withdraw" {
		if has {
			return h, errors.New("withdraw has no fields")
		}
		h.Consent = &Consent{Withdraw: true}
		return h, nil
	}
	if !validName(name) {
		return h, fmt.Errorf("%q is not an event's name", name)
	}
	p.events++
	e := p.preset
	e.Shop, e.Name, e.Visitor, e.Time = p.s.Shop.ID, name, p.visitor, h.Time
	e.ID = fmt.Sprintf("%s/%d", p.visitor, p.events)
	for _, field := range fields(strings.TrimSuffix(brackets, ")")) {
		key, value, ok := pair(field)
		if !ok {
			return h, fmt.Errorf("%q is not field=value", field)
		}
		if err := setField(&e, key, value); err != nil {
			return h, err
		}
	}
	// As the collector does: how somebody came is worked out of the referrer and the campaign.
	o := channel.Classify(channel.Hints{Source: e.Source, Medium: e.Medium, Campaign: e.Campaign, Referrer: e.Referrer})
	e.Channel, e.Source, e.Medium, e.Campaign = o.Channel, o.Source, o.Medium, o.Campaign
	h.Event = &e
	return h, nil
}

func validName(s string) bool {
	for i, c := range s {
		if letter, later := c >= 'a' && c <= 'z', c == '_' || c >= '0' && c <= '9'; !letter && (i == 0 || !later) {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// moment reads an offset from the block's time, or an absolute time.
func (p *parser) moment(s string) (time.Time, error) {
	if strings.Contains(s, "T") {
		return instant(s, p.s.Shop.Timezone)
	}
	d, err := duration(strings.TrimPrefix(s, "+"))
	return p.at.Add(d), err
}

func setField(e *funnel.Event, key, value string) (err error) {
	texts := map[string]*string{
		"id": &e.ID, "session": &e.Session, "cart": &e.Cart, "order": &e.Order, "customer": &e.Customer, "page": &e.Page,
		"referrer": &e.Referrer, "source": &e.Source, "medium": &e.Medium, "campaign": &e.Campaign,
		"device": &e.Device, "language": &e.Language, "currency": &e.Currency, "coupon": &e.Coupon,
		"payment_type": &e.PaymentType, "shipping_tier": &e.Tier, "error": &e.ErrorKind,
	}
	amounts := map[string]**money.Amount{"value": &e.Value, "shipping": &e.Shipping, "tax": &e.Tax, "fees": &e.Fees, "discount": &e.Discount}
	if text, ok := texts[key]; ok {
		*text = value
		return nil
	}
	if amount, ok := amounts[key]; ok {
		a, err := money.Parse(value, money.Scale)
		if err != nil {
			return fmt.Errorf("%s=%s %w", key, value, err)
		}
		*amount = &a
		return nil
	}
	if key == "items" {
		e.Items, err = items(value)
		return err
	}
	return fmt.Errorf("an event has no field %q", key)
}
