package httpapi

import (
	"cmp"
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// LimiterConfig says how many requests an address may send.
type LimiterConfig struct {
	Rate  float64 // requests/s in the long run; 0 = no limit
	Burst int     // requests at once; 0: ten seconds' worth
	// Addresses bounds the addresses remembered, some 60 bytes each; 0: 131,072.
	Addresses int
	// Clock is the time; nil: time.Now.
	Clock func() time.Time
}

// The limits of the public listener where the configuration says nothing.
const (
	DefaultRate  = 200
	DefaultBurst = 2000
)

// Limiter is a token bucket for each address (a /64 for IPv6, which is what one subscriber gets). Its memory is bounded: of many addresses those
// not seen for longest are forgotten, which gives them a full bucket.
type Limiter struct {
	rate, burst float64
	clock       func() time.Time
	seed        maphash.Seed
	limit       int
	shards      [16]limiterShard
}

type limiterShard struct {
	mu           sync.Mutex
	young, older map[netip.Addr]bucket
}

type bucket struct {
	tokens float64
	at     int64 // Unix nanoseconds when tokens was true
}

// NewLimiter makes a limiter.
func NewLimiter(c LimiterConfig) *Limiter {
	l := &Limiter{rate: c.Rate, burst: float64(cmp.Or(c.Burst, int(10*c.Rate), 1)), clock: c.Clock, seed: maphash.MakeSeed()}
	l.limit = max(1, cmp.Or(c.Addresses, 128<<10)/2/len(l.shards))
	if l.clock == nil {
		l.clock = time.Now
	}
	for i := range l.shards {
		l.shards[i].young = map[netip.Addr]bucket{}
	}
	return l
}

// Allow takes one request off an address's bucket; where it is empty it tells how long to wait. What is no address shares one bucket.
func (l *Limiter) Allow(address string) (ok bool, wait time.Duration) {
	if l.rate <= 0 {
		return true, 0
	}
	addr, _ := netip.ParseAddr(address)
	if addr = addr.Unmap().WithZone(""); addr.Is6() {
		p, _ := addr.Prefix(64)
		addr = p.Addr()
	}
	now := l.clock().UnixNano()
	s := &l.shards[maphash.Comparable(l.seed, addr)%uint64(len(l.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	b, found := s.young[addr]
	if !found {
		if b, found = s.older[addr]; !found {
			b = bucket{tokens: l.burst, at: now}
		}
		if len(s.young) >= l.limit {
			s.young, s.older = map[netip.Addr]bucket{}, s.young
		}
	}
	if passed := now - b.at; passed > 0 {
		b.tokens = min(l.burst, b.tokens+float64(passed)/float64(time.Second)*l.rate)
		b.at = now
	}
	if b.tokens < 1 {
		s.young[addr] = b
		return false, time.Duration((1 - b.tokens) / l.rate * float64(time.Second))
	}
	b.tokens--
	s.young[addr] = b
	return true, 0
}

// Middleware answers 429 to an address that sends too much. The address is what the echo instance's IPExtractor says.
func (l *Limiter) Middleware() echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if l.rate <= 0 {
			return next
		}
		return func(c echo.Context) error {
			if ok, wait := l.Allow(c.RealIP()); !ok {
				p := problem.New(http.StatusTooManyRequests, "rate-limited", "This address sends more requests than it may: slow down, or send several events in one batch.")
				p.RetryAfter = max(wait, time.Second)
				return p
			}
			return next(c)
		}
	}
}
