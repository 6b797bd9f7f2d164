package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kassa-analytics/kassa/consentgate"
)

// atOnce is how many ledger rows are under way at a time: they share the spool's fsyncs.
const atOnce = 128

// expiry is how long the made-up consents hold.
const expiry = 182 * 24 * time.Hour

// Decide writes the history's decisions into the ledger, each under an id that is the same at every load. The front door takes no
// refusals of the past: there, nothing about them may be told from outside. Live visitors decide through it.
func Decide(ctx context.Context, shop string, h *History, keys *consentgate.Keys, ledger consentgate.Ledger) error {
	places := make(chan struct{}, atOnce)
	failed := make(chan error, 1)
	var group sync.WaitGroup
	for i, c := range h.Choices {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if err := ledger.Append(ctx, c.record(shop, fmt.Sprintf("demo-%d-%08d", h.Truth.Plan.Seed, i), keys)); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("writing the demo's decisions: %w", err)
	default:
		return nil
	}
}

func (c Choice) record(shop, id string, keys *consentgate.Keys) consentgate.Record {
	at := c.At.UnixMilli()
	r := consentgate.Record{
		ID: id, Shop: shop, Action: consentgate.ActionRefusal, Denied: []string{consentgate.PurposeAnalytics, consentgate.PurposeMarketing},
		NoticeVersion: NoticeVersion, NoticeLanguage: "en", Source: "banner", GivenAt: at, RecordedAt: at,
	}
	if c.Visitor == "" {
		r.GivenAt = c.At.Truncate(15 * time.Minute).UnixMilli()
		r.RecordedAt = r.GivenAt
		return r
	}
	r.Action, r.ReceiptID, r.ExpiresAt = consentgate.ActionGrant, id, c.At.Add(expiry).UnixMilli()
	r.Visitor = keys.Pseudonym(shop, consentgate.KindVisitor, c.Visitor)
	r.Granted, r.Denied = []string{consentgate.PurposeAnalytics}, []string{consentgate.PurposeMarketing}
	if c.Marketing {
		r.Granted, r.Denied = []string{consentgate.PurposeAnalytics, consentgate.PurposeMarketing}, nil
	}
	return r
}
