package consentgate

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// said is one decision as the model knows it: what the rule "the newest decision of a visitor and purpose overrides every older receipt"
// is about, kept as a plain list.
type said struct {
	given   int64
	allowed map[string]bool // purposes decided on
	all     bool            // a withdrawal of everything
}

func (s said) denies(purpose string) bool {
	allowed, decided := s.allowed[purpose]
	return s.all || decided && !allowed
}

// model is a plain re-telling of the rules for one visitor.
type model struct {
	said     []said
	receipts []Outcome
}

// deniedSince tells whether a decision at or after the time denies the purpose.
func (m *model) deniedSince(purpose string, given int64) bool {
	return slices.ContainsFunc(m.said, func(s said) bool { return s.given >= given && s.denies(purpose) })
}

// TestNoSequenceAdmitsOutsideConsent runs random sequences of grants (also of the past, by token), refusals, withdrawals by any receipt,
// erasures, waits and restarts, and compares every answer with the model after each.
func TestNoSequenceAdmitsOutsideConsent(t *testing.T) {
	home := newWorld(t)
	visitors := []string{alice, bob}
	rapid.Check(t, func(rt *rapid.T) {
		w := &world{ledger: newFileLedger(t), keys: home.keys, now: home.now, counts: map[string]int{}}
		small := func(c *Config) {
			if rapid.Bool().Draw(rt, "tiny memory") {
				c.CachedReceipts, c.CachedVisitors = 1, 1
			}
		}
		w.Gate = w.gate(t, small)
		models := []*model{{}, {}}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			who := rapid.IntRange(0, 1).Draw(rt, "who")
			m := models[who]
			switch rapid.SampledFrom([]string{"decide", "decide", "decide", "withdraw", "erase", "wait", "restart"}).Draw(rt, "step") {
			case "decide":
				d := Decision{Shop: "demo", Visitor: visitors[who], Purposes: map[string]bool{}, Source: "banner"}
				for _, p := range []string{PurposeAnalytics, PurposeMarketing} {
					if v := rapid.SampledFrom([]string{"yes", "no", "unsaid"}).Draw(rt, p); v != "unsaid" {
						d.Purposes[p] = v == "yes"
					}
				}
				if len(d.Purposes) == 0 {
					continue
				}
				if ago := rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, time.Minute, 100 * 24 * time.Hour}).Draw(rt, "ago"); ago > 0 {
					d.AttestedBy, d.GivenAt = "backend", w.now.Add(-ago)
				}
				rows := len(w.ledger.rows)
				o, err := w.Grant(t.Context(), d)
				if err != nil {
					rt.Fatalf("grant: %v", err)
				}
				if r := w.ledger.rows[rows]; r.Visitor != 0 {
					m.said = append(m.said, said{given: r.GivenAt, allowed: d.Purposes})
				} else if slices.ContainsFunc(m.said, func(s said) bool {
					for p := range d.Purposes {
						if s.allowed[p] {
							return true
						}
					}
					return false
				}) {
					rt.Fatalf("a withdrawal was taken for a first refusal")
				}
				if o.Receipt != "" {
					m.receipts = append(m.receipts, o)
				}
			case "withdraw", "erase":
				if len(m.receipts) == 0 {
					continue
				}
				o := rapid.SampledFrom(m.receipts).Draw(rt, "receipt")
				rows := len(w.ledger.rows)
				if err := w.Withdraw(t.Context(), o.Receipt, rapid.Bool().Draw(rt, "erase")); err != nil {
					rt.Fatalf("withdraw: %v", err)
				}
				if len(w.ledger.rows) > rows {
					m.said = append(m.said, said{given: w.ledger.rows[rows].GivenAt, all: true})
				}
				for _, o := range m.receipts { // recorded or not, nothing holds any more that was given by now
					if _, err := w.Check("demo", o.Receipt, visitors[who]); err == nil {
						rt.Fatalf("a receipt of %v still holds after a withdrawal", o.GivenAt)
					}
				}
			case "wait":
				w.now = w.now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Hour, 80 * 24 * time.Hour, 170 * 24 * time.Hour}).Draw(rt, "wait"))
				if rapid.Bool().Draw(rt, "prune") {
					w.Prune()
				}
			case "restart":
				restart(t, rt, w, small)
			}
			for i, m := range models {
				compare(t, rt, w, m, visitors[i])
			}
		}
	})
}

// restart replaces the gate by one restored from the ledger, some of it in the warehouse and the rest in the spool.
func restart(t *testing.T, rt *rapid.T, w *world, change func(*Config)) {
	split := rapid.IntRange(0, len(w.ledger.rows)).Draw(rt, "rows in the warehouse")
	warehouse := slices.Clone(w.ledger.rows[:split])
	if rapid.Bool().Draw(rt, "revocations alone") {
		warehouse = slices.DeleteFunc(warehouse, func(r Record) bool { return len(r.Revoked) == 0 && !r.Erase })
	} else {
		slices.SortStableFunc(warehouse, func(a, b Record) int {
			if a.Visitor != b.Visitor {
				if a.Visitor < b.Visitor {
					return -1
				}
				return 1
			}
			return int(a.GivenAt - b.GivenAt)
		})
	}
	w.Gate = w.gate(t, change)
	if err := w.Restore(t.Context(), (&fileLedger{rows: warehouse}).all, (&fileLedger{rows: w.ledger.rows[split:]}).all); err != nil {
		rt.Fatalf("restore: %v", err)
	}
}

// compare asks the gate about everything the visitor holds.
func compare(t *testing.T, rt *rapid.T, w *world, m *model, visitor string) {
	var newest int64 // of the grants of analytics that hold
	for _, o := range m.receipts {
		given := o.GivenAt.UnixMilli()
		gone := m.deniedSince(PurposeAnalytics, given)
		var want error
		switch {
		case !w.now.Before(o.ExpiresAt):
			want = ErrConsentExpired
		case !o.Purposes[PurposeAnalytics]:
			want = ErrPurposeNotGranted
		case gone:
			want = ErrConsentWithdrawn
		default:
			newest = max(newest, given)
		}
		p, err := w.Check("demo", o.Receipt, visitor)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			rt.Fatalf("check of a receipt given %v: got %v, want %v; decisions %v", o.GivenAt, err, want, m.said)
		}
		if want == nil && p.Granted(PurposeMarketing) != (o.Purposes[PurposeMarketing] && !m.deniedSince(PurposeMarketing, given)) {
			rt.Fatalf("receipt given %v: marketing is %v; decisions %v", o.GivenAt, p.Granted(PurposeMarketing), m.said)
		}
		suppressed := w.Suppressed("demo", w.keys.Pseudonym("demo", KindVisitor, visitor), o.ReceiptID, o.GivenAt, w.now)
		if o.Purposes[PurposeAnalytics] && gone && !suppressed {
			rt.Fatalf("an event under a consent of %v that is gone would be inserted; decisions %v", o.GivenAt, m.said)
		}
		if want == nil && suppressed {
			rt.Fatalf("an event under a consent of %v that holds is suppressed; decisions %v", o.GivenAt, m.said)
		}
	}
	p, err := w.Recorded(t.Context(), "demo", visitor)
	if (err == nil) != (newest > 0) || err == nil && p.GivenAt().UnixMilli() != newest {
		rt.Fatalf("recorded: %+v, %v; want the one given at %d; decisions %v", p, err, newest, m.said)
	}
}
