package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/config"
)

// environment is what os.Environ gives.
type environment []string

func (e environment) get(name string) string {
	for _, v := range e {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// collectorShops is what the collector must know of the shops.
func collectorShops(c *config.Config) []collector.Shop {
	var shops []collector.Shop
	for _, s := range c.Shops {
		shops = append(shops, collector.Shop{
			ID: s.ID, Origins: s.Origins, Currency: s.Currency, Steps: s.Steps, ExcludeCustomers: s.Exclude.Customers, ExcludeCoupons: s.Exclude.Coupons,
		})
	}
	return shops
}

// funnelShop is what the reports must know of a shop.
func funnelShop(s config.Shop) funnel.Shop {
	return funnel.Shop{
		ID: s.ID, Currency: s.Currency, Timezone: s.Timezone, PricesIncludeTax: s.PricesIncludeTax, AbandonAfter: s.AbandonAfter,
		SupersededWithin: s.SupersededWithin, Steps: s.Steps, Exclude: funnel.Exclude(s.Exclude),
	}
}

func (a *App) funnelShops() []funnel.Shop {
	var shops []funnel.Shop
	for _, s := range a.Config().Shops {
		shops = append(shops, funnelShop(s))
	}
	return shops
}

// Reload puts the shops, notices and tokens of another configuration in force; what else differs needs a restart, which is said.
func (a *App) Reload(c *config.Config) error {
	old := a.Config()
	if err := a.Shops.Replace(collectorShops(c)); err != nil {
		return fmt.Errorf("reloading the shops: %w", err)
	}
	next := *old
	next.Shops, next.Notices, next.Tokens = c.Shops, c.Notices, c.Tokens
	a.current.Store(&next)
	a.Tokens.Replace(c.Tokens)
	a.logger.Info("shops, notices and tokens are reloaded", "shops", len(c.Shops), "notices", len(c.Notices), "tokens", len(c.Tokens))
	if old.DataDir != c.DataDir || old.Warehouse != c.Warehouse || old.Listen != c.Listen || old.AdminListen != c.AdminListen || old.Bots != c.Bots ||
		old.RateLimit != c.RateLimit || old.Retention != c.Retention {
		a.logger.Warn("only shops, notices and tokens are reloaded; restart kassa for the other changes")
	}
	return nil
}

// errNoShops says what a configuration without shops needs.
var errNoShops = errors.New("no shop is configured")

// NeedShops refuses a configuration with which nothing could be measured.
func NeedShops(c *config.Config) error {
	if len(c.Shops) > 0 {
		return nil
	}
	where := "write a file kassa.yaml with"
	if c.File != "" {
		where = "add to " + c.File
	}
	return fmt.Errorf("%w; %s\n\nshops:\n  - id: demo\n    name: Demo shop\n    origins: [\"https://shop.example\"]\n\nand see docs/kassa.example.yaml for the rest", errNoShops, where)
}
