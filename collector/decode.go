package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrMalformed tells that a body is not one JSON text as RFC 7493 wants it: bad UTF-8, a name twice in an object, a number that is
// none, nesting beyond 10,000, something after the end.
var ErrMalformed = errors.New("malformed JSON")

// ErrTooManyEvents tells that a batch has more than MaxEvents events.
var ErrTooManyEvents = fmt.Errorf("more than %d events in a batch", MaxEvents)

// decoder reads the native wire. It does not use reflection: a field of the wrong type must cost its event, not the batch, and
// money must be seen as it was written.
type decoder struct {
	json *jsontext.Decoder
	src  bytes.Buffer
	text string // the whole body; decoded strings are parts of it, so that a batch costs one copy
	b    *Batch
	err  error // first syntax error: nothing more is read
}

var decoders = sync.Pool{New: func() any { return &decoder{json: jsontext.NewDecoder(new(bytes.Buffer))} }}

// Decode reads the body of POST /v1/events into b, which is emptied first. Fields that are unknown are counted in b.Unknown; fields of the
// wrong type are remembered with their event or, at the batch itself, in b.Faults. The body is not kept.
//
// Errors: ErrMalformed, ErrTooManyEvents.
func Decode(body []byte, b *Batch) error {
	b.reset()
	d := decoders.Get().(*decoder)
	d.text, d.b, d.err = string(body), b, nil
	d.src = *bytes.NewBuffer(body)
	d.json.Reset(&d.src)
	err := d.batch()
	d.text, d.b, d.src = "", nil, bytes.Buffer{}
	d.json.Reset(&d.src)
	if len(body) <= 64<<10 { // what a hostile body made it reserve is not worth keeping
		decoders.Put(d)
	}
	return err
}

func (d *decoder) batch() error {
	if d.json.PeekKind() != '{' {
		// Where the text cannot be read at all the error comes from here.
		d.skip()
		d.b.faults = append(d.b.faults, *reject(ReasonInvalidValue, "", "must be an object"))
	} else {
		d.object(d.batchField)
	}
	if d.err == nil {
		if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
			d.fail(cmpOr(err, "something follows the end of the JSON text"))
		}
	}
	return d.err
}

func cmpOr(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// fail keeps the first syntax error. Its text names a place, never a value: it may be answered and logged.
func (d *decoder) fail(err error) {
	if d.err != nil {
		return
	}
	if errors.Is(err, ErrTooManyEvents) {
		d.err = err
		return
	}
	detail := "is not valid JSON"
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		detail = "has a name twice in one object"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		detail = "ends in the middle, or is empty"
	}
	if errors.As(err, &syntax) {
		detail += " at byte " + strconv.FormatInt(syntax.ByteOffset, 10)
	}
	d.err = fmt.Errorf("%w: the body %s", ErrMalformed, detail)
}

// object reads an object, calling field for each name; field must read or skip the value.
func (d *decoder) object(field func(name []byte)) {
	if _, err := d.json.ReadToken(); err != nil {
		d.fail(err)
		return
	}
	for d.err == nil && d.json.PeekKind() != '}' {
		v, err := d.json.ReadValue()
		if err != nil {
			d.fail(err)
			return
		}
		name := v[1 : len(v)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			if name, err = jsontext.AppendUnquote(nil, v); err != nil {
				d.fail(err)
				return
			}
		}
		field(name)
	}
	if d.err == nil {
		if _, err := d.json.ReadToken(); err != nil {
			d.fail(err)
		}
	}
}

// array reads an array, calling element for each index; element must read or skip the value.
func (d *decoder) array(element func(i int)) {
	if _, err := d.json.ReadToken(); err != nil {
		d.fail(err)
		return
	}
	for i := 0; d.err == nil && d.json.PeekKind() != ']'; i++ {
		element(i)
	}
	if d.err == nil {
		if _, err := d.json.ReadToken(); err != nil {
			d.fail(err)
		}
	}
}

func (d *decoder) skip() {
	if err := d.json.SkipValue(); err != nil {
		d.fail(err)
	}
}

func (d *decoder) unknown() {
	d.b.Unknown++
	d.skip()
}

// raw reads a value and gives it as a part of d.text; kind is its first byte as jsontext tells it.
func (d *decoder) raw() (text string, kind jsontext.Kind) {
	v, err := d.json.ReadValue()
	if err != nil {
		d.fail(err)
		return "", jsontext.KindInvalid
	}
	end := int(d.json.InputOffset())
	return d.text[end-len(v) : end], v.Kind()
}

// str reads a string; null is the empty string. What else it finds is skipped and told as not ok.
func (d *decoder) str(into *string) bool {
	text, kind := d.raw()
	switch kind {
	case '"':
		*into = d.unquote(text)
		return true
	case 'n', jsontext.KindInvalid:
		return true
	}
	return false
}

// number reads a decimal number as it was written, from a JSON number or a string.
func (d *decoder) number(into *string) bool {
	text, kind := d.raw()
	switch kind {
	case '0':
		*into = text
		return true
	case '"':
		*into = d.unquote(text)
		return true
	case 'n', jsontext.KindInvalid:
		return true
	}
	return false
}

// unquote gives the text of a JSON string, without copying where nothing is escaped.
func (d *decoder) unquote(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			b, err := jsontext.AppendUnquote(nil, quoted)
			if err != nil {
				d.fail(err)
			}
			return string(b)
		}
	}
	return inner
}

// moment reads a time: Unix milliseconds as a number, or RFC 3339 as a string.
func (d *decoder) moment(into *int64) *Rejection {
	text, kind := d.raw()
	switch kind {
	case '0':
		return parseMillis(text, into)
	case '"':
		return parseTime(d.unquote(text), into)
	case 'n', jsontext.KindInvalid:
		return nil
	}
	return reject(ReasonInvalidValue, "", "must be RFC 3339 text or Unix milliseconds")
}
