package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/labstack/echo/v4"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/delivery"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/csvimport"
	"github.com/kassa-analytics/kassa/internal/problem"
)

// Letter is a dead letter as it is listed: never its data.
type Letter struct {
	Record uint64    `json:"record"`
	Place  int       `json:"place"`
	Kind   string    `json:"kind"` // events or consent
	Events int       `json:"events"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Control is what the commands ask of a running serve, over the control socket, or of an App in their own process.
func (a *App) Control() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = problem.ErrorHandler(func(c echo.Context, err error) {
		a.logger.Error("a command failed", "route", c.Path(), "error", err)
	})
	e.POST("/import", a.controlImport)
	e.GET("/import/outcome", a.controlOutcome)
	e.GET("/deadletters", a.controlLetters)
	e.POST("/deadletters/replay", a.controlReplay)
	e.POST("/deadletters/purge", a.controlPurge)
	e.GET("/jwks", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/json", a.Keys.JWKS()) })
	return e
}

func (a *App) controlImport(c echo.Context) error {
	q := c.QueryParams()
	shop, ok := a.Config().Shop(q.Get("shop"))
	if !ok {
		return problem.New(http.StatusNotFound, "unknown-shop", "No shop of this id is configured; add it to shops in the configuration.")
	}
	if a.draining.Load() {
		return problem.New(http.StatusConflict, "stopping", "kassa serve is stopping; give the same command again, it goes on where it stood")
	}
	tag, err := strconv.ParseUint(q.Get("tag"), 10, 64)
	if err != nil {
		return problem.New(http.StatusBadRequest, "invalid-parameter", "tag must be a number")
	}
	b := collector.Batch{Shop: shop.ID, Wire: "import", Agent: collector.Agent{Device: q.Get("device")}, Received: a.clock()}
	if err := cbor.NewDecoder(c.Request().Body).Decode(&b.Events); err != nil {
		return problem.New(http.StatusBadRequest, "malformed-request", "the events cannot be read: "+err.Error())
	}
	imp := collector.Import{Tag: tag, Permit: func(visitor string) (consentgate.Permit, error) {
		return a.Gate.ImportPermit(shop.ID, visitor, q.Get("basis"))
	}}
	if keep := a.Config().Retention.Events; keep > 0 {
		imp.Oldest = a.clock().Add(-keep)
	}
	res, err := a.Collector.AcceptImport(c.Request().Context(), imp, &b)
	switch {
	case errors.Is(err, collector.ErrNotDurable):
		p := problem.New(http.StatusServiceUnavailable, "not-durable", err.Error())
		p.RetryAfter = time.Second
		return p
	case err != nil:
		return fmt.Errorf("importing: %w", err)
	}
	return c.JSON(http.StatusOK, res)
}

// outcomeBound is how long a command waits for the warehouse to have what it imported.
const outcomeBound = 2 * time.Minute

func (a *App) controlOutcome(c echo.Context) error {
	tag, err := strconv.ParseUint(c.QueryParam("tag"), 10, 64)
	if err != nil {
		return problem.New(http.StatusBadRequest, "invalid-parameter", "tag must be a number")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), outcomeBound)
	defer cancel()
	flushed := a.Delivery.Flush(ctx)
	out := a.Delivery.TagOutcome(tag)
	return c.JSON(http.StatusOK, csvimport.Outcome{
		Stored: int(out.Stored), LateDuplicate: int(out.LateDuplicate), DeadLettered: int(out.DeadLettered), Suppressed: int(out.Suppressed), Complete: flushed == nil,
	})
}

func (a *App) controlLetters(c echo.Context) error {
	letters := []Letter{}
	for l, err := range a.Letters.List() {
		if err != nil {
			return fmt.Errorf("listing the dead letters: %w", err)
		}
		kind := "events"
		if l.Kind == delivery.KindConsent {
			kind = "consent"
		}
		letters = append(letters, Letter{Record: l.Index, Place: l.Place, Kind: kind, Events: l.Count, Reason: l.Reason, At: time.UnixMilli(l.At).UTC()})
	}
	return c.JSON(http.StatusOK, letters)
}

func (a *App) controlReplay(c echo.Context) error {
	n, err := a.Letters.Replay(c.Request().Context(), a.Spool.Append)
	if err != nil {
		return fmt.Errorf("replaying the dead letters: %w", err)
	}
	return c.JSON(http.StatusOK, map[string]int{"replayed": n})
}

func (a *App) controlPurge(c echo.Context) error {
	before, err := strconv.ParseInt(c.QueryParam("before"), 10, 64)
	if err != nil {
		before = math.MaxInt64
	}
	n, err := a.Letters.Purge(func(l delivery.Letter) bool { return l.At < before })
	if err != nil {
		return fmt.Errorf("purging the dead letters: %w", err)
	}
	return c.JSON(http.StatusOK, map[string]int{"purged": n})
}

// ImportsDir is where the positions of interrupted imports are kept.
func ImportsDir(dataDir string) string { return filepath.Join(dataDir, importsDir) }
