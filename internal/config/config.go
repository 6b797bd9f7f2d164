// Package config reads Kassa's one configuration file, its environment variables and its flags, and refuses what is wrong with file, line and reason.
package config

import (
	"net/netip"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
)

// Config is everything that can be configured. It is not changed after Load; a reload makes another.
type Config struct {
	DataDir     string // absolute; spool, embedded engine, keys, control socket; 0700
	Warehouse   string // Embedded, or the URL of a ClickHouse server
	Listen      string // public listener
	AdminListen string // private listener
	PublicURL   string // where browsers reach the public listener, without a slash at its end; empty: the owner's page proposes one

	Bots           Bots
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
	RateLimit      RateLimit      // of an address on the public listener
	Notices        []Notice       // none: any version is accepted, with hash null
	Retention      Retention
	Shops          []Shop
	Tokens         []auth.Token

	File string // the file it came from, absolute; empty: none was there

	tokenShops []tokenShop // while reading
}

// Embedded as Warehouse means the engine in this process, its data under DataDir.
const Embedded = "embedded"

// Bots says what becomes of known bots' events.
type Bots string

// What becomes of known bots' events.
const (
	DropBots Bots = "drop"
	KeepBots Bots = "keep"
)

// RateLimit is what one address may send.
type RateLimit struct {
	RequestsPerSecond float64
	Burst             int
}

// Notice is a version of the text that shoppers are shown when asked for consent.
type Notice struct {
	Version  string
	Language string // primary subtag: nl
	File     string // absolute
	Text     []byte
	SHA256   string // hex, of Text
}

// Retention says how long each category is kept, by event time; 0 keeps it.
type Retention struct {
	Events, Sessions, Carts, Orders, Contacts, Consents time.Duration
}

// Shop is one webshop.
type Shop struct {
	ID               string
	Name             string
	Origins          []string // of browsers that may post, as the Origin header has them; empty: none
	Currency         string   // ISO 4217
	PricesIncludeTax bool
	Timezone         *time.Location
	AbandonAfter     time.Duration
	SupersededWithin time.Duration // 0 = off
	Steps            []string      // of the checkout, in order
	RecoveryURL      string        // with {cart_ref}; empty: none
	Exclude          Exclude
}

// Exclude names staff and test orders: counted apart, in no figure.
type Exclude struct {
	Customers []string
	Coupons   []string
}

// Shop finds a shop by its id.
func (c *Config) Shop(id string) (Shop, bool) {
	for _, s := range c.Shops {
		if s.ID == id {
			return s, true
		}
	}
	return Shop{}, false
}

// defaults is the configuration of an empty file.
func defaults() *Config {
	const d, mo, y = day, month, year
	return &Config{
		DataDir: "./data", Warehouse: Embedded, Listen: ":8080", AdminListen: "127.0.0.1:8081", Bots: DropBots,
		RateLimit: RateLimit{RequestsPerSecond: 200, Burst: 2000},
		Retention: Retention{Events: 13 * mo, Sessions: 25 * mo, Carts: 25 * mo, Orders: 25 * mo, Contacts: 30 * d, Consents: 5 * y},
	}
}

func defaultShop() Shop {
	return Shop{
		Currency: "EUR", PricesIncludeTax: true, Timezone: time.UTC, AbandonAfter: time.Hour, SupersededWithin: 7 * day,
		Steps: []string{"add_to_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase"},
	}
}
