package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones, also where the machine has no zone files

	"github.com/kassa-analytics/kassa/internal/money"
	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// Bounds of a checkout's number of steps.
const (
	minSteps = 2
	maxSteps = 12
)

var (
	shopID   = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
	stepName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

func readShops(dst *[]Shop) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		lines := map[string]int{}
		n.Each(func(_ int, item yamlfile.Node) {
			s := defaultShop()
			item.Map(yamlfile.Keys{
				"id":                 readShopID(&s.ID, lines),
				"name":               yamlfile.String(&s.Name),
				"origins":            readOrigins(&s.Origins),
				"currency":           readCurrency(&s.Currency),
				"prices_include_tax": yamlfile.Bool(&s.PricesIncludeTax),
				"timezone":           readTimezone(&s.Timezone),
				"abandon_after":      readAbandonAfter(&s.AbandonAfter),
				"superseded_within":  readDuration(&s.SupersededWithin),
				"steps":              readSteps(&s.Steps),
				"recovery_url":       readRecoveryURL(&s.RecoveryURL),
				"exclude": func(n yamlfile.Node) {
					n.Map(yamlfile.Keys{"customers": yamlfile.Strings(&s.Exclude.Customers), "coupons": yamlfile.Strings(&s.Exclude.Coupons)})
				},
			})
			if item.IsMap() && !item.Has("id") {
				item.Problem("has no id; write id: with 1 to 40 of a-z, 0-9 and -")
			}
			if s.Name == "" {
				s.Name = s.ID
			}
			*dst = append(*dst, s)
		})
	}
}

func readShopID(dst *string, lines map[string]int) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if !shopID.MatchString(s) {
			n.Problem("%q is not a shop id; write 1 to 40 of a-z, 0-9 and -", s)
			return
		}
		if line, twice := lines[s]; twice {
			n.Problem("%q is the id of the shop on line %d too; give each shop its own", s, line)
			return
		}
		lines[s] = n.Line()
		*dst = s
	}
}

func readOrigins(dst *[]string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		n.Each(func(_ int, item yamlfile.Node) {
			s, ok := item.Text()
			if !ok {
				return
			}
			if s == "" && ok { // YAML's null, unquoted: browsers send it as the text null
				s = "null"
			}
			u, err := url.Parse(s)
			if s != "null" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Scheme+"://"+u.Host != s || strings.ToLower(s) != s) {
				item.Problem("%q is not an origin; write scheme and host in lower case and nothing after them, such as https://shop.example", s)
				return
			}
			*dst = append(*dst, s)
		})
	}
}

func readCurrency(dst *string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if _, err := money.MinorDigits(s); err != nil {
			n.Problem("%v; write one such as EUR", err)
			return
		}
		*dst = s
	}
}

func readTimezone(dst **time.Location) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		loc, err := time.LoadLocation(s)
		if err != nil || s == "" || s == "Local" {
			n.Problem("%q is not a time zone; write a name such as Europe/Brussels or UTC", s)
			return
		}
		*dst = loc
	}
}

func readAbandonAfter(dst *time.Duration) func(yamlfile.Node) {
	read := readDuration(dst)
	return func(n yamlfile.Node) {
		before := *dst
		*dst = -1
		read(n)
		switch {
		case *dst == 0:
			n.Problem("is 0, so that every cart would be abandoned at once; write a duration such as 1h")
		case *dst < 0:
			*dst = before
		}
	}
}

func readSteps(dst *[]string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		var steps []string
		n.Each(func(_ int, item yamlfile.Node) {
			s, ok := item.Text()
			switch {
			case !ok:
			case !stepName.MatchString(s):
				item.Problem("%q is not an event name; write 1 to 40 of a-z, 0-9 and _, a letter first", s)
			case slices.Contains(steps, s):
				item.Problem("%q is a step already, and the steps of a checkout may not overlap; keep it once", s)
			default:
				steps = append(steps, s)
			}
		})
		if !n.IsList() {
			return
		}
		if i := slices.Index(steps, "purchase"); i >= 0 && i < len(steps)-1 {
			n.Problem("has steps after purchase, which no cart can reach; make purchase the last")
		}
		if len(steps) < minSteps || len(steps) > maxSteps {
			n.Problem("has %d steps; write %d to %d", len(steps), minSteps, maxSteps)
		}
		*dst = steps
	}
}

func readRecoveryURL(dst *string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		u, err := url.Parse(strings.ReplaceAll(s, "{cart_ref}", "x"))
		if s != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
			n.Problem("%q is not a web address; write one such as https://shop.example/cart?restore={cart_ref}", s)
			return
		}
		*dst = s
	}
}
