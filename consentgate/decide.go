package consentgate

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decision is what a visitor decided.
type Decision struct {
	Shop     string
	Visitor  string          // raw id, see ValidVisitor
	Purposes map[string]bool // purpose → allowed; purposes not named stay as they were
	Choices  jsontext.Value  // JSON object: purpose → details; nil for none
	// Notice is the text shown; its SHA256 is filled in by the gate.
	Notice Notice
	Source string // banner, consent-mode, tcf …
	// GivenAt is when it was decided; zero: now. Only a token can vouch for another time.
	GivenAt time.Time
	// AttestedBy names the ingest token of the server that reports the decision; empty: the visitor's browser does.
	AttestedBy string
}

// Outcome is the answer to a decision. Receipt is empty where nothing was allowed.
type Outcome struct {
	Receipt   string // compact JWS
	ReceiptID string
	Purposes  map[string]bool
	GivenAt   time.Time
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Grant takes in a decision: it is in the ledger, durable, and in force when Grant returns. Nothing allowed is a withdrawal of what was
// allowed before; where nothing was, only an anonymous count is kept. Faults of the decision are *Refusal; ErrUnavailable means: again later.
func (g *Gate) Grant(ctx context.Context, d Decision) (Outcome, error) {
	notice, err := g.validate(d)
	if err != nil {
		return Outcome{}, err
	}
	r := Record{
		Shop: d.Shop, NoticeVersion: notice.Version, NoticeLanguage: notice.Language, NoticeSHA256: notice.SHA256,
		Source: d.Source, AttestedBy: d.AttestedBy, ID: rand.Text(),
	}
	for _, p := range slices.Sorted(maps.Keys(d.Purposes)) {
		if d.Purposes[p] {
			r.Granted = append(r.Granted, p)
		} else {
			r.Denied = append(r.Denied, p)
		}
	}
	visitor := g.keys.Pseudonyms(d.Shop, KindVisitor, d.Visitor)
	defer g.turns.take(visitor[0]).Unlock()
	now := g.clock()
	given := g.after(now, d.Shop, visitor)
	if !d.GivenAt.IsZero() {
		given = time.UnixMilli(d.GivenAt.UnixMilli()).UTC()
	}
	r.GivenAt, r.RecordedAt = given.UnixMilli(), now.UnixMilli()
	g.revocations(ctx, &r, visitor)
	switch {
	case len(r.Granted) > 0:
		return g.grant(ctx, d, r, visitor, given, now)
	case len(r.Revoked) > 0:
		r.Action, r.Visitor, r.Aliases = ActionWithdrawal, visitor[0], visitor[1:]
		return g.commitNothing(ctx, d, r)
	}
	quarter := now.Truncate(15 * time.Minute).UnixMilli()
	r.Action, r.GivenAt, r.RecordedAt = ActionRefusal, quarter, quarter
	return g.commitNothing(ctx, d, r)
}

// commitNothing commits a record that no receipt stands for.
func (g *Gate) commitNothing(ctx context.Context, d Decision, r Record) (Outcome, error) {
	if err := g.commit(ctx, r); err != nil {
		return Outcome{}, err
	}
	return Outcome{Purposes: d.Purposes}, nil
}

// grant signs the receipt and commits the record behind it.
func (g *Gate) grant(ctx context.Context, d Decision, r Record, visitor []Pseudonym, given, now time.Time) (Outcome, error) {
	expires := g.expiry(given).Truncate(time.Second).UTC()
	if !expires.After(now) {
		return Outcome{}, &Refusal{Slug: ErrConsentExpired.Slug, Pointer: "/given_at", Detail: "This consent was given so long ago that it has expired: ask for it again."}
	}
	r.Action, r.Visitor, r.Aliases, r.ReceiptID = ActionGrant, visitor[0], visitor[1:], r.ID
	r.Choices, r.ExpiresAt = d.Choices, expires.UnixMilli()
	compact, err := g.keys.SignReceipt(Receipt{
		ID: r.ID, Shop: r.Shop, Visitor: r.Visitor, Purposes: d.Purposes, Choices: d.Choices,
		Notice: Notice{Version: r.NoticeVersion, Language: r.NoticeLanguage, SHA256: r.NoticeSHA256},
		Source: r.Source, AttestedBy: r.AttestedBy, GivenAt: given, IssuedAt: now, ExpiresAt: expires,
	})
	if err != nil {
		return Outcome{}, err
	}
	if err := g.commit(ctx, r); err != nil {
		return Outcome{}, err
	}
	return Outcome{Receipt: compact, ReceiptID: r.ID, Purposes: d.Purposes, GivenAt: given, IssuedAt: now.UTC().Truncate(time.Second), ExpiresAt: expires}, nil
}

// revocations fills in what the decision takes back: of the purposes denied those the visitor had allowed before (where nothing is allowed
// now, those the visitor had said anything about), and of the purposes allowed those that a newer decision has taken back already, which
// happens when a server reports a consent of the past. Where earlier decisions cannot be looked up, every denial counts: one override too
// many harms nobody.
func (g *Gate) revocations(ctx context.Context, r *Record, visitor []Pseudonym) {
	var state visitorState
	var err error
	if len(r.Denied) > 0 || r.AttestedBy != "" {
		state, err = g.visitor(ctx, r.Shop, visitor)
	}
	for _, p := range r.Denied {
		before, known := state.on(p)
		if err != nil || before.granted || known && len(r.Granted) == 0 {
			r.Revoked = append(r.Revoked, p)
		}
	}
	for _, p := range r.Granted {
		if at, denied := state.denial(p); denied && at >= r.GivenAt || g.denied(r.Shop, visitor, r.GivenAt)&g.bit(p) != 0 {
			r.Revoked = append(r.Revoked, p)
		}
	}
}

// after is now, or the first millisecond after the visitor's newest decision: the order of decisions must not hang on two collectors'
// clocks agreeing.
func (g *Gate) after(now time.Time, shop string, visitor []Pseudonym) time.Time {
	var newest int64
	if s, ok := g.visitors.get(visitorKey{shop, visitor[0]}); ok {
		newest = s.newest()
	}
	for _, p := range visitor {
		newest = max(newest, g.overrides.newest(shop, p))
	}
	return time.UnixMilli(max(now.UnixMilli(), newest+1)).UTC()
}

// commit makes a record durable, then effective, then counts it.
func (g *Gate) commit(ctx context.Context, r Record) error {
	if err := g.ledger.Append(ctx, r); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	g.Observe(r)
	for _, p := range r.Granted {
		g.onDecision(r.Shop, p, "granted")
	}
	withdrawn := r.Revoked
	if slices.Contains(withdrawn, AllPurposes) {
		withdrawn = r.Denied
	}
	for _, p := range r.Denied {
		if slices.Contains(withdrawn, p) {
			g.onDecision(r.Shop, p, "withdrawn")
		} else {
			g.onDecision(r.Shop, p, "denied")
		}
	}
	return nil
}

// Withdraw takes back everything the holder of the receipt has allowed, the receipt alone is enough. It also works with an expired
// receipt. erase asks for the visitor's data to be erased, and bars it from coming back.
func (g *Gate) Withdraw(ctx context.Context, receipt string, erase bool) error {
	if receipt == "" {
		return ErrConsentRequired
	}
	r, err := g.keys.VerifyReceipt(receipt)
	if err != nil {
		return err
	}
	return g.Revoke(ctx, Revocation{Shop: r.Shop, Visitor: []Pseudonym{r.Visitor}, ReceiptID: r.ID, Source: "api", Erase: erase, given: r.GivenAt.UnixMilli()})
}

// Revocation is a withdrawal by someone who is not asked for a receipt.
type Revocation struct {
	Shop       string
	Visitor    []Pseudonym // all that are known of the visitor, the primary key's first
	Purposes   []string    // nil: all
	ReceiptID  string
	Source     string
	AttestedBy string // name of the token
	Erase      bool

	given int64 // of the receipt presented, Unix ms
}

// Revoke takes back consent: durable and in force when it returns. Where nothing is allowed (any more) and nothing is to be erased,
// there is nothing to record.
func (g *Gate) Revoke(ctx context.Context, v Revocation) error {
	if len(v.Visitor) == 0 || v.Visitor[0] == 0 {
		return invalid("/visitor", "no visitor")
	}
	defer g.turns.take(v.Visitor[0]).Unlock()
	purposes := v.Purposes
	if purposes == nil {
		purposes = []string{AllPurposes}
	}
	state, err := g.visitor(ctx, v.Shop, v.Visitor)
	var denied []string
	for _, c := range state.granted() {
		if v.Purposes == nil || slices.Contains(v.Purposes, c.purpose) {
			denied = append(denied, c.purpose)
		}
	}
	slices.Sort(denied)
	// The state is complete only after a look into the history; before, a withdrawal is recorded once more rather than lost.
	complete := err == nil && (g.history != nil || len(state.choices) > 0)
	if complete && len(denied) == 0 && !v.Erase && g.denied(v.Shop, v.Visitor, max(v.given, state.newest()))&g.bits(purposes) == g.bits(purposes) {
		return nil
	}
	now := g.clock()
	return g.commit(ctx, Record{
		ID: rand.Text(), Shop: v.Shop, Visitor: v.Visitor[0], Aliases: v.Visitor[1:], Action: ActionWithdrawal, ReceiptID: v.ReceiptID,
		Denied: denied, Revoked: purposes, Source: v.Source, AttestedBy: v.AttestedBy,
		GivenAt: g.after(now, v.Shop, v.Visitor).UnixMilli(), RecordedAt: now.UnixMilli(), Erase: v.Erase,
	})
}

// sources are the ways a decision can come about.
const sources = " banner consent-mode tcf klaro vanilla-cookieconsent orejime tarteaucitron api import "

// validate checks a decision and gives its notice with the hash.
func (g *Gate) validate(d Decision) (Notice, error) {
	if !g.knownShop(d.Shop) {
		return Notice{}, ErrUnknownShop
	}
	attested := d.AttestedBy != ""
	if !ValidVisitor(d.Visitor, attested) {
		return Notice{}, invalid("/visitor", "a visitor id is 16 to 64 of A-Z, a-z, 0-9, _ and -; with an ingest token 1 to 200 characters")
	}
	if len(d.Purposes) == 0 {
		return Notice{}, invalid("/purposes", "a decision names at least one purpose, true or false")
	}
	for _, p := range slices.Sorted(maps.Keys(d.Purposes)) {
		if !slices.Contains(g.purposes, p) {
			return Notice{}, &Refusal{Slug: ErrUnknownPurpose.Slug, Pointer: "/purposes/" + pointerToken(p), Detail: "This purpose is not configured; known are " + strings.Join(g.purposes, ", ") + "."}
		}
	}
	if err := g.validChoices(d.Choices); err != nil {
		return Notice{}, err
	}
	if d.Source == "" || strings.Contains(d.Source, " ") || !strings.Contains(sources, " "+d.Source+" ") {
		return Notice{}, invalid("/source", "source is one of %s", strings.TrimSpace(sources))
	}
	if !d.GivenAt.IsZero() {
		if !attested {
			return Notice{}, ErrNeedsToken
		}
		if d.GivenAt.After(g.clock().Add(time.Minute)) || d.GivenAt.Year() < 1970 {
			return Notice{}, invalid("/given_at", "a consent is given in the past, and not before 1970")
		}
	}
	n := d.Notice
	if len(n.Version) > 100 || len(n.Language) > 35 || !utf8.ValidString(n.Version) || !utf8.ValidString(n.Language) {
		return Notice{}, invalid("/notice", "version has at most 100 bytes, language (BCP 47) at most 35")
	}
	hash, known := g.notice(n.Version, n.Language)
	if !known {
		return Notice{}, ErrUnknownNotice
	}
	n.SHA256 = hash
	return n, nil
}

// validText tells whether a text is UTF-8 of 1 to max characters.
func validText(s string, max int) bool {
	return s != "" && len(s) <= 4*max && utf8.ValidString(s) && utf8.RuneCountInString(s) <= max
}

// validPurpose tells whether a purpose can be configured.
func validPurpose(p string) bool {
	if p == "" || len(p) > 40 || p[0] < 'a' || p[0] > 'z' {
		return false
	}
	return strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// pointerToken escapes a member name for a JSON pointer (RFC 6901, section 3) and cuts it to a decent length.
func pointerToken(name string) string {
	if len(name) > 40 {
		name = strings.ToValidUTF8(name[:40], "") + "…"
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
