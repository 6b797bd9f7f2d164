package consentgate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Config is what a Gate works with. Functions are called from any number of goroutines.
type Config struct {
	Keys   *Keys
	Ledger Ledger
	// History is asked for the consent recorded for a visitor that memory does not hold; nil: memory is all there is.
	History History
	// KnownShop tells whether a shop is configured.
	KnownShop func(shop string) bool
	// Notice gives the SHA-256 (hex) of a configured notice text and whether there is one; where no notices are configured it answers
	// ("", true). nil is the same as none configured.
	Notice func(version, language string) (sha256 string, known bool)
	// Purposes are those beside analytics and marketing; at most 11.
	Purposes []string
	// Expiry is when a consent given then ends; nil: six months later. A later time must never end earlier.
	Expiry func(given time.Time) time.Time
	// Clock is the time; nil: time.Now.
	Clock func() time.Time
	// OnDecision counts: decision is granted, denied or withdrawn. nil: nobody counts.
	OnDecision func(shop, purpose, decision string)
	// CachedReceipts bounds the receipts kept as verified, about 1 KiB each; 0: 32,768.
	CachedReceipts int
	// CachedVisitors bounds the visitors whose decisions are kept in memory, about 250 bytes each; 0: 131,072.
	CachedVisitors int
	// HistoryTTL is how long an answer of History is believed where Observe brings no news; 0: 30 s. That nothing is recorded is
	// believed for 2 s at most.
	HistoryTTL time.Duration
}

// Validate names everything that is missing or wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Keys == nil {
		errs = append(errs, errors.New("no keys"))
	}
	if c.Ledger == nil {
		errs = append(errs, errors.New("no ledger"))
	}
	if c.KnownShop == nil {
		errs = append(errs, errors.New("no shops"))
	}
	if len(c.Purposes) > maxExtraPurposes {
		errs = append(errs, fmt.Errorf("%d purposes beside analytics and marketing, at most %d are possible", len(c.Purposes), maxExtraPurposes))
	}
	for _, p := range c.Purposes {
		if !validPurpose(p) {
			errs = append(errs, fmt.Errorf("purpose %q is not of the form [a-z][a-z0-9_]{0,39}", p))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("consent gate: %w", err)
	}
	return nil
}

// Gate decides who may be measured. Its methods may be called from any number of goroutines.
type Gate struct {
	keys       *Keys
	ledger     Ledger
	history    History
	knownShop  func(string) bool
	notice     func(version, language string) (string, bool)
	purposes   []string // place = bit in the override set
	expiry     func(time.Time) time.Time
	clock      func() time.Time
	onDecision func(shop, purpose, decision string)
	historyTTL time.Duration

	receipts  *boundedMap[string, *verifiedReceipt]
	visitors  *boundedMap[visitorKey, *visitorState]
	overrides *overrideSet
	turns     turns
	// silentUntil is when History may be asked again after it failed, Unix ms.
	silentUntil atomic.Int64
}

// NewGate makes a gate; call Restore before it serves.
func NewGate(c Config) (*Gate, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{
		keys: c.Keys, ledger: c.Ledger, history: c.History, knownShop: c.KnownShop, notice: c.Notice, expiry: c.Expiry, clock: c.Clock,
		onDecision: c.OnDecision, historyTTL: cmp.Or(c.HistoryTTL, 30*time.Second),
		purposes:  []string{PurposeAnalytics, PurposeMarketing},
		receipts:  newBoundedMap[string, *verifiedReceipt](cmp.Or(c.CachedReceipts, 32<<10), hashString),
		visitors:  newBoundedMap[visitorKey, *visitorState](cmp.Or(c.CachedVisitors, 128<<10), hashVisitor),
		overrides: newOverrideSet(),
	}
	for _, p := range c.Purposes {
		if !slices.Contains(g.purposes, p) {
			g.purposes = append(g.purposes, p)
		}
	}
	if g.notice == nil {
		g.notice = func(string, string) (string, bool) { return "", true }
	}
	if g.expiry == nil {
		g.expiry = func(given time.Time) time.Time { return given.AddDate(0, 6, 0) }
	}
	if g.clock == nil {
		g.clock = time.Now
	}
	if g.onDecision == nil {
		g.onDecision = func(string, string, string) {}
	}
	return g, nil
}

// Purposes lists the purposes a visitor can decide on.
func (g *Gate) Purposes() []string { return slices.Clone(g.purposes) }

// KnowsShop tells whether a shop is configured.
func (g *Gate) KnowsShop(shop string) bool { return g.knownShop(shop) }

// ValidVisitor tells whether a raw visitor id has the form asked for: 16–64 of [A-Za-z0-9_-] from a browser; from a server that
// identified itself with a token, or from an import, 1–200 characters.
func ValidVisitor(id string, attested bool) bool {
	if attested {
		return validText(id, 200)
	}
	if len(id) < 16 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
