package collector

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

// benchBody is a batch of events with ids of a fixed width, so that they can be replaced in place; at tells where.
func benchBody(events int) (body []byte, at []int) {
	var b strings.Builder
	b.WriteString(`{"shop":"demo","receipt":"x","visitor":"Zk3-visitor_0123456789","session":"0195-session","sent_at":1763898000123,"events":[`)
	for i := range events {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":"`)
		at = append(at, b.Len())
		fmt.Fprintf(&b, `%016d","name":"add_to_cart","page":"/p/glass","language":"nl","referrer":"https://www.google.com/","cart":"c-81","currency":"EUR","value":"24.50","items":[{"id":"SKU-1","name":"Glass","category":"Glas","price":"12.25","quantity":2}]}`, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String()), at
}

// renumber gives every event of the body an id of its own.
func renumber(body []byte, at []int, next *int) {
	for _, i := range at {
		*next++
		copy(body[i:i+16], "0000000000000000")
		var digits [20]byte
		d := strconv.AppendInt(digits[:0], int64(*next), 10)
		copy(body[i+16-len(d):], d)
	}
}

// memoryLedger is enough of a ledger to be given a permit.
type memoryLedger struct{}

func (memoryLedger) Append(context.Context, consentgate.Record) error { return nil }

// BenchmarkAccept is what one batch costs from its bytes to the spool: decode, judge, pseudonymise, encode, append.
func BenchmarkAccept(b *testing.B) {
	keys := testKeys(b)
	shops, err := NewShops([]Shop{testShop()})
	if err != nil {
		b.Fatal(err)
	}
	gate, err := consentgate.NewGate(consentgate.Config{Keys: keys, Ledger: memoryLedger{}, KnownShop: func(string) bool { return true }})
	if err != nil {
		b.Fatal(err)
	}
	const visitor = "Zk3-visitor_0123456789"
	out, err := gate.Grant(b.Context(), consentgate.Decision{Shop: "demo", Visitor: visitor, Purposes: map[string]bool{"analytics": true}, Source: "banner"})
	if err != nil {
		b.Fatal(err)
	}
	for _, target := range []string{"discard", "disk"} {
		for _, size := range []int{1, 20} {
			b.Run(fmt.Sprintf("spool=%s/batch=%d", target, size), func(b *testing.B) {
				appender := AppendFunc(func(context.Context, []byte, int, uint64) (uint64, error) { return 1, nil })
				if target == "disk" {
					log, err := spool.Open(spool.Config{Dir: b.TempDir(), MinFreeBytes: -1})
					if err != nil {
						b.Fatal(err)
					}
					defer log.Close()
					appender = func(ctx context.Context, data []byte, events int, tag uint64) (uint64, error) {
						return log.Append(ctx, spool.Record{Kind: 1, Data: data, Events: events, Tag: tag})
					}
				}
				s, err := New(Config{Keys: keys, Shops: shops, Spool: appender})
				if err != nil {
					b.Fatal(err)
				}
				body, at := benchBody(size)
				next := 0
				var batch Batch
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					renumber(body, at, &next)
					if err := Decode(body, &batch); err != nil {
						b.Fatal(err)
					}
					batch.SentAt, batch.Received = 0, time.Now()
					permit, err := gate.Check("demo", out.Receipt, visitor)
					if err != nil {
						b.Fatal(err)
					}
					res, err := s.Accept(b.Context(), permit, &batch)
					if err != nil || res.Accepted != size {
						b.Fatalf("%+v %v", res, err)
					}
				}
				b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body, _ := benchBody(20)
	var batch Batch
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := Decode(body, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
