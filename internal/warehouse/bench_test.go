package warehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
)

type traffic struct {
	r    *rand.Rand
	now  time.Duration
	open []visit
}

type visit struct {
	visitor, session, cart uint64
	left, step             int
	source                 int
}

func newTraffic(seed uint64) *traffic {
	return &traffic{r: rand.New(rand.NewPCG(seed, 1)), now: time.Duration(seed) * time.Hour, open: make([]visit, 2000)}
}

func (g *traffic) next() collector.Event {
	g.now += time.Duration(g.r.IntN(100)) * time.Millisecond
	v := &g.open[g.r.IntN(len(g.open))]
	if v.left == 0 {
		*v = visit{visitor: g.r.Uint64N(1<<40) + 1, session: g.r.Uint64(), left: 4 + g.r.IntN(13), source: g.r.IntN(4)}
		if g.r.IntN(6) == 0 {
			v.cart = g.r.Uint64()
		}
	}
	v.left--
	e := collector.Event{
		Shop: "demo", Time: at(g.now), Received: at(g.now), Name: "page_view", Visitor: v.visitor, Session: v.session,
		ReceiptID: "01KABCDEFGHJKMNPQRSTVWXYZ0", GivenAt: at(g.now - time.Minute), Wire: "tag", Currency: "EUR",
		Page: fmt.Sprintf("/p/%d", g.r.IntN(5000)), Language: "nl", Device: "mobile", Browser: "Chrome", OS: "Android", Channel: "Direct",
	}
	for i := range 4 {
		u := g.r.Uint32()
		for j := range 4 {
			e.ID[4*i+j] = byte(u >> (8 * j))
		}
	}
	if v.source > 0 && v.step == 0 {
		e.Referrer, e.Source, e.Medium, e.Channel = "www.google.com", "google", "organic", "Organic Search"
	}
	v.step++
	steps := []string{"add_to_cart", "begin_checkout", "add_shipping_info", "purchase"}
	if v.cart != 0 && v.left < len(steps) && v.left >= int(v.visitor%3) {
		e.Name, e.Cart, e.CartEvent, e.Value = steps[len(steps)-1-v.left], v.cart, true, euro("24.50")
		e.Items = []collector.Item{{ID: "SKU-1", Name: "Glass", Category: "Glas", Price: euro("12.25"), Quantity: 2}}
	}
	return e
}

// BenchmarkInsert sends batches of 50,000 events through Insert, folds and all, and compares with INSERT … SELECT of the same rows into
// the same tables: the ratio of rows a second is reported.
func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{5_000, 50_000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			const total = 500_000
			ctx := context.Background()
			for b.Loop() {
				g := newTraffic(1)
				w := openTest(b)
				var spent time.Duration
				for n := 0; n < total; n += size {
					events := make([]collector.Event, size)
					for i := range events {
						events[i] = g.next()
					}
					start := time.Now()
					if err := w.Insert(ctx, fmt.Sprint(n), events, nil); err != nil {
						b.Fatal(err)
					}
					spent += time.Since(start)
				}
				other := openTest(b)
				var from string
				if err := w.conn.QueryRow(ctx, "SELECT currentDatabase()").Scan(&from); err != nil {
					b.Fatal(err)
				}
				if err := other.conn.Exec(ctx, "CREATE TABLE source ENGINE = MergeTree ORDER BY received AS SELECT * FROM "+from+".events"); err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				if err := other.conn.Exec(ctx, "INSERT INTO events SELECT * FROM source"); err != nil {
					b.Fatal(err)
				}
				plain := time.Since(start)
				b.ReportMetric(total/spent.Seconds(), "rows/s")
				b.ReportMetric(total/plain.Seconds(), "select-rows/s")
				b.ReportMetric(plain.Seconds()/spent.Seconds(), "ratio")
			}
		})
	}
}
