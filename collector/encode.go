package collector

import (
	"encoding/binary"

	"github.com/kassa-analytics/kassa/internal/money"
)

// CBOR major types (RFC 8949, section 3.1) as they stand in an initial byte.
const (
	cborUint  = 0 << 5
	cborNint  = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTrue  = 0xf5
)

// AppendEvents appends events to dst as they lie in the spool: one CBOR array of maps with integer keys. It is written by hand because
// it is on the path of every request; DecodeEvents reflects, and a test over every field keeps the two together.
func AppendEvents(dst []byte, events []Event) []byte {
	dst = cborHead(dst, cborArray, uint64(len(events)))
	for i := range events {
		dst = appendEvent(dst, &events[i])
	}
	return dst
}

// mapWriter appends the fields of one map and counts them, since the head with their number stands before them.
type mapWriter struct {
	b     []byte
	head  int
	count int
}

// beginMap leaves two bytes for the head: no map here has more than 255 fields.
func beginMap(dst []byte) mapWriter {
	return mapWriter{b: append(dst, cborMap|24, 0), head: len(dst) + 1}
}

func (w *mapWriter) end() []byte {
	w.b[w.head] = byte(w.count)
	return w.b
}

func (w *mapWriter) key(k uint64) {
	w.count++
	w.b = cborHead(w.b, cborUint, k)
}

func (w *mapWriter) text(k uint64, s string) {
	if s != "" {
		w.key(k)
		w.b = append(cborHead(w.b, cborText, uint64(len(s))), s...)
	}
}

func (w *mapWriter) bytes(k uint64, s []byte) {
	if len(s) > 0 {
		w.key(k)
		w.b = append(cborHead(w.b, cborBytes, uint64(len(s))), s...)
	}
}

func (w *mapWriter) uint(k, v uint64) {
	if v != 0 {
		w.key(k)
		w.b = cborHead(w.b, cborUint, v)
	}
}

func (w *mapWriter) int(k uint64, v int64) {
	if v != 0 {
		w.key(k)
		w.b = cborInt(w.b, v)
	}
}

func (w *mapWriter) flag(k uint64, v bool) {
	if v {
		w.key(k)
		w.b = append(w.b, cborTrue)
	}
}

// amount writes zero too: "costs nothing" is not "not told".
func (w *mapWriter) amount(k uint64, v *money.Amount) {
	if v != nil {
		w.key(k)
		w.b = cborInt(w.b, int64(*v))
	}
}

// appendEvent writes one event; the keys are those of Event's tags.
func appendEvent(dst []byte, e *Event) []byte {
	w := beginMap(dst)
	w.text(1, e.Shop)
	w.bytes(2, e.ID[:])
	w.text(3, e.Name)
	w.int(4, e.Time)
	w.int(5, e.Received)
	w.uint(6, e.Visitor)
	w.uint(7, e.Session)
	w.uint(8, e.Cart)
	w.uint(9, e.Order)
	w.uint(10, e.Customer)
	w.text(11, e.ReceiptID)
	w.int(12, e.GivenAt)
	w.text(13, e.Basis)
	w.flag(14, e.Marketing)
	w.text(15, e.Wire)
	w.flag(16, e.CartEvent)
	w.text(20, e.Page)
	w.text(21, e.Title)
	w.text(22, e.Language)
	w.text(23, e.Referrer)
	w.text(24, e.Source)
	w.text(25, e.Medium)
	w.text(26, e.Campaign)
	w.text(27, e.Term)
	w.text(28, e.Content)
	w.text(29, e.Channel)
	w.text(30, e.Device)
	w.text(31, e.Browser)
	w.text(32, e.OS)
	w.text(40, e.Currency)
	w.amount(41, e.Value)
	w.amount(42, e.Shipping)
	w.amount(43, e.Tax)
	w.amount(44, e.Fees)
	w.amount(45, e.Discount)
	w.text(50, e.Coupon)
	w.text(51, e.PaymentType)
	w.text(52, e.ShippingTier)
	w.text(53, e.ErrorKind)
	w.text(54, e.ErrorDetail)
	if len(e.Items) > 0 {
		w.key(55)
		w.b = cborHead(w.b, cborArray, uint64(len(e.Items)))
		for i := range e.Items {
			w.b = appendItem(w.b, &e.Items[i])
		}
	}
	w.bytes(60, e.Contact)
	w.bytes(61, e.CartRef)
	w.flag(70, e.Excluded)
	return w.end()
}

func appendItem(dst []byte, it *Item) []byte {
	w := beginMap(dst)
	w.text(1, it.ID)
	w.text(2, it.Name)
	w.text(3, it.Category)
	w.text(4, it.Variant)
	w.amount(5, it.Price)
	w.int(6, it.Quantity)
	return w.end()
}

func cborInt(b []byte, v int64) []byte {
	if v < 0 {
		return cborHead(b, cborNint, uint64(-(v + 1)))
	}
	return cborHead(b, cborUint, uint64(v))
}

// cborHead appends a major type with its argument, in the shortest form.
func cborHead(b []byte, major byte, v uint64) []byte {
	switch {
	case v < 24:
		return append(b, major|byte(v))
	case v <= 0xff:
		return append(b, major|24, byte(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(v))
	case v <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), v)
}
