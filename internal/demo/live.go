package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kassa-analytics/kassa/collector"
)

// Live sends visitors through the shop's real front door: each decides about consent, gets a receipt, and walks the shop in real time.
type Live struct {
	URL    string // of the public listener, without a slash at its end
	Shop   string
	Origin string  // one of the shop's origins
	Rate   float64 // visits a minute
	Zone   string
	Logger *slog.Logger
	Clock  func() time.Time
	Client *http.Client
}

// hurry is how much faster than in the history a live visitor goes from page to page, so that there is something to see.
const hurry = 5

var agents = map[string]string{
	"mobile":  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
	"desktop": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	"tablet":  "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
}

// Run sends visitors until ctx ends, and returns when the last has left.
func (l *Live) Run(ctx context.Context) error {
	zone, err := time.LoadLocation(l.Zone)
	if err != nil {
		return fmt.Errorf("starting the live traffic: %w", err)
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // crypto/rand.Read never fails
	m := &maker{
		plan: Plan{Seed: binary.LittleEndian.Uint64(seed[:]), Until: l.Clock().AddDate(100, 0, 0)}, zone: zone,
		rand: mathrand.New(mathrand.NewPCG(binary.LittleEndian.Uint64(seed[:]), 1)), //nolint:gosec // made-up visitors
	}
	var walking sync.WaitGroup
	defer walking.Wait()
	for {
		wait := time.Duration(m.rand.ExpFloat64() / l.Rate * float64(time.Minute))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		start := l.Clock()
		who := m.newPerson()
		m.walk(visit{at: start, who: who, origin: pick(m.rand, len(origins), func(i int) float64 { return origins[i].weight })})
		events := m.history.Events
		consents, mail := m.rand.Float64() >= refusing, m.rand.Float64() < grantsMarketing
		m.history, m.carts, m.orders, m.visits = History{}, nil, nil, nil
		walking.Go(func() {
			if err := l.visit(ctx, start, events, consents, mail); err != nil && ctx.Err() == nil {
				l.Logger.Warn("a made-up visitor was turned away", "error", err)
			}
		})
	}
}

// visit lets one visitor decide and, after consent, send the events when their time comes.
func (l *Live) visit(ctx context.Context, start time.Time, events []Event, consents, mail bool) error {
	if len(events) == 0 {
		return nil
	}
	agent := agents[events[0].Device]
	visitor := events[0].Input.Visitor
	var granted struct {
		Receipt string `json:"receipt"`
	}
	decision := map[string]any{
		"shop": l.Shop, "visitor": visitor, "source": "banner", "notice": map[string]string{"version": NoticeVersion, "language": "en"},
		"purposes": map[string]bool{"analytics": consents, "marketing": consents && mail},
	}
	if err := l.post(ctx, "/v1/consent", agent, decision, &granted); err != nil {
		return err
	}
	if !consents {
		return nil // and nothing more is sent
	}
	for _, e := range events {
		at := start.Add(time.UnixMilli(e.Input.Time).Sub(start) / hurry)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(at.Sub(l.Clock())):
		}
		now := l.Clock().UnixMilli()
		e.Input.Time = now
		body := map[string]any{"shop": l.Shop, "receipt": granted.Receipt, "visitor": visitor, "session": e.Input.Session, "sent_at": now, "events": []any{wire(e.Input)}}
		if err := l.post(ctx, "/v1/events", agent, body, nil); err != nil {
			return err
		}
	}
	return nil
}

// wire is an event as the shop's tag sends it; what is not told is left out.
func wire(in collector.Input) map[string]any {
	e := map[string]any{"id": in.ID, "name": in.Name, "time": in.Time}
	for name, value := range map[string]string{
		"page": in.Page, "language": in.Language, "referrer": in.Referrer, "cart": in.Cart, "order": in.Order, "customer": in.Customer, "currency": in.Currency,
		"value": in.Value, "shipping": in.Shipping, "payment_type": in.PaymentType, "shipping_tier": in.ShippingTier,
	} {
		if value != "" {
			e[name] = value
		}
	}
	if in.Campaign.Source != "" {
		e["campaign"] = map[string]string{"source": in.Campaign.Source, "medium": in.Campaign.Medium, "name": in.Campaign.Name}
	}
	if in.ErrorKind != "" {
		e["error"] = map[string]string{"kind": in.ErrorKind, "detail": in.ErrorDetail}
	}
	if len(in.Items) > 0 {
		var list []map[string]string
		for _, i := range in.Items {
			list = append(list, map[string]string{"id": i.ID, "name": i.Name, "category": i.Category, "price": i.Price, "quantity": i.Quantity})
		}
		e["items"] = list
	}
	return e
}

// post sends one request as a browser on the shop's page would.
func (l *Live) post(ctx context.Context, path, agent string, body, out any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.URL+path, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("posting %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	req.Header.Set("Origin", l.Origin)
	req.Header.Set("User-Agent", agent)
	return do(l.Client, req, out)
}

// do sends a request and reads its JSON answer into out; nil: it is not wanted.
func do(client *http.Client, req *http.Request, out any) error {
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("posting %s: %w", req.URL.Path, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", req.URL.Path, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s answers %s: %.300s", req.URL.Path, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", req.URL.Path, err)
	}
	return nil
}
