package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/control"
)

type engineCommand struct {
	Listen string `default:"127.0.0.1:8123" placeholder:"ADDR" help:"Loopback address; it asks for no password (default ${default})."`
}

// Help says more than the one line.
func (*engineCommand) Help() string {
	return "Several kassa processes can then share it with --warehouse http://127.0.0.1:8123/kassa, each with a data_dir of its own."
}

// Run serves the engine until the run's context ends.
func (e *engineCommand) Run(p *program, c *commands) (err error) {
	c.serving = true
	cfg, err := p.load(c, nil)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(e.Listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address, and the engine asks for no password; write one such as 127.0.0.1:8123", e.Listen)
	}
	lock, err := control.Acquire(cfg.DataDir)
	if err != nil {
		return err //nolint:wrapcheck // says what to do
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	o := p.options(c, cfg)
	engine, err := app.OpenEngine(p.ctx, o)
	if err != nil {
		return err //nolint:wrapcheck // says what was being done
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	var lc net.ListenConfig
	l, err := lc.Listen(p.ctx, "tcp", e.Listen)
	if err != nil {
		return fmt.Errorf("opening the engine's listener: %w; choose another with --listen", err)
	}
	// Inserts and results take the time they take.
	s := &http.Server{Handler: engine.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Hour, WriteTimeout: time.Hour, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 20}
	stop := context.AfterFunc(p.ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
	})
	defer stop()
	o.Logger.Info("the engine is ready", "clickhouse", engine.Version(), "url", "http://"+l.Addr().String(), "data_dir", cfg.DataDir)
	if p.ready != nil {
		p.ready(app.Addresses{Private: l.Addr().String()})
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the engine: %w", err)
	}
	return nil
}
