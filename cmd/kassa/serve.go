package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/kassa-analytics/kassa/internal/app"
)

type serveCommand struct {
	Listen      string `placeholder:"ADDR" help:"Public listener: browsers and back end (default :8080)."`
	AdminListen string `placeholder:"ADDR" help:"Private listener: owner's page, reports, /metrics (default 127.0.0.1:8081)."`
}

// Help says more than the one line.
func (*serveCommand) Help() string {
	return "SIGHUP reloads shops, notices and tokens. SIGTERM or Ctrl-C stops: nothing is taken in any more, what was accepted is delivered."
}

// Run serves until the run's context ends.
func (s *serveCommand) Run(p *program, c *commands) (err error) {
	c.serving = true
	if p.reload == nil {
		p.reload = make(chan os.Signal, 1)
		signal.Notify(p.reload, syscall.SIGHUP)
		defer signal.Stop(p.reload)
	}
	flags := map[string]string{"listen": s.Listen, "admin_listen": s.AdminListen}
	cfg, err := p.load(c, flags)
	if err != nil {
		return err
	}
	if err := app.NeedShops(cfg); err != nil {
		return err //nolint:wrapcheck // says what to do
	}
	o := p.options(c, cfg)
	a, err := app.Open(p.ctx, o)
	if err != nil {
		return err //nolint:wrapcheck // says what was being done
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		for {
			select {
			case <-stopped:
				return
			case <-p.reload:
				p.reloadInto(a, c, flags)
			}
		}
	}()
	return a.Serve(p.ctx, func(at app.Addresses) { //nolint:wrapcheck // says what was being done
		o.Logger.Info("kassa is ready", "version", o.Version, "public", "http://"+at.Public, "private", "http://"+at.Private, "shops", len(cfg.Shops), "data_dir", cfg.DataDir)
		if p.ready != nil {
			p.ready(at)
		}
	})
}

// reloadInto reads the configuration again; one that is wrong changes nothing.
func (p *program) reloadInto(a *app.App, c *commands, flags map[string]string) {
	cfg, err := p.load(c, flags)
	if err == nil {
		err = app.NeedShops(cfg)
	}
	if err == nil {
		err = a.Reload(cfg)
	}
	if err != nil {
		p.logger(c).Error("the configuration is not reloaded, the former one stays in force", "error", err)
	}
}
