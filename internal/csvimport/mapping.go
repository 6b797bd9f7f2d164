// Package csvimport turns the rows of CSV files into events by a mapping file, each row with an identity that stays the same however often it is read.
package csvimport

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// Mapping says which column becomes which field of an event. Its fields are bound to a file's header by bind.
type Mapping struct {
	LegalBasis string
	delimiter  rune
	time       timeField
	texts      map[string]field // by the name of the event's field: visitor, campaign.source …
	items      []itemFields
	events     []eventRule
	problems   *yamlfile.Problems
	hash       string // of the file
}

type itemFields struct {
	when                                         condition
	id, name, category, variant, price, quantity field
}

// eventRule names the events for which it holds.
type eventRule struct {
	name field
	when condition
}

var eventName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// textFields are an event's fields of one value, as the mapping file names them.
var textFields = []string{
	"id", "visitor", "session", "cart", "order", "customer", "contact", "page", "title", "language", "referrer", "device",
	"currency", "value", "shipping", "tax", "fees", "discount", "coupon", "payment_type", "shipping_tier",
	"campaign.source", "campaign.medium", "campaign.name", "campaign.term", "campaign.content", "error.kind", "error.detail",
}

// ReadMapping reads a mapping file. The error joins everything wrong in it, with its lines.
func ReadMapping(name string) (*Mapping, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the mapping file: %w", err)
	}
	return ParseMapping(name, content)
}

// ParseMapping is ReadMapping of a content at hand.
func ParseMapping(name string, content []byte) (*Mapping, error) {
	m := &Mapping{delimiter: ',', texts: map[string]field{}, time: timeField{zone: time.UTC}}
	m.problems = new(yamlfile.Problems)
	if root, ok := yamlfile.Parse(name, content, m.problems); ok {
		m.read(root)
	}
	sum := sha256.Sum256(content)
	m.hash = hex.EncodeToString(sum[:])
	return m, m.problems.Take()
}

func (m *Mapping) read(root yamlfile.Node) {
	keys := yamlfile.Keys{
		"legal_basis": yamlfile.String(&m.LegalBasis),
		"delimiter":   readDelimiter(&m.delimiter),
		"time":        m.time.read,
		"items":       m.readItems,
		"events":      m.readEvents,
	}
	nested := map[string]yamlfile.Keys{"campaign": {}, "error": {}}
	for _, name := range textFields {
		read := func(n yamlfile.Node) {
			var f field
			f.read(n)
			m.texts[name] = f
		}
		if outer, inner, ok := cutDot(name); ok {
			nested[outer][inner] = read
		} else {
			keys[name] = read
		}
	}
	for outer, inner := range nested {
		keys[outer] = func(n yamlfile.Node) { n.Map(inner) }
	}
	root.Map(keys)
	for _, need := range []struct{ key, why string }{
		{"legal_basis", "say on what basis these people's data may be imported, such as legal_basis: \"consent given in the old shop system\""},
		{"time", "name the column with each row's time, such as time: {column: event_time, timezone: UTC}"},
		{"visitor", "name the column that tells visitors apart, such as visitor: cookie_id"},
		{"events", "say which rows are which events, such as events: [{name: purchase, when: 'event_name == \"Purchase\"'}]"},
	} {
		if !root.Has(need.key) {
			root.Problem("has no %s; %s", need.key, need.why)
		}
	}
	if root.Has("legal_basis") && m.LegalBasis == "" {
		root.Problem("has an empty legal_basis; say on what basis these people's data may be imported")
	}
}

func cutDot(s string) (before, after string, found bool) {
	for i := range len(s) {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func readDelimiter(dst *rune) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if s == `\t` || s == "tab" {
			s = "\t"
		}
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || size != len(s) || r == '"' || r == '\n' || r == '\r' || r == utf8.RuneError {
			n.Problem("%q does not separate columns; write one character, such as \";\", or tab", s)
			return
		}
		*dst = r
	}
}

func (m *Mapping) readItems(n yamlfile.Node) {
	one := func(n yamlfile.Node) {
		var i itemFields
		n.Map(yamlfile.Keys{
			"when": i.when.read, "id": i.id.read, "name": i.name.read, "category": i.category.read, "variant": i.variant.read,
			"price": i.price.read, "quantity": i.quantity.read,
		})
		m.items = append(m.items, i)
	}
	if n.IsList() {
		n.Each(func(_ int, item yamlfile.Node) { one(item) })
		return
	}
	one(n)
}

func (m *Mapping) readEvents(n yamlfile.Node) {
	n.Each(func(_ int, item yamlfile.Node) {
		var r eventRule
		item.Map(yamlfile.Keys{
			"name": func(n yamlfile.Node) {
				if n.IsMap() {
					r.name.read(n)
					return
				}
				s, ok := n.Text()
				if !ok {
					return
				}
				if !eventName.MatchString(s) {
					n.Problem("%q is not an event name; write 1 to 40 of a-z, 0-9 and _, a letter first", s)
				}
				r.name = field{kind: constant, text: s, node: n}
			},
			"when": r.when.read,
		})
		if item.IsMap() && !item.Has("name") {
			item.Problem("has no name; write the name of the event that such rows are, such as name: purchase")
		}
		m.events = append(m.events, r)
	})
	if len(m.events) == 0 && n.IsList() {
		n.Problem("is empty, so that every row would be skipped; say which rows are which events")
	}
}
