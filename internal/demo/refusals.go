package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// atOnce is how many refusals are under way at a time: they share the spool's fsyncs.
const atOnce = 64

// Refuse reports refusals of consent of the past through the front door, with an ingest token: nothing but their number is kept. Of times
// it starts at from and tells done, from time to time, how many are durable.
func Refuse(ctx context.Context, client *http.Client, url, shop, token string, times []time.Time, from int, done func(n int) error) error {
	for from < len(times) {
		part := times[from:min(len(times), from+8*atOnce)]
		var group sync.WaitGroup
		failed := make(chan error, len(part))
		places := make(chan struct{}, atOnce)
		for i, at := range part {
			places <- struct{}{}
			group.Go(func() {
				defer func() { <-places }()
				if err := refuse(ctx, client, url, shop, token, fmt.Sprintf("demo-refusal-%08d", from+i), at); err != nil {
					failed <- err
				}
			})
		}
		group.Wait()
		select {
		case err := <-failed:
			return fmt.Errorf("reporting refusals of consent: %w", err)
		default:
		}
		from += len(part)
		if err := done(from); err != nil {
			return err
		}
	}
	return nil
}

func refuse(ctx context.Context, client *http.Client, url, shop, token, visitor string, at time.Time) error {
	body, err := json.Marshal(map[string]any{
		"shop": shop, "visitor": visitor, "purposes": map[string]bool{"analytics": false, "marketing": false}, "source": "import",
		"notice": map[string]string{"version": NoticeVersion, "language": "en"}, "given_at": at.UTC().Format(time.RFC3339),
	})
	if err != nil {
		return fmt.Errorf("encoding a refusal: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/consent", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("posting a refusal: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	return do(client, req, nil)
}
