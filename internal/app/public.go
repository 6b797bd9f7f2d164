package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	collectorhttp "github.com/kassa-analytics/kassa/collector/httpapi"
	"github.com/kassa-analytics/kassa/collector/snippet"
	consenthttp "github.com/kassa-analytics/kassa/consentgate/httpapi"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/problem"
)

// newRouter is what both listeners' routers have in common.
func (a *App) newRouter(requests *collectorhttp.RequestMetrics) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = collectorhttp.IPExtractor(a.Config().TrustedProxies)
	e.HTTPErrorHandler = problem.ErrorHandler(func(c echo.Context, err error) {
		// Neither addresses nor bodies are logged: only what was asked for and what went wrong.
		id := rand.Text()
		c.Response().Header().Set(echo.HeaderXRequestID, id)
		a.logger.Error("a request failed", "request_id", id, "method", c.Request().Method, "route", c.Path(), "error", err)
	})
	e.Use(requests.Middleware(), recoverPanics)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	return e
}

// recoverPanics turns a handler's panic into a 500: other requests go on.
func recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler: // net/http's own sentinel, compared as it does
				panic(p)
			default:
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		return next(c)
	}
}

// publicRouter serves the shop's browsers and back end. While the App drains nothing is taken in any more.
func (a *App) publicRouter(requests *collectorhttp.RequestMetrics) (*echo.Echo, error) {
	c := a.Config()
	e := a.newRouter(requests)
	events, err := collectorhttp.New(collectorhttp.Config{
		Service: a.Collector, Gate: a.Gate, Tokens: a.Tokens, KeepBots: c.Bots == config.KeepBots, Clock: a.clock,
	})
	if err != nil {
		return nil, fmt.Errorf("preparing the public listener: %w", err)
	}
	consent, err := consenthttp.New(consenthttp.Config{Gate: a.Gate, Keys: a.Keys, Tokens: a.Tokens, AllowOrigin: a.Shops.Allows, Data: a.Warehouse})
	if err != nil {
		return nil, fmt.Errorf("preparing the public listener: %w", err)
	}
	limiter := collectorhttp.NewLimiter(collectorhttp.LimiterConfig{Rate: c.RateLimit.RequestsPerSecond, Burst: c.RateLimit.Burst, Clock: a.clock})
	refuse := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if a.draining.Load() && c.Request().Method == http.MethodPost {
				return collectorhttp.NotDurable()
			}
			return next(c)
		}
	}
	tag := echo.WrapHandler(snippet.Handler())
	e.GET("/kassa.js", tag)
	e.HEAD("/kassa.js", tag)
	m := []echo.MiddlewareFunc{collectorhttp.CORS(a.Shops), limiter.Middleware(), refuse}
	events.Register(e, m...)
	consent.Register(e, m...)
	return e, nil
}

var errNotReady = errors.New("not ready")
