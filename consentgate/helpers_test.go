package consentgate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// fileLedger is a ledger on a real file: length-prefixed records, fsynced.
type fileLedger struct {
	mu     sync.Mutex
	f      *os.File
	broken error // what Append answers instead
	rows   []Record
}

func newFileLedger(t testing.TB) *fileLedger {
	f, err := os.Create(filepath.Join(t.TempDir(), "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &fileLedger{f: f}
}

func (l *fileLedger) Append(_ context.Context, r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	b, err := EncodeRecord(r)
	if err != nil {
		return err
	}
	if _, err := l.f.Write(b); err != nil {
		return err
	}
	if r, err = DecodeRecord(b); err != nil { // rows are what comes back from disk
		return err
	}
	l.rows = append(l.rows, r)
	return l.f.Sync()
}

// LatestDecisions makes the ledger its own history, as a warehouse without delay.
func (l *fileLedger) LatestDecisions(_ context.Context, shop string, visitor []Pseudonym) (out []Record, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return nil, l.broken
	}
	for _, r := range l.rows {
		for _, v := range visitor {
			if r.Shop == shop && r.Visitor == v {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

func (l *fileLedger) all(yield func(Record, error) bool) {
	for _, r := range l.rows {
		if !yield(r, nil) {
			return
		}
	}
}

// world is a gate with a clock that is set by hand.
type world struct {
	*Gate
	ledger *fileLedger
	keys   *Keys
	now    time.Time
	counts map[string]int
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ledger: newFileLedger(t), keys: keys, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), counts: map[string]int{}}
	w.Gate = w.gate(t, change...)
	return w
}

// gate makes a gate on the world's keys and ledger, as another process or a restart would.
func (w *world) gate(t testing.TB, change ...func(*Config)) *Gate {
	t.Helper()
	c := Config{
		Keys: w.keys, Ledger: w.ledger, History: w.ledger, KnownShop: func(s string) bool { return s == "demo" || s == "other" }, Clock: func() time.Time { return w.now },
		OnDecision: func(shop, purpose, decision string) { w.counts[fmt.Sprint(shop, " ", purpose, " ", decision)]++ },
	}
	for _, f := range change {
		f(&c)
	}
	g, err := NewGate(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const alice, bob = "alice-0123456789abcdef", "bob-0123456789abcdef"

func decision(visitor string, analytics, marketing bool) Decision {
	return Decision{Shop: "demo", Visitor: visitor, Purposes: map[string]bool{PurposeAnalytics: analytics, PurposeMarketing: marketing}, Source: "banner",
		Notice: Notice{Version: "2026-11", Language: "nl"}}
}

func (w *world) grant(t testing.TB, d Decision) Outcome {
	t.Helper()
	o, err := w.Grant(t.Context(), d)
	if err != nil {
		t.Fatalf("grant: %v", err)
	}
	return o
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}
