// Package auth tells whose bearer token a request carries, in constant time, knowing tokens only by their SHA-256.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Role says what a token opens.
type Role string

// The roles.
const (
	Owner     Role = "owner"     // every report, no person-level data
	Marketing Role = "marketing" // reports and abandoned carts
	Privacy   Role = "privacy"   // consent proof, access, erasure, register, charter
	Ingest    Role = "ingest"    // server-side events, orders and consents on the public listener
	Metrics   Role = "metrics"   // only /metrics
)

// Roles in the order they are named to people.
var Roles = []Role{Owner, Marketing, Privacy, Ingest, Metrics}

// Known tells whether r is one of Roles.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Token is a bearer token as it is configured: by its hash, never by itself.
type Token struct {
	Name    string
	Shop    string // empty only for the role metrics, which sees every shop
	Role    Role
	SHA256  [sha256.Size]byte
	Expires time.Time // the first moment it no longer holds; zero: never
}

// Identity is whose token it was.
type Identity struct {
	Name string
	Shop string
	Role Role
}

// ErrNoToken tells that a request carries no bearer token, ErrInvalidToken that its token is unknown or has expired.
// Answers to callers make no difference between unknown and expired.
var (
	ErrNoToken      = errors.New("send the header \"Authorization: Bearer <token>\"; kassa token new makes a token")
	ErrInvalidToken = errors.New("the token is unknown or has expired; kassa token new makes one")
)

// Tokens are the tokens in force. Safe for concurrent use; the zero value is not usable, see New.
type Tokens struct {
	clock func() time.Time
	held  atomic.Pointer[[]Token]
}

// New makes the set of tokens in force; clock tells which have expired.
func New(tokens []Token, clock func() time.Time) *Tokens {
	t := &Tokens{clock: clock}
	t.Replace(tokens)
	return t
}

// Replace puts another set in force, for every request from now on.
func (t *Tokens) Replace(tokens []Token) {
	held := slices.Clone(tokens)
	t.held.Store(&held)
}

// Has tells whether a token of this role is configured, expired or not.
func (t *Tokens) Has(role Role) bool {
	return slices.ContainsFunc(*t.held.Load(), func(k Token) bool { return k.Role == role })
}

// Authenticate reads an Authorization header. Errors: ErrNoToken, ErrInvalidToken.
func (t *Tokens) Authenticate(header string) (Identity, error) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Identity{}, ErrNoToken
	}
	return t.Identify(strings.TrimSpace(token))
}

// Identify tells whose token this is. It compares with every token held, however early one matches, so that the time taken
// says nothing about which tokens exist. Errors: ErrNoToken, ErrInvalidToken.
func (t *Tokens) Identify(token string) (Identity, error) {
	if token == "" {
		return Identity{}, ErrNoToken
	}
	sum := sha256.Sum256([]byte(token))
	held := *t.held.Load()
	found := -1
	for i := range held {
		if subtle.ConstantTimeCompare(sum[:], held[i].SHA256[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Identity{}, ErrInvalidToken
	}
	k := held[found]
	if !k.Expires.IsZero() && !t.clock().Before(k.Expires) {
		return Identity{}, ErrInvalidToken
	}
	return Identity{Name: k.Name, Shop: k.Shop, Role: k.Role}, nil
}

// Fresh makes a token of 256 random bits and the hex of its SHA-256, which is all that a configuration holds of it.
func Fresh() (token, sha256Hex string) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // crypto/rand.Read never fails
	token = "kassa_" + base64.RawURLEncoding.EncodeToString(secret[:])
	return token, Hash(token)
}

// Hash is the hex of a token's SHA-256.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
