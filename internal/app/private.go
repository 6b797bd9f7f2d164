package app

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	collectorhttp "github.com/kassa-analytics/kassa/collector/httpapi"
	"github.com/kassa-analytics/kassa/dashboards/web"
	"github.com/kassa-analytics/kassa/funnel"
	funnelhttp "github.com/kassa-analytics/kassa/funnel/httpapi"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/problem"
)

// reportTimeout bounds one report's work in the warehouse.
const reportTimeout = 30 * time.Second

// privateRouter serves the owner, marketing and Prometheus.
func (a *App) privateRouter(requests *collectorhttp.RequestMetrics) *echo.Echo {
	e := a.newRouter(requests)
	funnelhttp.Register(e, funnelhttp.Config{
		Reports: a.Reports, Authorize: a.authorize, Timeout: reportTimeout, Now: a.clock,
		Shop: func(id string) (funnel.Shop, bool) {
			s, ok := a.Config().Shop(id)
			return funnelShop(s), ok
		},
	})
	metrics := promhttp.HandlerFor(a.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	})
	e.GET("/metrics", func(c echo.Context) error {
		if a.Tokens.Has(auth.Metrics) {
			id, err := a.Tokens.Authenticate(c.Request().Header.Get("Authorization"))
			if err != nil {
				return problem.New(http.StatusUnauthorized, "invalid-token", err.Error())
			}
			if id.Role != auth.Metrics {
				return problem.New(http.StatusForbidden, "forbidden", "This token is not for /metrics; use one of the role metrics.")
			}
		}
		metrics.ServeHTTP(c.Response(), c.Request())
		return nil
	})
	e.GET("/readyz", func(c echo.Context) error {
		if err := a.ready(); err != nil {
			p := problem.New(http.StatusServiceUnavailable, "not-ready", err.Error())
			p.RetryAfter = 5 * time.Second
			return p
		}
		return c.String(http.StatusOK, "ok\n")
	})
	var options []web.Option
	if u := a.Config().PublicURL; u != "" {
		options = append(options, web.WithPublicURL(u))
	}
	page := echo.WrapHandler(web.Handler(options...))
	e.GET("/", page)
	e.GET("/assets/*", page)
	return e
}

// authorize lets owner and marketing tokens see their shop's reports.
func (a *App) authorize(r *http.Request, shop string) error {
	id, err := a.Tokens.Authenticate(r.Header.Get("Authorization"))
	if err != nil {
		return problem.New(http.StatusUnauthorized, "invalid-token", err.Error())
	}
	if id.Shop != shop || id.Role != auth.Owner && id.Role != auth.Marketing {
		return problem.New(http.StatusForbidden, "forbidden", "This token does not open this shop's reports; use one of the role owner or marketing for it.")
	}
	return nil
}

// ready tells whether events can be taken in: the spool is writable, and the warehouse takes them or will catch up. A warehouse that is down
// only fills the spool: that is what it is for.
func (a *App) ready() error {
	if a.draining.Load() {
		return fmt.Errorf("%w: shutting down", errNotReady)
	}
	if err := a.Spool.Err(); err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	return nil
}
