package auth

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"
)

func TestAuthenticate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tokens := New([]Token{
		{Name: "o", Shop: "demo", Role: Owner, SHA256: sha256.Sum256([]byte("one"))},
		{Name: "m", Shop: "demo", Role: Marketing, SHA256: sha256.Sum256([]byte("two")), Expires: now},
		{Name: "p", Role: Metrics, SHA256: sha256.Sum256([]byte("three")), Expires: now.Add(time.Nanosecond)},
	}, func() time.Time { return now })
	for _, tt := range []struct {
		header string
		want   Identity
		err    error
	}{
		{"Bearer one", Identity{"o", "demo", Owner}, nil},
		{"bearer  one ", Identity{"o", "demo", Owner}, nil},
		{"Bearer two", Identity{}, ErrInvalidToken},
		{"Bearer three", Identity{"p", "", Metrics}, nil},
		{"Bearer four", Identity{}, ErrInvalidToken},
		{"Bearer ", Identity{}, ErrNoToken},
		{"Bearer", Identity{}, ErrNoToken},
		{"", Identity{}, ErrNoToken},
		{"Basic one", Identity{}, ErrNoToken},
	} {
		got, err := tokens.Authenticate(tt.header)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%q: got %v, %v; want %v, %v", tt.header, got, err, tt.want, tt.err)
		}
	}
	tokens.Replace(nil)
	if _, err := tokens.Authenticate("Bearer one"); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a token taken out still opens: %v", err)
	}
	if tokens.Has(Metrics) {
		t.Error("Has(Metrics) after all were taken out")
	}
}

func TestFreshTokensAreLongAndDiffer(t *testing.T) {
	a, ha := Fresh()
	b, _ := Fresh()
	if a == b || len(a) < 43 || Hash(a) != ha {
		t.Errorf("%q %q %q", a, b, ha)
	}
}
