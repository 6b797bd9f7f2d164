package collector

import (
	"reflect"
	"testing"

	"github.com/kassa-analytics/kassa/internal/money"
	"pgregory.net/rapid"
)

// anyEvent fills every field by reflection, so that a field added to Event and forgotten in the encoder fails here.
func anyEvent(t *rapid.T) Event {
	var e Event
	fillAny(t, reflect.ValueOf(&e).Elem())
	return e
}

func fillAny(t *rapid.T, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case string:
			f.SetString(rapid.SampledFrom([]string{"", "x", "zoë", "a text of more than twenty-three bytes"}).Draw(t, "text"))
		case int64:
			f.SetInt(rapid.Int64().Draw(t, "int"))
		case uint64:
			f.SetUint(rapid.Uint64().Draw(t, "uint"))
		case bool:
			f.SetBool(rapid.Bool().Draw(t, "flag"))
		case [16]byte:
			f.Set(reflect.ValueOf([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))))
		case []byte:
			if b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"); len(b) > 0 {
				f.SetBytes(b)
			}
		case *money.Amount:
			if rapid.Bool().Draw(t, "told") {
				a := money.Amount(rapid.Int64().Draw(t, "amount"))
				f.Set(reflect.ValueOf(&a))
			}
		case []Item:
			n := rapid.IntRange(0, 30).Draw(t, "items")
			for range n {
				var it Item
				fillAny(t, reflect.ValueOf(&it).Elem())
				f.Set(reflect.Append(f, reflect.ValueOf(it)))
			}
		default:
			t.Fatalf("field %s has a type this test does not know", v.Type().Field(i).Name)
		}
	}
}

// What is written by hand is what the reflecting decoder reads, field for field.
func TestEncodingReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := make([]Event, rapid.IntRange(1, 30).Draw(t, "events"))
		for i := range events {
			events[i] = anyEvent(t)
		}
		b := AppendEvents(nil, events)
		got, err := DecodeEvents(b)
		if err != nil {
			t.Fatalf("decoding: %v", err)
		}
		if !reflect.DeepEqual(got, events) {
			t.Fatalf("round trip changed events:\n got %+v\nwant %+v", got, events)
		}
	})
}
