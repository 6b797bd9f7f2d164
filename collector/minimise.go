package collector

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/kassa-analytics/kassa/internal/channel"
)

// Longest texts kept, in characters; longer ones are cut, since they carry no identity.
const (
	maxPage     = 1024
	maxTitle    = 300
	maxCampaign = 200 // each campaign field
	maxText     = 200 // item id, name, category, variant; coupon, payment type, shipping tier, error detail
)

// emailMask stands for what looks like an e-mail address.
const emailMask = "(e-mail)"

// cut shortens a text to max characters.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	n := 0
	for i := range s {
		if n == max {
			return s[:i]
		}
		n++
	}
	return s
}

// characters tells whether s has at most max characters, without counting where bytes suffice.
func characters(s string, max int) bool {
	return len(s) <= max || utf8.RuneCountInString(s) <= max
}

// text cleans a free text: spaces around it, e-mail addresses and what is too long go.
func text(s string, max int) string {
	if s == "" {
		return ""
	}
	s = strings.TrimSpace(s)
	if strings.IndexByte(s, '@') >= 0 {
		words := strings.Fields(s)
		for i, w := range words {
			if looksLikeEmail(w) {
				words[i] = emailMask
			}
		}
		s = strings.Join(words, " ")
	}
	return cut(s, max)
}

// looksLikeEmail tells a text that has, anywhere, something@something.tld.
func looksLikeEmail(s string) bool {
	for i := 1; i < len(s)-3; i++ {
		if s[i] != '@' || !mailChar(s[i-1]) {
			continue
		}
		end := i + 1
		for end < len(s) && (mailChar(s[end]) || s[end] == '.') {
			end++
		}
		host := s[i+1 : end]
		if dot := strings.IndexByte(host, '.'); dot > 0 && dot < len(host)-1 && host[dot+1] != '.' {
			return true
		}
	}
	return false
}

func mailChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '+' || c >= 0x80
}

// address is what is taken from a page's URL.
type address struct {
	path     string // masked, cut
	host     string // lower case; empty for a bare path
	campaign Campaign
	click    channel.Click
}

// readPage takes the path and the campaign out of a URL or path. Query and fragment are not kept.
func readPage(page string) (a address) {
	rest := page
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		a.readQuery(rest[i+1:])
		rest = rest[:i]
	}
	if i := strings.Index(rest, "://"); i >= 0 && strings.IndexByte(rest[:i], '/') < 0 {
		rest = rest[i+3:]
		a.host, rest = splitHost(rest)
	} else if strings.HasPrefix(rest, "//") {
		a.host, rest = splitHost(rest[2:])
	}
	if rest == "" && page == "" {
		return a
	}
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	a.path = cut(maskPath(rest), maxPage)
	return a
}

// splitHost divides "user@Host:443/path" into host in lower case and path.
func splitHost(s string) (host, path string) {
	host = s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		host, path = s[:i], s[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), path
}

// maskPath replaces the segments that look like an e-mail address, as they are or URL-encoded once or twice, and drops ";jsessionid=…".
func maskPath(path string) string {
	if strings.IndexByte(path, '@') < 0 && strings.IndexByte(path, '%') < 0 && strings.IndexByte(path, ';') < 0 {
		return path
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if semi := strings.IndexByte(s, ';'); semi >= 0 {
			s = s[:semi]
		}
		if emailInside(s) {
			s = emailMask
		}
		segments[i] = s
	}
	return strings.Join(segments, "/")
}

func emailInside(s string) bool {
	for range 3 {
		if looksLikeEmail(s) {
			return true
		}
		if strings.IndexByte(s, '%') < 0 {
			return false
		}
		decoded, err := url.PathUnescape(s)
		if err != nil {
			// A stray % elsewhere must not hide an address.
			decoded = strings.NewReplacer("%40", "@", "%2E", ".", "%2e", ".", "%25", "%").Replace(s)
		}
		if decoded == s {
			return false
		}
		s = decoded
	}
	return looksLikeEmail(s)
}

// readQuery reads campaign parameters and click ids; of a name given twice the first counts.
func (a *address) readQuery(query string) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if value == "" {
			continue
		}
		if into := a.campaignField(name); into != nil {
			if *into == "" {
				if decoded, err := url.QueryUnescape(value); err == nil && utf8.ValidString(decoded) {
					*into = decoded
				}
			}
			continue
		}
		if click := channel.ClickOf(name); click != "" && (a.click == "" || weak(a.click)) {
			a.click = click
		}
	}
}

// weak tells the click ids that stand on unpaid links too.
func weak(c channel.Click) bool {
	return c == "fbclid" || c == "igshid" || c == "epik" || c == "srsltid"
}

// campaignField finds where a query parameter belongs: utm_ is everyone's, mtm_ and pk_ are Matomo's.
func (a *address) campaignField(name string) *string {
	prefix, field, ok := strings.Cut(name, "_")
	if !ok {
		return nil
	}
	switch prefix {
	case "utm", "mtm", "pk":
	default:
		return nil
	}
	switch field {
	case "source":
		return &a.campaign.Source
	case "medium":
		return &a.campaign.Medium
	case "campaign":
		return &a.campaign.Name
	case "term", "kwd", "keyword":
		return &a.campaign.Term
	case "content":
		return &a.campaign.Content
	}
	return nil
}

// referrerHost takes the host out of a referrer: URL, android-app:// or bare host. Empty where it is no host.
func referrerHost(referrer string) string {
	if referrer == "" {
		return ""
	}
	rest := referrer
	if i := strings.Index(rest, "://"); i >= 0 {
		rest = rest[i+3:]
	} else {
		rest = strings.TrimPrefix(rest, "//")
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	host, _ := splitHost(rest)
	if len(host) > 253 || !hostChars(host) {
		return ""
	}
	return host
}

// hostChars tells a host name by its characters; a bare word is none.
func hostChars(host string) bool {
	dot := false
	for i := 0; i < len(host); i++ {
		switch c := host[i]; {
		case c == '.':
			dot = true
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c >= 0x80, c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return dot
}

// language keeps the primary subtag of a BCP 47 tag in lower case: "nl" of "nl-BE". What is no tag is dropped.
func language(tag string) string {
	primary := tag
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		primary = tag[:i]
	}
	if len(primary) < 2 || len(primary) > 3 {
		return ""
	}
	for i := 0; i < len(primary); i++ {
		if c := primary[i] | 0x20; c < 'a' || c > 'z' {
			return ""
		}
	}
	return strings.ToLower(primary)
}
