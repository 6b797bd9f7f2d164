package collector

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/kassa-analytics/kassa/internal/money"
)

// Shop is what the collector must know of a shop.
type Shop struct {
	ID       string
	Origins  []string // allow-list for browsers, "https://shop.example" or "null"; empty: no browser may post
	Currency string   // ISO 4217, of events that name none
	Steps    []string // names of the checkout's steps: each is a cart event

	ExcludeCustomers []string // the shop's own references of staff and test customers
	ExcludeCoupons   []string // compared without regard to case

	KeepTitles bool // page titles can hold personal data: off unless the shop asks
}

// cartEvents are the names that create a cart or count as its activity in every shop.
var cartEvents = [...]string{
	"add_to_cart", "remove_from_cart", "view_cart", "begin_checkout", "add_contact_info", "add_shipping_info",
	"add_payment_info", "checkout_error", "purchase",
}

// shopRules is a Shop made ready for the hot path; it is never changed.
type shopRules struct {
	Shop
	digits     int // minor digits of Currency
	cartEvents map[string]bool
	customers  map[string]bool
	coupons    map[string]bool
	hosts      []string // hosts of Origins without "www.": they and their sub-domains are the shop itself
}

func newShopRules(s Shop) (*shopRules, error) {
	digits, err := money.MinorDigits(s.Currency)
	if err != nil {
		return nil, fmt.Errorf("shop %q: currency: %w", s.ID, err)
	}
	r := &shopRules{Shop: s, digits: digits, cartEvents: map[string]bool{}, customers: map[string]bool{}, coupons: map[string]bool{}}
	for _, name := range cartEvents {
		r.cartEvents[name] = true
	}
	for _, name := range s.Steps {
		r.cartEvents[name] = true
	}
	for _, c := range s.ExcludeCustomers {
		r.customers[c] = true
	}
	for _, c := range s.ExcludeCoupons {
		r.coupons[strings.ToLower(c)] = true
	}
	for _, o := range s.Origins {
		if o == "null" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("shop %q: origin %q is not of the form https://shop.example", s.ID, o)
		}
		r.hosts = append(r.hosts, strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."))
	}
	return r, nil
}

// ownHost tells whether a host, in lower case, is the shop's own.
func (r *shopRules) ownHost(host string) bool {
	for _, own := range r.hosts {
		if host == own || strings.HasSuffix(host, own) && host[len(host)-len(own)-1] == '.' {
			return true
		}
	}
	return false
}

// excluded tells whether an event belongs to a staff or test order.
func (r *shopRules) excluded(customer, coupon string) bool {
	return customer != "" && len(r.customers) > 0 && r.customers[customer] ||
		coupon != "" && len(r.coupons) > 0 && r.coupons[strings.ToLower(coupon)]
}

// Shops is the set of configured shops. It can be replaced as a whole while requests are served: each request sees one set.
type Shops struct {
	set atomic.Pointer[shopSet]
}

type shopSet struct {
	shops   map[string]*shopRules
	origins map[string]bool // of all shops together
}

// NewShops makes the set; see Replace for the errors.
func NewShops(shops []Shop) (*Shops, error) {
	s := &Shops{}
	if err := s.Replace(shops); err != nil {
		return nil, err
	}
	return s, nil
}

// Replace puts another set in place of the present one, which stays where the new one has an unknown currency, an origin that is none, or an id twice.
func (s *Shops) Replace(shops []Shop) error {
	set := &shopSet{shops: make(map[string]*shopRules, len(shops)), origins: map[string]bool{}}
	for _, shop := range shops {
		r, err := newShopRules(shop)
		if err != nil {
			return err
		}
		if set.shops[shop.ID] != nil {
			return fmt.Errorf("shop %q stands in the configuration twice", shop.ID)
		}
		set.shops[shop.ID] = r
		for _, o := range shop.Origins {
			set.origins[o] = true
		}
	}
	s.set.Store(set)
	return nil
}

// Lookup finds a shop by its id.
func (s *Shops) Lookup(id string) (Shop, bool) {
	if r := s.rules(id); r != nil {
		return r.Shop, true
	}
	return Shop{}, false
}

// AnyAllows tells whether some shop lists the origin: all that can be known before a body names its shop.
func (s *Shops) AnyAllows(origin string) bool { return s.set.Load().origins[origin] }

// Allows tells whether this shop lists the origin.
func (s *Shops) Allows(shop, origin string) bool {
	r := s.rules(shop)
	return r != nil && slices.Contains(r.Origins, origin)
}

// IDs are the ids of all shops, in no order.
func (s *Shops) IDs() []string {
	set := s.set.Load()
	ids := make([]string, 0, len(set.shops))
	for id := range set.shops {
		ids = append(ids, id)
	}
	return ids
}

func (s *Shops) rules(id string) *shopRules { return s.set.Load().shops[id] }
