// Package httpapi serves the reports of package funnel as JSON and CSV on the private listener.
package httpapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

// Config is what the reports' handlers need.
type Config struct {
	Reports funnel.Reports
	// Shop finds a shop's configuration as it is now.
	Shop func(id string) (funnel.Shop, bool)
	// Authorize lets the request's bearer token see a shop's reports; its error is the answer (401 invalid-token, 403 forbidden).
	Authorize func(r *http.Request, shop string) error
	// Timeout bounds one report's work in the warehouse.
	Timeout time.Duration
	Now     func() time.Time
}

// Register adds the reports' routes below /api/v1/shops/:shop.
func Register(e *echo.Echo, c Config) {
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	h := handler{c}
	g := e.Group("/api/v1/shops/:shop")
	g.GET("/checkout", report(h, funnel.CheckoutKeys(), []string{"day", "week"}, h.Reports.Checkout, checkoutTable))
	g.GET("/customers", report(h, nil, []string{"day", "week", "month"}, h.Reports.Customers, customersTable))
	g.GET("/coverage", report(h, nil, []string{"day", "week", "month"}, h.Reports.Coverage, coverageTable))
}

type handler struct{ Config }

// report is a handler in three steps: understand the question, ask the report, write the answer.
func report[A any](h handler, by, intervals []string, ask func(context.Context, funnel.Shop, funnel.Query) (A, error), csv func(A) table) echo.HandlerFunc {
	return func(c echo.Context) error {
		shop, err := h.shop(c)
		if err != nil {
			return err
		}
		q, err := parse(c.QueryParams(), shop, h.Now(), by, intervals)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Request().Context(), h.Timeout)
		defer cancel()
		answer, err := ask(ctx, shop, q.Query)
		if err != nil {
			return asProblem(err)
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		if q.format == formatCSV {
			return writeCSV(c, csv(answer))
		}
		return writeJSON(c, answer)
	}
}

// shop checks the token before anything is told about the shop, its existence included.
func (h handler) shop(c echo.Context) (funnel.Shop, error) {
	id := c.Param("shop")
	if err := h.Authorize(c.Request(), id); err != nil {
		return funnel.Shop{}, err
	}
	shop, ok := h.Shop(id)
	if !ok {
		return funnel.Shop{}, problem.New(http.StatusNotFound, "unknown-shop", "There is no such shop in the configuration.")
	}
	return shop, nil
}

// asProblem turns a report's error into the answer that fits it.
func asProblem(err error) error {
	var invalid *funnel.InvalidParameterError
	switch {
	case errors.As(err, &invalid):
		return problem.New(http.StatusBadRequest, "invalid-parameter", "The parameter "+invalid.Parameter+" is not right: "+invalid.Detail+".",
			problem.Field{Pointer: "/" + invalid.Parameter, Detail: invalid.Detail})
	case errors.Is(err, context.DeadlineExceeded):
		p := problem.New(http.StatusServiceUnavailable, "report-timeout", "The report took too long. Ask for a shorter period, or try again when the machine is less busy.")
		p.RetryAfter = 10 * time.Second
		return p
	}
	return err
}

func writeJSON(c echo.Context, answer any) error {
	var body bytes.Buffer
	if err := json.MarshalWrite(&body, answer, json.Deterministic(true), jsontext.EscapeForHTML(true), json.FormatNilSliceAsNull(false)); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/json", body.Bytes())
}
