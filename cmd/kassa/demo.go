package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/kassa-analytics/kassa/collector/delivery"
	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/control"
	"github.com/kassa-analytics/kassa/internal/demo"
)

type demoCommand struct {
	Listen      string  `placeholder:"ADDR" help:"Public listener (default :8080)."`
	AdminListen string  `placeholder:"ADDR" help:"Private listener: the owner's page (default 127.0.0.1:8081)."`
	Seed        uint64  `help:"Which past is made up (default 1); the same seed makes the same."`
	Days        int     `help:"Full days of past (default 60)."`
	Rate        float64 `default:"20" help:"Live visits a minute (default ${default})."`
	NoLive      bool    `help:"No live traffic."`
	Reset       bool    `help:"Throw the former demo in the data directory away first."`
}

// Help says more than the one line.
func (*demoCommand) Help() string {
	return "The data directory is ./demo-data unless --data-dir names another; a second start goes on with what is there. What is true of the\nmade-up past is written to demo-truth.json in it."
}

// Run prepares the shop, serves, loads its past and sends live visitors until the run's context ends.
func (d *demoCommand) Run(p *program, c *commands) (err error) {
	if d.Days < 0 || d.Days > 365 || d.Rate <= 0 || d.Rate > 6000 {
		return errors.New("--days must lie between 1 and 365 and --rate between 0 and 6000")
	}
	dir := c.DataDir
	if dir == "" {
		dir = "demo-data"
	}
	state, err := demo.Prepare(dir, d.Seed, d.Days, d.Reset, p.now())
	if err != nil {
		return err //nolint:wrapcheck // says what to do
	}
	cfg, err := d.load(p, dir)
	if err != nil {
		return err
	}
	o := p.options(c, cfg)
	a, err := app.Open(p.ctx, o)
	if err != nil {
		return err //nolint:wrapcheck // says what was being done
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	var traffic sync.WaitGroup
	defer traffic.Wait()
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	return a.Serve(ctx, func(at app.Addresses) { //nolint:wrapcheck // says what was being done
		d.announce(p, at, state)
		if p.ready != nil {
			p.ready(at)
		}
		traffic.Go(func() {
			if err := d.fill(ctx, p, at, state, a, o); err != nil && ctx.Err() == nil {
				_, _ = fmt.Fprintln(p.stderr, "kassa:", err)
			}
		})
	})
}

// load reads the demo's own configuration; of the environment only what does not move its data counts.
func (d *demoCommand) load(p *program, dir string) (*config.Config, error) {
	var environ []string
	for _, v := range p.environ {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "KASSA_") || name == "KASSA_ENGINE_LIB" || name == "KASSA_LISTEN" || name == "KASSA_ADMIN_LISTEN" {
			environ = append(environ, v)
		}
	}
	flags := map[string]string{}
	for key, value := range map[string]string{"listen": d.Listen, "admin_listen": d.AdminListen} {
		if value != "" {
			flags[key] = value
		}
	}
	return config.Load(config.Source{File: filepath.Join(dir, demo.ConfigFile), Environ: environ, Flags: flags}) //nolint:wrapcheck // says file and line
}

// reachable turns a listener's address into one that a browser on this machine can open.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

func (d *demoCommand) announce(p *program, at app.Addresses, s *demo.State) {
	_, _ = fmt.Fprintf(p.stdout, `
  The owner's page:    http://%s/#shop=%s&token=%s
  The public listener: http://%s/  (kassa.js, /v1/consent, /v1/events)

  Marketing token:     %s
  Metrics:             http://%[1]s/metrics

`, reachable(at.Private), demo.ShopID, s.Owner, reachable(at.Public), s.Market)
}

// fill loads the past, unless an earlier start did, and sends live visitors.
func (d *demoCommand) fill(ctx context.Context, p *program, at app.Addresses, s *demo.State, a *app.App, o app.Options) error {
	h, err := demo.Make(s.Plan)
	if err != nil {
		return err //nolint:wrapcheck // says what was being done
	}
	if err := s.SaveTruth(h.Truth); err != nil {
		return err //nolint:wrapcheck // says what was being done
	}
	url := "http://" + reachable(at.Public)
	client := &http.Client{Timeout: 30 * time.Second}
	if !s.Loaded {
		started := time.Now()
		bar := p.counter(len(h.Events), "making up the past")
		if err := demo.Load(ctx, demo.ShopID, h, controlSink{control.Direct(a.Control())}, func(n int) { _ = bar.Add(n) }); err != nil {
			return err //nolint:wrapcheck // says what was being done
		}
		if err := demo.Decide(ctx, demo.ShopID, h, a.Keys, delivery.Intake{Spool: a.Spool}); err != nil {
			return err //nolint:wrapcheck // says what was being done
		}
		if err := a.Delivery.Flush(ctx); err != nil {
			return fmt.Errorf("loading the demo's decisions: %w", err)
		}
		_ = bar.Finish()
		s.Loaded = true
		if err := s.Save(); err != nil {
			return err //nolint:wrapcheck // says what was being done
		}
		_, _ = fmt.Fprintf(p.stdout, "  %d events of %d days are in, after %s.\n", len(h.Events), s.Plan.Days, time.Since(started).Round(100*time.Millisecond))
	}
	if p.loaded != nil {
		p.loaded()
	}
	if d.NoLive {
		return nil
	}
	_, _ = fmt.Fprintf(p.stdout, "  Visitors are coming now, about %g a minute. Ctrl-C stops; the next start goes on from here.\n", d.Rate)
	live := &demo.Live{
		URL: url, Shop: demo.ShopID, Origin: demo.ShopOrigin, Rate: d.Rate, Zone: demo.ShopZone, Logger: o.Logger, Clock: p.now, Client: client,
	}
	return live.Run(ctx) //nolint:wrapcheck // says what was being done
}

// counter shows progress in numbers on a terminal, and nothing elsewhere.
func (p *program) counter(n int, what string) *progressbar.ProgressBar {
	f, ok := p.terminal()
	if !ok {
		return progressbar.DefaultSilent(int64(n))
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription("  "+what), progressbar.OptionClearOnFinish(),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond))
}
