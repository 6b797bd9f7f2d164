// Package httpapi serves the collector over HTTP: POST /v1/events with its limits, and the middleware the public listener's other paths share.
package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/agent"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// Gate answers whether a visitor may be measured. *consentgate.Gate is the real one.
type Gate interface {
	Check(shop, receipt, visitor string) (consentgate.Permit, error)
	Recorded(ctx context.Context, shop, visitor string) (consentgate.Permit, error)
}

// Authenticator tells whose token an Authorization header carries. *auth.Tokens is the real one.
type Authenticator interface {
	Authenticate(header string) (auth.Identity, error)
}

// Config is what the handlers work with.
type Config struct {
	Service *collector.Service
	Gate    Gate
	Tokens  Authenticator
	// KeepBots stores what known crawlers send; else it is refused and counted.
	KeepBots bool
	// Clock is the time; nil: time.Now.
	Clock func() time.Time
	// LargeBatches is how many batches above 64 KiB are worked on at one time, others wait: it bounds memory; 0: twice the processors, at least 4.
	LargeBatches int
}

// Validate names everything that is missing.
func (c Config) Validate() error {
	var errs []error
	if c.Service == nil {
		errs = append(errs, errors.New("collector http: no service"))
	}
	if c.Gate == nil {
		errs = append(errs, errors.New("collector http: no consent gate"))
	}
	if c.Tokens == nil {
		errs = append(errs, errors.New("collector http: no tokens"))
	}
	return errors.Join(errs...)
}

// Handler serves the native wire. Register it behind CORS and Limiter.Middleware.
type Handler struct {
	service  *collector.Service
	gate     Gate
	tokens   Authenticator
	keepBots bool
	clock    func() time.Time
	agents   *agent.Classifier
	large    chan struct{}
	batches  sync.Pool // *collector.Batch
}

// largeBody is the size in bytes from which a batch takes one of the places for large ones.
const largeBody = 64 << 10

// rememberedAgents bounds the user agents kept in memory, some 300 bytes each.
const rememberedAgents = 16 << 10

// New makes the handler.
func New(c Config) (*Handler, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	agents, err := agent.New(rememberedAgents)
	if err != nil {
		return nil, err
	}
	h := &Handler{
		service: c.Service, gate: c.Gate, tokens: c.Tokens, keepBots: c.KeepBots, clock: c.Clock, agents: agents,
		large: make(chan struct{}, cmp.Or(max(c.LargeBatches, 0), max(4, 2*runtime.GOMAXPROCS(0)))), batches: sync.Pool{New: func() any { return new(collector.Batch) }},
	}
	if h.clock == nil {
		h.clock = time.Now
	}
	return h, nil
}

// Register puts POST /v1/events and its preflight on the router.
func (h *Handler) Register(r interface {
	POST(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
	OPTIONS(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
}, m ...echo.MiddlewareFunc) {
	r.POST("/v1/events", h.Events, m...)
	r.OPTIONS("/v1/events", func(echo.Context) error { return echo.ErrMethodNotAllowed }, m...)
}

// Events answers POST /v1/events.
func (h *Handler) Events(c echo.Context) error {
	req := c.Request()
	ctx := req.Context()
	body := bodies.Get().(*body)
	defer body.release()
	if err := body.read(req); err != nil {
		return err
	}
	if len(body.data) > largeBody {
		select {
		case h.large <- struct{}{}:
			defer func() { <-h.large }()
		case <-ctx.Done():
			return NotDurable()
		}
	}
	batch := h.batches.Get().(*collector.Batch)
	defer h.recycle(batch)
	if err := collector.Decode(body.data, batch); err != nil {
		return decodeProblem(err)
	}
	res, err := h.accept(ctx, req, batch)
	if err != nil {
		return err
	}
	if unusable(&res) {
		return invalidBatch(res.Rejected)
	}
	return writeResult(c, &res, body)
}

// accept checks shop, origin, token and consent, in this order, and hands the batch on.
func (h *Handler) accept(ctx context.Context, req *http.Request, batch *collector.Batch) (collector.Result, error) {
	none := collector.Result{}
	attested, err := h.attested(req, batch.Shop)
	if err != nil {
		return none, err
	}
	if batch.Shop != "" {
		if _, known := h.service.Shops().Lookup(batch.Shop); !known {
			return none, problem.New(http.StatusNotFound, "unknown-shop", "No shop of this id is configured here.", problem.Field{Pointer: "/shop", Detail: "names no configured shop"})
		}
		if err := CheckOrigin(h.service.Shops(), req, batch.Shop); err != nil {
			return none, err
		}
	}
	if faults := batch.Check(attested); len(faults) > 0 {
		return none, invalidBatch(faults)
	}
	batch.Received, batch.Wire = h.clock(), "server"
	if !attested {
		batch.Wire = "tag"
		class := h.agents.Classify(req.UserAgent())
		if class.Bot && !h.keepBots {
			return h.service.Refuse(batch, collector.ReasonBot, "a known crawler sent it"), nil
		}
		batch.Agent = collector.Agent{Device: class.Device, Browser: class.Browser, OS: class.OS}
	}
	var permit consentgate.Permit
	if attested && batch.Receipt == "" {
		permit, err = h.gate.Recorded(ctx, batch.Shop, batch.Visitor)
	} else {
		permit, err = h.gate.Check(batch.Shop, batch.Receipt, batch.Visitor)
	}
	if err != nil {
		return none, consentProblem(err)
	}
	res, err := h.service.Accept(ctx, permit, batch)
	if err != nil {
		return none, acceptProblem(err)
	}
	return res, nil
}

// attested tells whether an ingest token of the shop came with the request. A token that does not fit is never passed over.
func (h *Handler) attested(req *http.Request, shop string) (bool, error) {
	header := req.Header["Authorization"]
	if len(header) == 0 {
		return false, nil
	}
	id, err := h.tokens.Authenticate(header[0])
	if err != nil || id.Role != auth.Ingest || shop != "" && id.Shop != shop {
		return false, problem.New(http.StatusUnauthorized, "invalid-token", "The token is unknown, has expired, or is no ingest token of this shop; kassa token new makes one.")
	}
	return true, nil
}

// recycle keeps a batch's memory for the next one, unless it is much.
func (h *Handler) recycle(b *collector.Batch) {
	if b.Recycle() {
		h.batches.Put(b)
	}
}

// unusable tells a batch of which no event was usable; crawlers get their 202 all the same.
func unusable(r *collector.Result) bool {
	return r.Accepted == 0 && r.Duplicates == 0 && len(r.Rejected) > 0 && r.Rejected[0].Reason != collector.ReasonBot
}
