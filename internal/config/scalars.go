package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// scalars are the keys with one value: those that an environment variable or a flag can give too.
func (c *Config) scalars() yamlfile.Keys {
	return yamlfile.Keys{
		"data_dir":                       readPath(&c.DataDir),
		"warehouse":                      readWarehouse(&c.Warehouse),
		"bots":                           readBots(&c.Bots),
		"listen":                         readAddress(&c.Listen),
		"admin_listen":                   readAddress(&c.AdminListen),
		"public_url":                     readPublicURL(&c.PublicURL),
		"rate_limit.requests_per_second": yamlfile.Float(&c.RateLimit.RequestsPerSecond, 0),
		"rate_limit.burst":               yamlfile.Int(&c.RateLimit.Burst, 1),
		"retention.events":               readDuration(&c.Retention.Events),
		"retention.sessions":             readDuration(&c.Retention.Sessions),
		"retention.carts":                readDuration(&c.Retention.Carts),
		"retention.orders":               readDuration(&c.Retention.Orders),
		"retention.contacts":             readDuration(&c.Retention.Contacts),
		"retention.consents":             readDuration(&c.Retention.Consents),
	}
}

func readPath(dst *string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if s == "" {
			n.Problem("is empty; write a directory, such as ./data")
			return
		}
		*dst = s
	}
}

func readDuration(dst *time.Duration) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		d, err := ParseDuration(s)
		if err != nil {
			n.Problem("%v", err)
			return
		}
		*dst = d
	}
}

func readAddress(dst *string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		_, port, err := net.SplitHostPort(s)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			n.Problem("%q is not an address to listen on; write host:port, such as 127.0.0.1:8081 or :8080", s)
			return
		}
		*dst = s
	}
}

func readWarehouse(dst *string) func(yamlfile.Node) {
	const remedy = "write embedded, http(s)://user:pass@host:8123/db or clickhouse://user:pass@host:9000/db"
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		if s == Embedded {
			*dst = s
			return
		}
		u, err := url.Parse(s)
		switch {
		case err != nil: // its text would quote the password
			n.Problem("is not a URL; %s", remedy)
		case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "clickhouse":
			n.Problem("has the unknown scheme %q; %s", u.Scheme, remedy)
		case u.Hostname() == "":
			n.Problem("names no host; %s", remedy)
		default:
			*dst = s
		}
	}
}

func readPublicURL(dst *string) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		u, err := url.Parse(s)
		if s != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "") {
			n.Problem("%q is not a web address; write where browsers reach the public listener, such as https://stats.shop.example", s)
			return
		}
		*dst = strings.TrimRight(s, "/")
	}
}

func readBots(dst *Bots) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		s, ok := n.Text()
		if !ok {
			return
		}
		switch b := Bots(s); b {
		case DropBots, KeepBots:
			*dst = b
		default:
			n.Problem("%q is neither drop nor keep; write one of them", s)
		}
	}
}

func readProxies(dst *[]netip.Prefix) func(yamlfile.Node) {
	return func(n yamlfile.Node) {
		n.Each(func(_ int, item yamlfile.Node) {
			s, ok := item.Text()
			if !ok {
				return
			}
			if addr, err := netip.ParseAddr(s); err == nil && !strings.Contains(s, "/") {
				*dst = append(*dst, netip.PrefixFrom(addr, addr.BitLen()))
				return
			}
			p, err := netip.ParsePrefix(s)
			if err != nil {
				item.Problem("%q is not a network; write it as 10.0.0.0/8 or 2001:db8::/32", s)
				return
			}
			*dst = append(*dst, p.Masked())
		})
	}
}
