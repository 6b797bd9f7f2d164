package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	collectorhttp "github.com/kassa-analytics/kassa/collector/httpapi"
	"github.com/kassa-analytics/kassa/funnel/promexport"
	"github.com/kassa-analytics/kassa/internal/control"
)

// Addresses are where a serve listens.
type Addresses struct{ Public, Private string }

// The servers' limits: slow and idle clients are cut off.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10
	// stopBound is how long running requests may take once the process is asked to stop.
	stopBound = 10 * time.Second
)

func (a *App) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(a.logger.Handler(), slog.LevelDebug),
	}
}

// Serve opens both listeners and the control socket, tells ready where they are, and serves until ctx ends. Then it takes nothing in any
// more (503), delivers what is in the spool, within a bound, ends the running requests, and returns; the caller closes the App.
func (a *App) Serve(ctx context.Context, ready func(Addresses)) error {
	requests, err := collectorhttp.NewRequestMetrics(a.Registry, a.clock)
	if err != nil {
		return fmt.Errorf("preparing the listeners: %w", err)
	}
	exporter := promexport.New(promexport.Config{Source: a.Reports, Shops: a.funnelShops, Logger: a.logger, Now: a.clock})
	if err := a.Registry.Register(exporter); err != nil {
		return fmt.Errorf("preparing the metrics: %w", err)
	}
	public, err := a.publicRouter(requests)
	if err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	wait.Go(func() { exporter.Run(background) })

	c := a.Config()
	var servers []*http.Server
	failed := make(chan error, 3)
	listen := func(name string, open func() (net.Listener, error), s *http.Server) (net.Addr, error) {
		l, err := open()
		if err != nil {
			return nil, fmt.Errorf("opening the %s listener: %w", name, err)
		}
		servers = append(servers, s)
		wait.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving the %s listener: %w", name, err)
			}
		})
		return l.Addr(), nil
	}
	tcp := func(address string) func() (net.Listener, error) {
		return func() (net.Listener, error) {
			var lc net.ListenConfig
			return lc.Listen(ctx, "tcp", address) //nolint:wrapcheck // wrapped by listen
		}
	}
	defer func() { shutdown(servers) }()
	publicAddr, err := listen("public", tcp(c.Listen), a.server(public))
	if err != nil {
		return fmt.Errorf("%w; choose another with --listen", err)
	}
	privateAddr, err := listen("private", tcp(c.AdminListen), a.server(a.privateRouter(requests)))
	if err != nil {
		return fmt.Errorf("%w; choose another with --admin-listen", err)
	}
	commands := a.server(a.Control())
	commands.ReadTimeout, commands.WriteTimeout = 0, 0 // the owner of the data directory may take longer than anybody outside
	if _, err := listen("control", func() (net.Listener, error) { return control.Listen(c.DataDir) }, commands); err != nil {
		return err
	}
	if ready != nil {
		ready(Addresses{Public: publicAddr.String(), Private: privateAddr.String()})
	}
	select {
	case <-ctx.Done():
		a.logger.Info("stopping: nothing is taken in any more, what was accepted is delivered")
	case err = <-failed:
	}
	a.draining.Store(true)
	a.drain() // while the listeners still answer, with 503
	return err
}

// shutdown ends the servers once their running requests have ended, within a bound.
func shutdown(servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), stopBound)
	defer cancel()
	var wait sync.WaitGroup
	for _, s := range servers {
		wait.Go(func() {
			if s.Shutdown(ctx) != nil {
				_ = s.Close()
			}
		})
	}
	wait.Wait()
}
