package csvimport

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/collector"
)

// Record is what one row became.
type Record struct {
	Line    int // where the row starts, 1-based
	Skipped bool
	Device  string // desktop, mobile, tablet, other; empty = unknown
	Input   collector.Input
}

// RowError is a row that cannot become an event; reading goes on after it.
type RowError struct {
	File   string
	Line   int
	Reason string // never a person's data: values of rows are quoted only where they are no identifiers
}

// Error writes "events.csv:12: reason".
func (e *RowError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// Reader reads one file's rows as events. It is not safe for concurrent use.
//
// Memory: where the mapping has no id, an 8-byte hash and a count of every distinct row are held, 20 to 40 bytes a row.
type Reader struct {
	name    string
	csv     *csv.Reader
	row     row
	columns []string
	mapping *Mapping
	when    []predicate
	names   []getter
	time    getter
	set     []setter
	items   []boundItem
	id      getter            // nil: identity by content
	seen    map[uint64]uint32 // how often a row's content occurred
}

type setter struct {
	get getter
	put func(*Record, string)
}

type boundItem struct {
	when predicate
	get  [6]getter
}

// NewReader reads the header and binds the mapping to it. The error joins all that does not fit, with file and line.
func NewReader(name string, r io.Reader, m *Mapping) (*Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	c := csv.NewReader(buffered)
	c.Comma, c.ReuseRecord = m.delimiter, true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s:1: the file is empty; its first line must name the columns", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the first line cannot be read as the names of columns: %w", name, err)
	}
	x := &Reader{name: name, csv: c, mapping: m}
	first := map[string]int{}
	for i, column := range header {
		line, at := c.FieldPos(i)
		if !utf8.ValidString(column) {
			return nil, fmt.Errorf("%s:%d:%d: the name of the column is not UTF-8; save the file as UTF-8", name, line, at)
		}
		if before, twice := first[column]; twice {
			return nil, fmt.Errorf("%s:%d:%d: column %d is named %q, as is column %d; give each its own name", name, line, at, i+1, column, before)
		}
		first[column] = i + 1
		x.columns = append(x.columns, column)
	}
	return x, x.bind()
}

// bind compiles the mapping against the columns.
func (x *Reader) bind() error {
	b := newBinder(x.name, x.columns)
	m := x.mapping
	x.time = b.field(m.time.field)
	for _, r := range m.events {
		x.when = append(x.when, b.condition(r.when))
		x.names = append(x.names, b.field(r.name))
	}
	for _, name := range textFields {
		f, mapped := m.texts[name]
		switch {
		case !mapped:
		case name == "id":
			x.id = b.field(f)
		default:
			x.set = append(x.set, setter{b.field(f), put(name)})
		}
	}
	for _, i := range m.items {
		x.items = append(x.items, boundItem{b.condition(i.when), [6]getter{
			b.field(i.id), b.field(i.name), b.field(i.category), b.field(i.variant), b.field(i.price), b.field(i.quantity)}})
	}
	if x.id == nil {
		x.seen = map[uint64]uint32{}
	}
	if b.uses {
		x.row.env = b.example
	}
	return m.problems.Take()
}

// put gives the place of an event's field in an Input.
func put(name string) func(*Record, string) {
	return map[string]func(*Record, string){
		"visitor":          func(r *Record, s string) { r.Input.Visitor = s },
		"session":          func(r *Record, s string) { r.Input.Session = s },
		"cart":             func(r *Record, s string) { r.Input.Cart = s },
		"order":            func(r *Record, s string) { r.Input.Order = s },
		"customer":         func(r *Record, s string) { r.Input.Customer = s },
		"contact":          func(r *Record, s string) { r.Input.Contact = s },
		"page":             func(r *Record, s string) { r.Input.Page = s },
		"title":            func(r *Record, s string) { r.Input.Title = s },
		"language":         func(r *Record, s string) { r.Input.Language = s },
		"referrer":         func(r *Record, s string) { r.Input.Referrer = s },
		"device":           func(r *Record, s string) { r.Device = s },
		"currency":         func(r *Record, s string) { r.Input.Currency = s },
		"value":            func(r *Record, s string) { r.Input.Value = s },
		"shipping":         func(r *Record, s string) { r.Input.Shipping = s },
		"tax":              func(r *Record, s string) { r.Input.Tax = s },
		"fees":             func(r *Record, s string) { r.Input.Fees = s },
		"discount":         func(r *Record, s string) { r.Input.Discount = s },
		"coupon":           func(r *Record, s string) { r.Input.Coupon = s },
		"payment_type":     func(r *Record, s string) { r.Input.PaymentType = s },
		"shipping_tier":    func(r *Record, s string) { r.Input.ShippingTier = s },
		"campaign.source":  func(r *Record, s string) { r.Input.Campaign.Source = s },
		"campaign.medium":  func(r *Record, s string) { r.Input.Campaign.Medium = s },
		"campaign.name":    func(r *Record, s string) { r.Input.Campaign.Name = s },
		"campaign.term":    func(r *Record, s string) { r.Input.Campaign.Term = s },
		"campaign.content": func(r *Record, s string) { r.Input.Campaign.Content = s },
		"error.kind":       func(r *Record, s string) { r.Input.ErrorKind = s },
		"error.detail":     func(r *Record, s string) { r.Input.ErrorDetail = s },
	}[name]
}

// Next reads the next row into rec. Errors: io.EOF at the end, *RowError for a row that cannot become an event (reading goes
// on), anything else is the file's and ends the reading.
func (x *Reader) Next(rec *Record) error {
	*rec = Record{}
	values, err := x.csv.Read()
	var pe *csv.ParseError
	switch {
	case errors.As(err, &pe) && errors.Is(err, csv.ErrFieldCount):
		rec.Line = pe.StartLine
		return x.bad(rec, "has %d columns where the first line names %d; correct the row", len(values), len(x.columns))
	case errors.As(err, &pe):
		rec.Line = pe.StartLine
		return x.bad(rec, "cannot be read at column %d: %v; correct the row", pe.Column, pe.Err)
	case err != nil:
		return err //nolint:wrapcheck // io.EOF stays itself
	}
	rec.Line, _ = x.csv.FieldPos(0)
	for i, v := range values {
		if !utf8.ValidString(v) {
			return x.bad(rec, "column %q is not UTF-8; save the file as UTF-8", x.columns[i])
		}
	}
	x.row.values = values
	if x.row.env != nil {
		for i, c := range x.columns {
			x.row.env[c] = values[i]
		}
	}
	return x.event(rec)
}

func (x *Reader) bad(rec *Record, format string, args ...any) error {
	return &RowError{File: x.name, Line: rec.Line, Reason: fmt.Sprintf(format, args...)}
}

func (x *Reader) event(rec *Record) error {
	rec.Skipped = true
	for i, holds := range x.when {
		ok, err := holds(&x.row)
		if err != nil {
			return x.bad(rec, "%v", err)
		}
		if ok {
			if rec.Input.Name, err = x.names[i](&x.row); err != nil {
				return x.bad(rec, "%v", err)
			}
			rec.Skipped = false
			break
		}
	}
	if rec.Skipped {
		return nil
	}
	if err := x.identify(rec); err != nil {
		return x.bad(rec, "%v", err)
	}
	s, err := x.time(&x.row)
	if err != nil {
		return x.bad(rec, "%v", err)
	}
	at, err := parseTime(s, x.mapping.time.zone)
	if err != nil {
		if len(s) > 40 {
			s = s[:40] + "…"
		}
		return x.bad(rec, "time: %q %v", s, err)
	}
	rec.Input.Time = at.UnixMilli()
	for _, f := range x.set {
		v, err := f.get(&x.row)
		if err != nil {
			return x.bad(rec, "%v", err)
		}
		f.put(rec, v)
	}
	return x.itemsOf(rec)
}

func (x *Reader) itemsOf(rec *Record) error {
	for _, i := range x.items {
		ok, err := i.when(&x.row)
		if err != nil {
			return x.bad(rec, "%v", err)
		}
		if !ok {
			continue
		}
		var v [6]string
		filled := false
		for k, get := range i.get {
			if v[k], err = get(&x.row); err != nil {
				return x.bad(rec, "%v", err)
			}
			filled = filled || v[k] != "" && k != 5
		}
		if filled { // a quantity of nothing is no item
			rec.Input.Items = append(rec.Input.Items, collector.InputItem{ID: v[0], Name: v[1], Category: v[2], Variant: v[3], Price: v[4], Quantity: v[5]})
		}
	}
	return nil
}

// identify gives the row its event id: the mapped one, or that of the row's content and its how-many-eth occurrence in the file.
func (x *Reader) identify(rec *Record) error {
	if x.id != nil {
		id, err := x.id(&x.row)
		rec.Input.ID = id
		return err
	}
	h := sha256.New()
	var size [8]byte
	for i, v := range x.row.values {
		for _, part := range [2]string{x.columns[i], v} {
			binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
			h.Write(size[:])
			_, _ = io.WriteString(h, part)
		}
	}
	sum := h.Sum(nil)
	// Two rows of one 8-byte key (never seen in practice) would count on together: still the same numbers at every reading.
	key := binary.LittleEndian.Uint64(sum)
	x.seen[key]++
	rec.Input.ID = "row-" + hex.EncodeToString(sum[:16]) + "-" + strconv.FormatUint(uint64(x.seen[key]), 10)
	return nil
}
