// Package agent sorts user agent strings into classes of device, browser and system, and tells known crawlers; it keeps no string but in a bounded cache in memory.
package agent

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/mileusna/useragent"
)

// Class is all that is kept of a user agent. Names carry no version, since a version helps to single people out.
type Class struct {
	Device  string // desktop, mobile, tablet, other; empty: no user agent was sent
	Browser string // Chrome, Firefox, …; empty: unknown
	OS      string
	Bot     bool // a known crawler or tool
}

// Lengths above which a user agent is not looked at further: none of a real browser is longer.
const maxLength = 1024

// Classifier classifies user agents, and remembers the answer for the most recent ones.
type Classifier struct {
	crawlers *crawlers
	seed     maphash.Seed
	shards   [16]shard
	limit    int // entries of a shard's younger generation
}

type shard struct {
	mu           sync.RWMutex
	young, older map[string]Class
}

// New makes a classifier that remembers at most n answers (some 300 bytes each); the error tells that the embedded list is damaged.
func New(n int) (*Classifier, error) {
	list, err := newCrawlers(crawlerPatterns)
	if err != nil {
		return nil, fmt.Errorf("reading the list of crawlers: %w", err)
	}
	c := &Classifier{crawlers: list, seed: maphash.MakeSeed()}
	c.limit = max(1, n/2/len(c.shards))
	for i := range c.shards {
		c.shards[i].young = map[string]Class{}
	}
	return c, nil
}

// Classify sorts one user agent. It may be called from any number of goroutines.
func (c *Classifier) Classify(ua string) Class {
	if ua == "" {
		return Class{}
	}
	if len(ua) > maxLength {
		ua = ua[:maxLength]
	}
	s := &c.shards[maphash.String(c.seed, ua)%uint64(len(c.shards))]
	s.mu.RLock()
	class, ok := s.young[ua]
	s.mu.RUnlock()
	if ok {
		return class
	}
	s.mu.RLock()
	class, ok = s.older[ua]
	s.mu.RUnlock()
	if !ok {
		class = c.parse(ua)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= c.limit {
		s.young, s.older = map[string]Class{}, s.young
	}
	s.young[strings.Clone(ua)] = class
	return class
}

func (c *Classifier) parse(ua string) Class {
	p := useragent.Parse(ua)
	class := Class{Browser: strings.Clone(known(p.Name, browsers[:])), OS: strings.Clone(known(p.OS, systems[:])), Bot: p.Bot || c.crawlers.match(ua)}
	switch {
	case p.Tablet:
		class.Device = "tablet"
	case p.Mobile:
		class.Device = "mobile"
	case p.Desktop:
		class.Device = "desktop"
	default:
		class.Device = "other"
	}
	return class
}

// The names that are kept: a browser's own name can hold anything, and so could single somebody out.
var (
	browsers = [...]string{
		useragent.Chrome, useragent.HeadlessChrome, useragent.Firefox, useragent.Safari, useragent.Edge, useragent.Opera, useragent.OperaMini, useragent.OperaTouch,
		useragent.Vivaldi, useragent.InternetExplorer, useragent.SamsungBrowser, useragent.FacebookApp, useragent.InstagramApp, useragent.TiktokApp,
	}
	systems = [...]string{
		useragent.Windows, useragent.WindowsPhone, useragent.Android, useragent.MacOS, useragent.IOS, useragent.Linux, useragent.FreeBSD, useragent.ChromeOS,
		useragent.BlackBerry, useragent.Harmony,
	}
)

func known(name string, list []string) string {
	for _, k := range list {
		if k == name {
			return k
		}
	}
	if name == "" {
		return ""
	}
	return "other"
}
