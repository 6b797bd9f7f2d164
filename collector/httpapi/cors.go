package httpapi

import (
	"net/http"
	"slices"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/problem"
	"github.com/labstack/echo/v4"
)

var errOrigin = problem.New(http.StatusForbidden, "origin-not-allowed", "This site is not in the shop's list of origins; add it to origins in the configuration.")

// CORS answers preflights and lets the pages of listed origins read the answers. The request's shop is known only from its body, so that here an
// origin passes when any shop lists it; CheckOrigin asks the shop's own list. A request without Origin comes from no browser's page and passes.
// Credentials are never allowed: visitors are told by the body alone.
func CORS(shops *collector.Shops) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			req, h := c.Request(), c.Response().Header()
			// Answers differ by origin, also for those who send none: caches must know.
			if v, ok := h["Vary"]; ok {
				h["Vary"] = append(slices.Clip(v), "Origin")
			} else {
				h["Vary"] = varyOrigin
			}
			origin := req.Header["Origin"]
			if len(origin) == 0 {
				return next(c)
			}
			if len(origin) > 1 || !shops.AnyAllows(origin[0]) {
				return errOrigin
			}
			h["Access-Control-Allow-Origin"] = origin[:1]
			if req.Method != http.MethodOptions || req.Header.Get("Access-Control-Request-Method") == "" {
				err := next(c)
				if err != nil { // an answer that can ask to come back later
					h["Access-Control-Expose-Headers"] = exposed
				}
				return err
			}
			h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Allow-Headers", "Content-Type, Content-Encoding")
			h.Set("Access-Control-Max-Age", "86400")
			return c.NoContent(http.StatusNoContent)
		}
	}
}

var (
	varyOrigin = []string{"Origin"}
	exposed    = []string{"Retry-After"}
)

// CheckOrigin refuses a browser's request from a page that the shop's own allow-list does not name. An empty list lets no browser post.
func CheckOrigin(shops *collector.Shops, req *http.Request, shop string) error {
	origin := req.Header["Origin"]
	if len(origin) == 0 || shops.Allows(shop, origin[0]) {
		return nil
	}
	return errOrigin
}
