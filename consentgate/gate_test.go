package consentgate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGrantThenCheck(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, false))
	if o.ReceiptID == "" || !o.GivenAt.Equal(w.now) || !o.ExpiresAt.Equal(time.Date(2027, 5, 1, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("outcome %+v", o)
	}
	for range 2 { // first time, then remembered
		p, err := w.Check("demo", o.Receipt, alice)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Valid() || p.Shop() != "demo" || p.Visitor() != w.keys.Pseudonym("demo", KindVisitor, alice) || p.ReceiptID() != o.ReceiptID ||
			!p.Granted(PurposeAnalytics) || p.Granted(PurposeMarketing) || !p.GivenAt().Equal(o.GivenAt) || !p.ExpiresAt().Equal(o.ExpiresAt) || p.Basis() != BasisConsent || p.Imported() {
			t.Errorf("permit %+v", p)
		}
	}
	if (Permit{}).Valid() {
		t.Error("the zero permit is valid")
	}
	if r := w.ledger.rows[0]; r.Action != ActionGrant || r.ReceiptID != o.ReceiptID || r.GivenAt != w.now.UnixMilli() || r.ExpiresAt != o.ExpiresAt.UnixMilli() ||
		!slices.Equal(r.Granted, []string{"analytics"}) || !slices.Equal(r.Denied, []string{"marketing"}) || len(r.Revoked) != 0 {
		t.Errorf("row %+v", r)
	}
	if w.counts["demo analytics granted"] != 1 || w.counts["demo marketing denied"] != 1 {
		t.Errorf("counts %v", w.counts)
	}
}

func TestReceiptClaims(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Notice = func(version, language string) (string, bool) {
			return strings.Repeat("ab", 32), version == "2026-11" && language == "nl"
		}
	})
	d := decision(alice, true, true)
	d.Choices = []byte(`{"marketing":{"frequency":"weekly"}}`)
	d.GivenAt, d.AttestedBy, d.Source = w.now.Add(-time.Hour+time.Millisecond), "backend", "import"
	o := w.grant(t, d)
	parts := strings.Split(o.Receipt, ".")
	var header, claims map[string]any
	for i, into := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(b, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]any{
		"iss": "kassa", "jti": o.ReceiptID, "sub": w.keys.Pseudonym("demo", KindVisitor, alice).String(), "aud": "demo",
		"iat": float64(w.now.Unix()), "exp": float64(o.ExpiresAt.Unix()), "given_at": "2026-11-01T11:00:00.001Z", "source": "import", "attested_by": "backend",
		"purposes": map[string]any{"analytics": true, "marketing": true}, "choices": map[string]any{"marketing": map[string]any{"frequency": "weekly"}},
		"notice": map[string]any{"version": "2026-11", "language": "nl", "sha256": strings.Repeat("ab", 32)},
	}
	if fmt.Sprint(claims) != fmt.Sprint(want) {
		t.Errorf("claims\n%v, want\n%v", claims, want)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.keys.JWKS(), &set); err != nil || len(set.Keys) != 1 || set.Keys[0]["kid"] != header["kid"] || header["kid"] == nil || header["alg"] != "ES256" {
		t.Errorf("header %v, key set %v, %v", header, set, err)
	}
	r, err := w.keys.VerifyReceipt(o.Receipt)
	if err != nil || r.Notice.SHA256 != strings.Repeat("ab", 32) || r.AttestedBy != "backend" || string(r.Choices) == "" || !r.Purposes["marketing"] {
		t.Errorf("read back %+v, %v", r, err)
	}
	if strings.Contains(o.Receipt+string(mustJSON(t, claims)), alice) {
		t.Error("the receipt names the visitor")
	}
}

func mustJSON(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCheckRefuses(t *testing.T) {
	w := newWorld(t)
	stranger := newWorld(t)
	good := w.grant(t, decision(alice, true, false)).Receipt
	forged := stranger.grant(t, decision(alice, true, false)).Receipt
	marketing := w.grant(t, decision(bob, false, true)).Receipt
	part := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	for _, c := range []struct {
		name, shop, receipt, visitor string
		want                         error
	}{
		{"none", "demo", "", alice, ErrConsentRequired},
		{"other key", "demo", forged, alice, ErrConsentInvalid},
		{"cut", "demo", good[:len(good)-4], alice, ErrConsentInvalid},
		{"cut in the payload", "demo", part[0] + "." + part[1][:20] + "." + part[2], alice, ErrConsentInvalid},
		{"no signature", "demo", part[0] + "." + part[1] + ".", alice, ErrConsentInvalid},
		{"alg none", "demo", b64([]byte(`{"alg":"none","typ":"consent-receipt+jwt"}`)) + "." + part[1] + ".", alice, ErrConsentInvalid},
		{"alg HS256", "demo", b64([]byte(`{"alg":"HS256","typ":"consent-receipt+jwt"}`)) + "." + part[1] + "." + part[2], alice, ErrConsentInvalid},
		{"wrong kid", "demo", b64([]byte(`{"alg":"ES256","kid":"AAAAAA","typ":"consent-receipt+jwt"}`)) + "." + part[1] + "." + part[2], alice, ErrConsentInvalid},
		{"changed payload", "demo", part[0] + "." + b64([]byte(`{"iss":"kassa","sub":"0000000000000001","aud":"demo","exp":9999999999}`)) + "." + part[2], alice, ErrConsentInvalid},
		{"not a token", "demo", "hello", alice, ErrConsentInvalid},
		{"huge", "demo", strings.Repeat("a", 1<<20), alice, ErrConsentInvalid},
		{"other shop", "other", good, alice, ErrConsentInvalid},
		{"other visitor", "demo", good, bob, ErrConsentInvalid},
		{"no visitor", "demo", good, "", ErrConsentInvalid},
		{"marketing alone", "demo", marketing, bob, ErrPurposeNotGranted},
		{"good after all these", "demo", good, alice, nil},
		{"other shop, once remembered", "other", good, alice, ErrConsentInvalid},
		{"other visitor, once remembered", "demo", good, bob, ErrConsentInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := w.Check(c.shop, c.receipt, c.visitor)
			if !errors.Is(err, c.want) || p.Valid() != (c.want == nil) {
				t.Errorf("got %v, %v, want %v", p, err, c.want)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, false))
	w.now = o.ExpiresAt.Add(-time.Millisecond)
	_, err := w.Check("demo", o.Receipt, alice)
	wantErr(t, "just before", err, nil)
	w.now = o.ExpiresAt
	_, err = w.Check("demo", o.Receipt, alice)
	wantErr(t, "just then", err, ErrConsentExpired)
	_, err = w.Recorded(t.Context(), "demo", alice)
	wantErr(t, "recorded", err, ErrConsentExpired)
	wantErr(t, "withdrawing an expired one", w.Withdraw(t.Context(), o.Receipt, false), nil)
	o2 := w.grant(t, decision(alice, true, false))
	_, err = w.Check("demo", o2.Receipt, alice)
	wantErr(t, "asked again", err, nil)
}

// The owner shortens the life of consents: receipts given before obey too.
func TestShorterExpiryHoldsForOldReceipts(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, false))
	w.Gate = w.gate(t, func(c *Config) { c.Expiry = func(given time.Time) time.Time { return given.AddDate(0, 1, 0) } })
	w.now = w.now.AddDate(0, 2, 0)
	_, err := w.Check("demo", o.Receipt, alice)
	wantErr(t, "check", err, ErrConsentExpired)
}

func TestDecisionsOverride(t *testing.T) {
	w := newWorld(t)
	check := func(what string, o Outcome, want error, marketing bool) {
		t.Helper()
		p, err := w.Check("demo", o.Receipt, alice)
		wantErr(t, what, err, want)
		if p.Granted(PurposeMarketing) != marketing {
			t.Errorf("%s: marketing is %v", what, !marketing)
		}
		if s := w.Suppressed("demo", w.keys.Pseudonym("demo", KindVisitor, alice), o.ReceiptID, o.GivenAt, w.now); s != (want != nil) {
			t.Errorf("%s: suppressed is %v", what, s)
		}
	}
	// No time passes: decisions of one millisecond are still in order.
	first := w.grant(t, decision(alice, true, true))
	check("first", first, nil, true)
	narrower := w.grant(t, decision(alice, true, false))
	check("first, after a narrower decision", first, nil, false)
	check("narrower", narrower, nil, false)
	wider := w.grant(t, decision(alice, true, true))
	check("wider", wider, nil, true)
	check("first, after the wider", first, nil, false)
	wantErr(t, "withdraw", w.Withdraw(t.Context(), narrower.Receipt, false), nil)
	for _, o := range []Outcome{first, narrower, wider} {
		check("after the withdrawal", o, ErrConsentWithdrawn, false)
	}
	_, err := w.Recorded(t.Context(), "demo", alice)
	wantErr(t, "recorded, after the withdrawal", err, ErrConsentWithdrawn)
	rows := len(w.ledger.rows)
	wantErr(t, "withdraw twice", w.Withdraw(t.Context(), narrower.Receipt, false), nil)
	if len(w.ledger.rows) != rows {
		t.Error("the second withdrawal was recorded again")
	}
	again := w.grant(t, decision(alice, true, false))
	check("granted again", again, nil, false)
	check("an older receipt after the new grant", wider, ErrConsentWithdrawn, false)
	o := w.grant(t, decision(alice, false, false))
	if o.Receipt != "" {
		t.Errorf("a refusal got receipt %q", o.Receipt)
	}
	check("after refusing everything", again, ErrConsentWithdrawn, false)
	if last := w.ledger.rows[len(w.ledger.rows)-1]; last.Action != ActionWithdrawal || last.Visitor == 0 {
		t.Errorf("refusing after granting is %+v", last)
	}
}

func TestRefusalKeepsNothingAboutTheVisitor(t *testing.T) {
	w := newWorld(t)
	w.now = w.now.Add(7*time.Minute + 33*time.Second)
	for range 2 {
		if o := w.grant(t, decision(alice, false, false)); o.Receipt != "" {
			t.Errorf("got a receipt")
		}
	}
	for _, r := range w.ledger.rows {
		if r.Action != ActionRefusal || r.Visitor != 0 || r.ReceiptID != "" || r.GivenAt != w.now.Truncate(15*time.Minute).UnixMilli() || r.RecordedAt != r.GivenAt || r.Choices != nil {
			t.Errorf("row %+v", r)
		}
	}
	_, err := w.Recorded(t.Context(), "demo", alice)
	wantErr(t, "recorded", err, ErrConsentRequired)
	if w.Overrides() != 0 || w.counts["demo analytics denied"] != 2 {
		t.Errorf("%d overrides, counts %v", w.Overrides(), w.counts)
	}
}

func TestErasureBarsImports(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, false))
	p, err := w.ImportPermit("demo", alice, "contract")
	wantErr(t, "import", err, nil)
	if !p.Valid() || !p.Imported() || p.Basis() != "contract" || !p.GivenAt().IsZero() || p.Granted(PurposeMarketing) {
		t.Errorf("permit %+v", p)
	}
	suppressed := func() bool { return w.Suppressed("demo", p.Visitor(), "", time.Time{}, w.now) }
	wantErr(t, "withdraw", w.Withdraw(t.Context(), o.Receipt, false), nil)
	if suppressed() {
		t.Error("an import does not rest on consent, yet a withdrawal suppressed it")
	}
	wantErr(t, "erase", w.Withdraw(t.Context(), o.Receipt, true), nil)
	w.grant(t, decision(alice, true, false))
	if !suppressed() {
		t.Error("an erased visitor came back by import")
	}
	if last := w.ledger.rows[len(w.ledger.rows)-2]; !last.Erase || last.Action != ActionWithdrawal {
		t.Errorf("row %+v", last)
	}
	w.Gate = w.gate(t)
	w.now = w.now.AddDate(3, 0, 0)
	wantErr(t, "restore", w.Restore(t.Context(), w.ledger.all, nil), nil)
	if w.Prune(); !suppressed() {
		t.Error("the erasure was forgotten")
	}
	for _, bad := range [][3]string{{"nowhere", alice, "contract"}, {"demo", "", "contract"}, {"demo", alice, ""}} {
		if _, err := w.ImportPermit(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("import permit for %q", bad)
		}
	}
}

func TestGrantRefuses(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Notice = func(version, language string) (string, bool) { return "00", version == "2026-11" && language == "nl" }
		c.Purposes = []string{"personalisation"}
	})
	for _, c := range []struct {
		name, slug, pointer string
		change              func(*Decision)
	}{
		{"fine", "", "", func(d *Decision) { d.Purposes["personalisation"] = true }},
		{"shop", "unknown-shop", "/shop", func(d *Decision) { d.Shop = "nowhere" }},
		{"short visitor", "invalid-parameter", "/visitor", func(d *Decision) { d.Visitor = "short" }},
		{"odd visitor", "invalid-parameter", "/visitor", func(d *Decision) { d.Visitor = "alice@example.org-0123456789" }},
		{"odd visitor by token", "", "", func(d *Decision) { d.Visitor, d.AttestedBy = "å", "backend" }},
		{"no purposes", "invalid-parameter", "/purposes", func(d *Decision) { d.Purposes = nil }},
		{"unknown purpose", "unknown-purpose", "/purposes/sell~1all", func(d *Decision) { d.Purposes["sell/all"] = false }},
		{"source", "invalid-parameter", "/source", func(d *Decision) { d.Source = "banner klaro" }},
		{"no source", "invalid-parameter", "/source", func(d *Decision) { d.Source = "" }},
		{"notice version", "unknown-notice", "/notice", func(d *Decision) { d.Notice.Version = "2020-01" }},
		{"notice language", "unknown-notice", "/notice", func(d *Decision) { d.Notice.Language = "fr" }},
		{"given_at without token", "invalid-token", "/given_at", func(d *Decision) { d.GivenAt = w.now.Add(-time.Hour) }},
		{"given_at in the future", "invalid-parameter", "/given_at", func(d *Decision) { d.GivenAt, d.AttestedBy = w.now.Add(time.Hour), "backend" }},
		{"given_at long ago", "consent-expired", "/given_at", func(d *Decision) { d.GivenAt, d.AttestedBy = w.now.AddDate(-1, 0, 0), "backend" }},
		{"choices of no purpose", "unknown-purpose", "/choices/spam", func(d *Decision) { d.Choices = []byte(`{"spam":{}}`) }},
		{"deep choices", "invalid-parameter", "/choices/marketing/a", func(d *Decision) { d.Choices = []byte(`{"marketing":{"a":{"b":1}}}`) }},
		{"choices no object", "invalid-parameter", "/choices", func(d *Decision) { d.Choices = []byte(`[1]`) }},
		{"many choices", "invalid-parameter", "/choices", func(d *Decision) {
			d.Choices = []byte(`{"marketing":{"a":"` + strings.Repeat("x", 2000) + `"}}`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decision(alice, true, false)
			c.change(&d)
			rows := len(w.ledger.rows)
			_, err := w.Grant(t.Context(), d)
			var r *Refusal
			if errors.As(err, &r); (r == nil) != (c.slug == "") || r != nil && (r.Slug != c.slug || r.Pointer != c.pointer) {
				t.Errorf("got %#v, %v", r, err)
			}
			if (len(w.ledger.rows) > rows) != (c.slug == "") {
				t.Errorf("%d rows were recorded", len(w.ledger.rows)-rows)
			}
		})
	}
}

// A server reports a consent of the past after the visitor withdrew: the newest decision, not the newest report, counts.
func TestAttestedPastDoesNotUndoAWithdrawal(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, true))
	w.now = w.now.Add(time.Hour)
	wantErr(t, "withdraw", w.Withdraw(t.Context(), o.Receipt, false), nil)
	d := decision(alice, true, true)
	d.AttestedBy, d.GivenAt, d.Source = "backend", w.now.Add(-time.Minute), "import"
	w.now = w.now.Add(time.Hour)
	late := w.grant(t, d)
	_, err := w.Check("demo", late.Receipt, alice)
	wantErr(t, "check", err, ErrConsentWithdrawn)
	_, err = w.Recorded(t.Context(), "demo", alice)
	wantErr(t, "recorded", err, ErrConsentWithdrawn)
}

func TestLedgerFailureGrantsAndRevokesNothing(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, false))
	w.ledger.broken = errors.New("no space left on device")
	_, err := w.Grant(t.Context(), decision(bob, true, false))
	wantErr(t, "grant", err, ErrUnavailable)
	wantErr(t, "withdraw", w.Withdraw(t.Context(), o.Receipt, false), ErrUnavailable)
	_, err = w.Check("demo", o.Receipt, alice)
	wantErr(t, "check", err, nil)
	_, err = w.Recorded(t.Context(), "demo", "carol-0123456789abcdef")
	wantErr(t, "recorded, nobody to ask", err, ErrUnavailable)
	_, err = w.Recorded(t.Context(), "demo", alice)
	wantErr(t, "recorded, from memory", err, nil)
	w.ledger.broken = nil
	_, err = w.Recorded(t.Context(), "demo", "carol-0123456789abcdef")
	wantErr(t, "recorded, while the history is left alone", err, ErrUnavailable)
	w.now = w.now.Add(historyPause)
	_, err = w.Recorded(t.Context(), "demo", "carol-0123456789abcdef")
	wantErr(t, "recorded, after that", err, ErrConsentRequired)
	w.now = w.now.Add(time.Second)
	wantErr(t, "withdraw, the disk is back", w.Withdraw(t.Context(), o.Receipt, false), nil)
	_, err = w.Check("demo", o.Receipt, alice)
	wantErr(t, "check", err, ErrConsentWithdrawn)
}

// While the past cannot be looked up, a refusal counts as a withdrawal.
func TestRefusalWithoutHistoryIsAWithdrawal(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, false))
	w.Gate = w.gate(t, func(c *Config) { c.History = brokenHistory{} })
	w.grant(t, decision(alice, false, false))
	_, err := w.Check("demo", o.Receipt, alice)
	wantErr(t, "check", err, ErrConsentWithdrawn)
}

type brokenHistory struct{}

func (brokenHistory) LatestDecisions(context.Context, string, []Pseudonym) ([]Record, error) {
	return nil, errors.New("connection refused")
}

func TestRecorded(t *testing.T) {
	w := newWorld(t)
	recorded := func(what string, want error) Permit {
		t.Helper()
		p, err := w.Recorded(t.Context(), "demo", alice)
		wantErr(t, what, err, want)
		return p
	}
	recorded("nothing yet", ErrConsentRequired)
	elsewhere := &world{Gate: w.gate(t), ledger: w.ledger, keys: w.keys}
	o, err := elsewhere.Grant(t.Context(), decision(alice, true, true))
	wantErr(t, "grant on another collector", err, nil)
	recorded("within the memory of nothing", ErrConsentRequired)
	w.now = w.now.Add(nothingRecordedTTL)
	if p := recorded("once the other's grant is looked up", nil); p.ReceiptID() != o.ReceiptID || !p.Granted(PurposeMarketing) || !p.GivenAt().Equal(o.GivenAt) {
		t.Errorf("permit %+v", p)
	}
	w.now = w.now.Add(time.Second)
	o, err = elsewhere.Grant(t.Context(), decision(alice, true, false))
	wantErr(t, "narrower on another collector", err, nil)
	w.Observe(w.ledger.rows[len(w.ledger.rows)-1])
	if p := recorded("observed", nil); p.ReceiptID() != o.ReceiptID || p.Granted(PurposeMarketing) {
		t.Errorf("permit %+v", p)
	}
	w.grant(t, decision(bob, false, true))
	_, err = w.Recorded(t.Context(), "demo", bob)
	wantErr(t, "marketing alone", err, ErrPurposeNotGranted)
	_, err = w.Recorded(t.Context(), "demo", "")
	wantErr(t, "no visitor", err, ErrConsentRequired)
}

// Two collectors take a grant and a narrower decision before either hears of the other: once they do, and after a restart, both agree.
func TestCrossingDecisions(t *testing.T) {
	w := newWorld(t)
	blind := func(c *Config) { c.History = nil }
	a, b := w.gate(t, blind), w.gate(t, blind)
	wide, err := a.Grant(t.Context(), decision(alice, true, true))
	wantErr(t, "grant", err, nil)
	w.now = w.now.Add(time.Second)
	_, err = b.Grant(t.Context(), decision(alice, true, false))
	wantErr(t, "narrower", err, nil)
	if len(w.ledger.rows[1].Revoked) != 0 {
		t.Fatal("the second collector knew of the first grant")
	}
	a.Observe(w.ledger.rows[1])
	b.Observe(w.ledger.rows[0])
	restarted := w.gate(t, blind)
	wantErr(t, "restore", restarted.Restore(t.Context(), w.ledger.all, nil), nil)
	for name, g := range map[string]*Gate{"first": a, "second": b, "restarted": restarted} {
		if p, err := g.Check("demo", wide.Receipt, alice); err != nil || p.Granted(PurposeMarketing) {
			t.Errorf("%s collector: %+v, %v", name, p, err)
		}
	}
}

func TestRestore(t *testing.T) {
	w := newWorld(t)
	kept := w.grant(t, decision(bob, true, false))
	gone := w.grant(t, decision(alice, true, true))
	w.now = w.now.Add(time.Minute)
	wantErr(t, "withdraw", w.Withdraw(t.Context(), gone.Receipt, false), nil)
	w.now = w.now.Add(time.Minute)
	again := w.grant(t, decision(alice, true, false))
	for split := range len(w.ledger.rows) + 1 {
		w.Gate = w.gate(t)
		warehouse, spool := &fileLedger{rows: w.ledger.rows[:split]}, &fileLedger{rows: w.ledger.rows[split:]}
		wantErr(t, "restore", w.Restore(t.Context(), warehouse.all, spool.all), nil)
		_, err := w.Check("demo", kept.Receipt, bob)
		wantErr(t, "kept", err, nil)
		_, err = w.Check("demo", gone.Receipt, alice)
		wantErr(t, "withdrawn", err, ErrConsentWithdrawn)
		_, err = w.Check("demo", again.Receipt, alice)
		wantErr(t, "granted again", err, nil)
	}
	bad := func(yield func(Record, error) bool) { yield(Record{}, errors.New("unreadable")) }
	if err := w.Restore(t.Context(), nil, bad); err == nil || !strings.Contains(err.Error(), "spool") {
		t.Errorf("got %v", err)
	}
	// Seven months and the grace later no receipt can be under these overrides.
	w.now = w.now.AddDate(0, 8, 0)
	if n := w.Prune(); n != 1 || w.Overrides() != 0 {
		t.Errorf("pruned %d, left %d", n, w.Overrides())
	}
	if !w.Suppressed("demo", w.keys.Pseudonym("demo", KindVisitor, bob), kept.ReceiptID, kept.GivenAt, w.now) {
		t.Error("an event whose overrides may be forgotten was let through")
	}
}

// While two pseudonym keys are live, receipts and decisions made under the old one hold for the visitor under the new one.
func TestDecisionsAcrossKeyRotation(t *testing.T) {
	w := newWorld(t)
	o := w.grant(t, decision(alice, true, true))
	old := w.keys.Pseudonym("demo", KindVisitor, alice)
	rotate(t, w.keys.Dir())
	keys, err := OpenKeys(w.keys.Dir())
	if err != nil {
		t.Fatal(err)
	}
	w.keys = keys
	w.Gate = w.gate(t)
	p, err := w.Check("demo", o.Receipt, alice)
	if err != nil || p.Visitor() == old || p.Visitor() != keys.Pseudonym("demo", KindVisitor, alice) {
		t.Errorf("permit %+v, %v", p, err)
	}
	w.now = w.now.Add(time.Second)
	w.grant(t, decision(alice, true, false))
	if last := w.ledger.rows[1]; !slices.Equal(last.Aliases, []Pseudonym{old}) || !slices.Equal(last.Revoked, []string{"marketing"}) {
		t.Errorf("row %+v", last)
	}
	if !w.Denied("demo", old, PurposeMarketing, o.GivenAt, w.now) || !w.Denied("demo", p.Visitor(), PurposeMarketing, o.GivenAt, w.now) {
		t.Error("the narrower decision does not hold under both keys")
	}
	wantErr(t, "withdraw by the old receipt", w.Withdraw(t.Context(), o.Receipt, false), nil)
	_, err = w.Check("demo", o.Receipt, alice)
	wantErr(t, "check", err, ErrConsentWithdrawn)
}

func TestConfigValidate(t *testing.T) {
	_, err := NewGate(Config{Purposes: []string{"Sell Data"}})
	for _, want := range []string{"no keys", "no ledger", "no shops", `"Sell Data"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %s", err, want)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	r := Record{ID: "i", Shop: "demo", Visitor: 1 << 63, Aliases: []Pseudonym{2}, Action: ActionGrant, ReceiptID: "i", Granted: []string{"a"}, Denied: []string{"b"},
		Revoked: []string{"b"}, Choices: []byte(`{}`), NoticeVersion: "v", NoticeLanguage: "nl", NoticeSHA256: "00", Source: "api", AttestedBy: "t", GivenAt: 1, RecordedAt: 2, ExpiresAt: 3, Erase: true}
	b, err := EncodeRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := DecodeRecord(b); err != nil || fmt.Sprint(back) != fmt.Sprint(r) {
		t.Errorf("got %+v, %v", back, err)
	}
	if _, err := DecodeRecord(b[:len(b)-1]); err == nil {
		t.Error("a cut record was read")
	}
}
