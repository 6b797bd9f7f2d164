package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// Authenticator tells whose token an Authorization header carries. *auth.Tokens is the real one.
type Authenticator interface {
	Authenticate(header string) (auth.Identity, error)
}

// PersonalData reads everything held about one visitor.
type PersonalData interface {
	// PersonalData answers with one JSON object: consents, sessions, events with their pages and times, carts, orders, contacts opened.
	PersonalData(ctx context.Context, shop string, visitor []consentgate.Pseudonym) (jsontext.Value, error)
}

// Config is what a Handler works with.
type Config struct {
	Gate   *consentgate.Gate
	Keys   *consentgate.Keys
	Tokens Authenticator
	// AllowOrigin tells whether a shop's pages may come from an origin; nil: no browser may post decisions.
	AllowOrigin func(shop, origin string) bool
	// Data serves /v1/my-data; nil: there is no such route.
	Data PersonalData
}

// Handler answers the routes of Register.
type Handler struct {
	gate        *consentgate.Gate
	keys        *consentgate.Keys
	tokens      Authenticator
	allowOrigin func(shop, origin string) bool
	data        PersonalData
}

// New makes the handler.
func New(c Config) (*Handler, error) {
	if c.Gate == nil || c.Keys == nil || c.Tokens == nil {
		return nil, errors.New("consent interface: gate, keys and tokens are all needed")
	}
	h := &Handler{gate: c.Gate, keys: c.Keys, tokens: c.Tokens, allowOrigin: c.AllowOrigin, data: c.Data}
	if h.allowOrigin == nil {
		h.allowOrigin = func(string, string) bool { return false }
	}
	return h, nil
}

// Router is the part of echo's routers that Register needs.
type Router interface {
	GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
	POST(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
	OPTIONS(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
}

// Register puts the routes on the router. The middleware (CORS, limits) is for those that browsers of a shop's pages call; the key set is
// for everybody.
func (h *Handler) Register(r Router, m ...echo.MiddlewareFunc) {
	posts := map[string]echo.HandlerFunc{"/v1/consent": h.Consent, "/v1/consent/withdraw": h.Withdraw}
	if h.data != nil {
		posts["/v1/my-data"] = h.MyData
	}
	for path, f := range posts {
		r.POST(path, f, m...)
		r.OPTIONS(path, func(echo.Context) error { return echo.ErrMethodNotAllowed }, m...) // preflights end in the middleware
	}
	r.GET("/.well-known/jwks.json", h.JWKS)
}

// Consent answers POST /v1/consent.
func (h *Handler) Consent(c echo.Context) error {
	req := c.Request()
	in, err := decode[consentRequest](req)
	if err != nil {
		return err
	}
	attestedBy, err := h.attested(req, in.Shop)
	if err != nil {
		return err
	}
	if !h.gate.KnowsShop(in.Shop) {
		return answer(consentgate.ErrUnknownShop)
	}
	if origin := req.Header["Origin"]; len(origin) > 0 && !h.allowOrigin(in.Shop, origin[0]) {
		return errOrigin
	}
	given, err := in.givenAt()
	if err != nil {
		return err
	}
	out, err := h.gate.Grant(req.Context(), consentgate.Decision{
		Shop: in.Shop, Visitor: in.Visitor, Purposes: in.Purposes, Choices: in.choices(),
		Notice: in.Notice, Source: cmp.Or(in.Source, "api"), GivenAt: given, AttestedBy: attestedBy,
	})
	if err != nil {
		return answer(err)
	}
	if out.Receipt == "" {
		return write(c, http.StatusOK, refusedAnswer{})
	}
	return write(c, http.StatusCreated, consentAnswer{
		Receipt: out.Receipt, ReceiptID: out.ReceiptID, Purposes: out.Purposes,
		GivenAt: out.GivenAt.Format(instant), IssuedAt: out.IssuedAt.Format(instant), ExpiresAt: out.ExpiresAt.Format(instant),
	})
}

// Withdraw answers POST /v1/consent/withdraw. The receipt alone is enough: whoever could consent can withdraw.
func (h *Handler) Withdraw(c echo.Context) error {
	in, err := decode[withdrawRequest](c.Request())
	if err != nil {
		return err
	}
	if err := h.gate.Withdraw(c.Request().Context(), in.Receipt, in.Erase); err != nil {
		return answer(err)
	}
	return c.NoContent(http.StatusNoContent)
}

// MyData answers POST /v1/my-data, also for a receipt that has expired or was withdrawn: the data may still be there.
func (h *Handler) MyData(c echo.Context) error {
	in, err := decode[withdrawRequest](c.Request())
	if err != nil {
		return err
	}
	if in.Receipt == "" {
		return answer(consentgate.ErrConsentRequired)
	}
	receipt, err := h.keys.VerifyReceipt(in.Receipt)
	if err != nil {
		return answer(err)
	}
	data, err := h.data.PersonalData(c.Request().Context(), receipt.Shop, []consentgate.Pseudonym{receipt.Visitor})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSONBlob(http.StatusOK, data)
}

// JWKS answers GET /.well-known/jwks.json (RFC 7517).
func (h *Handler) JWKS(c echo.Context) error {
	header := c.Response().Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cache-Control", "public, max-age=300")
	return c.Blob(http.StatusOK, "application/jwk-set+json", h.keys.JWKS())
}

// attested gives the name of the ingest token a request came with; empty where it came with none. A token that does not fit is never
// passed over.
func (h *Handler) attested(req *http.Request, shop string) (string, error) {
	header := req.Header["Authorization"]
	if len(header) == 0 {
		return "", nil
	}
	id, err := h.tokens.Authenticate(header[0])
	if err != nil || id.Role != auth.Ingest || id.Shop != shop {
		return "", problem.New(http.StatusUnauthorized, "invalid-token", "The token is unknown, has expired, or is no ingest token of this shop; kassa token new makes one.")
	}
	return id.Name, nil
}

// retryAfter is when a client may try again while nothing can be made durable.
const retryAfter = 5 * time.Second

var errOrigin = problem.New(http.StatusForbidden, "origin-not-allowed", "This site is not in the shop's list of origins; add it to origins in the configuration.")

// answer turns the gate's errors into problem details.
func answer(err error) error {
	var refusal *consentgate.Refusal
	switch {
	case errors.As(err, &refusal):
		p := problem.New(status(refusal.Slug), refusal.Slug, refusal.Detail)
		if refusal.Pointer != "" {
			p.Errors = []problem.Field{{Pointer: refusal.Pointer, Detail: refusal.Detail}}
		}
		return p
	case errors.Is(err, consentgate.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p := problem.New(http.StatusServiceUnavailable, "not-durable", "The decision could not be made durable just now; it is not in force, send it again later.")
		p.RetryAfter = retryAfter
		return p
	}
	return err
}

// status is the HTTP status of a refusal.
func status(slug string) int {
	switch slug {
	case consentgate.ErrUnknownShop.Slug:
		return http.StatusNotFound
	case consentgate.ErrUnknownPurpose.Slug, consentgate.ErrUnknownNotice.Slug:
		return http.StatusUnprocessableEntity
	case consentgate.ErrInvalidDecision.Slug:
		return http.StatusBadRequest
	case consentgate.ErrNeedsToken.Slug:
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}
