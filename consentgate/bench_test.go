package consentgate

import (
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"
)

func BenchmarkPseudonym(b *testing.B) {
	w := newWorld(b)
	for _, n := range []int{22, 64} {
		id := strings.Repeat("a", n)
		b.Run(fmt.Sprintf("id=%dB", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.keys.Pseudonym("demo", KindVisitor, id)
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	o := w.grant(b, decision(alice, true, true))
	for i := range 1000 {
		w.overrides.add("demo", Pseudonym(i+1), allBits, 1)
	}
	check := func(b *testing.B) {
		if _, err := w.Check("demo", o.Receipt, alice); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			check(b)
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.verify("demo", o.Receipt, alice); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("recorded", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Recorded(b.Context(), "demo", alice); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("suppressed", func(b *testing.B) {
		p, now := w.keys.Pseudonym("demo", KindVisitor, alice), w.now
		for b.Loop() {
			if w.Suppressed("demo", p, o.ReceiptID, o.GivenAt, now) {
				b.Fatal("suppressed")
			}
		}
	})
}

func BenchmarkRestore(b *testing.B) {
	w := newWorld(b)
	const n = 1_000_000
	var rows iter.Seq2[Record, error] = func(yield func(Record, error) bool) {
		r := Record{ID: "x", Shop: "demo", Action: ActionWithdrawal, Revoked: []string{AllPurposes}, GivenAt: w.now.Add(-time.Hour).UnixMilli()}
		for i := range n {
			r.Visitor = Pseudonym(uint64(i)*0x9e3779b97f4a7c15 + 1)
			if !yield(r, nil) {
				return
			}
		}
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := w.gate(b)
		if err := g.Restore(b.Context(), rows, nil); err != nil || g.Overrides() != n {
			b.Fatal(err, g.Overrides())
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
		runtime.KeepAlive(g)
	}
}
