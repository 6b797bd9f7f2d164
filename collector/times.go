package collector

import (
	"math"
	"strconv"
	"time"
)

// The rules for times of live events.
const (
	skewTolerance = 2 * time.Minute // below it client and server clocks count as the same
	maxAge        = 72 * time.Hour
	maxAhead      = 5 * time.Minute
	consentLeeway = 60 * time.Second
)

// Years that are stored: ClickHouse keeps DateTime64 from 1900 on, and no log of a shop is older than the epoch.
var (
	firstMilli = time.Unix(0, 0).UnixMilli()
	lastMilli  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// parseMillis reads Unix milliseconds from a JSON number as written; a fraction of a millisecond is cut.
func parseMillis(s string, into *int64) *Rejection {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || math.Abs(f) > float64(lastMilli)*1000 {
			return reject(ReasonTimeOutOfRange, "", "is no time that can be stored; Unix milliseconds are wanted")
		}
		v = int64(f)
	}
	if v <= firstMilli || v >= lastMilli {
		return reject(ReasonTimeOutOfRange, "", "must lie between 1970 and 2200, in Unix milliseconds")
	}
	*into = v
	return nil
}

// parseTime reads RFC 3339, or Unix milliseconds as text; the empty text is none.
func parseTime(s string, into *int64) *Rejection {
	if s == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		for i := 0; i < len(s); i++ {
			if s[i] < '0' || s[i] > '9' {
				return reject(ReasonInvalidValue, "", "must be RFC 3339 text, such as 2026-11-23T14:05:00Z, or Unix milliseconds")
			}
		}
		return parseMillis(s, into)
	}
	if t.Year() < 1970 || t.Year() >= 2200 || t.UnixMilli() <= firstMilli {
		return reject(ReasonTimeOutOfRange, "", "must lie between 1970 and 2200")
	}
	*into = t.UnixMilli()
	return nil
}

// clock is what one batch's times are judged against, all in Unix milliseconds.
type batchClock struct {
	received int64
	skew     int64 // added to every time of the batch
	given    int64 // when consent was given; 0 = no such rule
}

func newBatchClock(received time.Time, sentAt int64, given time.Time) batchClock {
	c := batchClock{received: received.UnixMilli()}
	if sentAt != 0 {
		if skew := c.received - sentAt; skew > skewTolerance.Milliseconds() || skew < -skewTolerance.Milliseconds() {
			c.skew = skew
		}
	}
	if !given.IsZero() {
		c.given = given.UnixMilli()
	}
	return c
}

// judge corrects a live event's time and tells whether it may be kept; an event without a time happened when it was received.
func (c batchClock) judge(t int64) (int64, *Rejection) {
	if t == 0 {
		t = c.received
	} else {
		t += c.skew
	}
	if t < c.received-maxAge.Milliseconds() || t > c.received+maxAhead.Milliseconds() {
		return 0, reject(ReasonTimeOutOfRange, "/time", "must not be more than 72 hours old or 5 minutes ahead")
	}
	if c.given != 0 && t < c.given-consentLeeway.Milliseconds() {
		return 0, reject(ReasonBeforeConsent, "/time", "lies before the visitor's consent")
	}
	return t, nil
}
