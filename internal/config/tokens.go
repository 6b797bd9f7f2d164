package config

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// readTokens runs after shops or before, as the file has them: whether a token's shop exists is checked once both are read.
func readTokens(c *Config, n yamlfile.Node) {
	lines := map[[sha256.Size]byte]int{}
	n.Each(func(_ int, item yamlfile.Node) {
		var t auth.Token
		item.Map(yamlfile.Keys{
			"name":    yamlfile.String(&t.Name),
			"shop":    yamlfile.String(&t.Shop),
			"role":    readRole(&t.Role),
			"sha256":  readHash(&t.SHA256, lines),
			"expires": readExpiry(&t.Expires),
		})
		if !item.IsMap() {
			return
		}
		for _, key := range []string{"role", "sha256"} {
			if !item.Has(key) {
				item.Problem("has no %s; kassa token new prints a whole line to paste", key)
			}
		}
		if t.Shop == "" && t.Role != auth.Metrics {
			item.Problem("has no shop; name the shop that the token is for")
		}
		if t.Shop != "" {
			c.tokenShops = append(c.tokenShops, tokenShop{item, t.Shop})
		}
		c.Tokens = append(c.Tokens, t)
	})
}

// tokenShop is a token's shop, to be looked for once all shops are read.
type tokenShop struct {
	node yamlfile.Node
	shop string
}

// checkTokenShops reports tokens for shops that do not exist.
func (c *Config) checkTokenShops() {
	for _, t := range c.tokenShops {
		if _, ok := c.Shop(t.shop); !ok {
			t.node.Problem("is for the shop %q, which is not among shops; correct it or add that shop", t.shop)
		}
	}
	c.tokenShops = nil
}

func readRole(dst *auth.Role) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if !auth.Role(s).Known() {
			n.Problem("%q is not a role; write one of owner, marketing, privacy, ingest, metrics", s)
			return
		}
		*dst = auth.Role(s)
	}
}

func readHash(dst *[sha256.Size]byte, lines map[[sha256.Size]byte]int) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != sha256.Size {
			n.Problem("is not the SHA-256 of a token in hex (64 of 0-9 and a-f); kassa token new prints it") // never quoted: it may be the token itself
			return
		}
		copy(dst[:], b)
		if line, twice := lines[*dst]; twice {
			n.Problem("is the token of line %d too; make each token its own with kassa token new", line)
			return
		}
		lines[*dst] = n.Line()
	}
}

// readExpiry reads a moment, or a day in UTC at whose end the token stops to hold.
func readExpiry(dst *time.Time) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok || s == "" {
			return
		}
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			*dst = t.AddDate(0, 0, 1)
			return
		}
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			n.Problem("%q is not a day; write one such as \"2027-12-31\"", s)
			return
		}
		*dst = t
	}
}
