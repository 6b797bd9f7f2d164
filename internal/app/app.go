// Package app puts Kassa's parts together by hand: keys, warehouse, spool, gate, collector, delivery, reports, and the servers around them.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/delivery"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/funnel"
	"github.com/kassa-analytics/kassa/internal/auth"
	"github.com/kassa-analytics/kassa/internal/chdb"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/control"
	"github.com/kassa-analytics/kassa/internal/warehouse"
)

// Options are what an App is made from.
type Options struct {
	Config  *config.Config
	Environ []string // for the engine library
	Logger  *slog.Logger
	Clock   func() time.Time // nil: time.Now
	Version string
}

// App is the product on one data directory, without listeners. Open it, Close it.
type App struct {
	clock   func() time.Time
	logger  *slog.Logger
	version string
	current atomic.Pointer[config.Config]

	lock      *control.Lock
	Keys      *consentgate.Keys
	engine    *chdb.Engine // nil: a remote server
	Warehouse *warehouse.Warehouse
	Spool     *spool.Spool
	Letters   *delivery.DeadLetters
	Delivery  *delivery.Delivery
	filter    *delivery.Filter
	Gate      *consentgate.Gate
	Shops     *collector.Shops
	Collector *collector.Service
	Tokens    *auth.Tokens
	Reports   *funnel.Warehouse
	Registry  *prometheus.Registry
	metrics   *metrics

	stopDelivery context.CancelFunc
	delivered    chan struct{} // closed when the delivery's Run has returned
	beside       sync.WaitGroup
	draining     atomic.Bool // nothing is taken in any more
	closers      []func() error
}

// Places under the data directory.
const (
	keysDir     = "keys"
	engineDir   = "engine"
	spoolDir    = "spool"
	deliveryDir = "delivery"
	lettersDir  = "deadletters"
	importsDir  = "imports"
)

// database is the name of Kassa's database in the embedded engine.
const database = "kassa"

// Config is the configuration in force.
func (a *App) Config() *config.Config { return a.current.Load() }

// Open takes the data directory and puts everything together in the order in which the parts need each other; what was opened before an
// error is closed again. Errors name what to do: *control.LockedError, a missing engine library, keys that are gone, a warehouse that is too old.
func Open(ctx context.Context, o Options) (_ *App, err error) {
	a := &App{clock: o.Clock, logger: o.Logger, version: o.Version, delivered: make(chan struct{})}
	if a.clock == nil {
		a.clock = time.Now
	}
	a.current.Store(o.Config)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.closeParts())
		}
	}()
	dir := o.Config.DataDir
	if a.lock, err = control.Acquire(dir); err != nil {
		return nil, err
	}
	a.closers = append(a.closers, a.lock.Release)
	a.Registry = prometheus.NewRegistry()
	a.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.metrics = newMetrics(a)
	a.Registry.MustRegister(a.metrics)
	a.Tokens = auth.New(o.Config.Tokens, a.clock)
	if a.Shops, err = collector.NewShops(collectorShops(o.Config)); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, Options) error{a.openKeys, a.openWarehouse, a.openSpool, a.openGate, a.openCollector} {
		if err := step(ctx, o); err != nil {
			return nil, err
		}
	}
	if a.Reports, err = funnel.NewWarehouse(a.Warehouse.Conn()); err != nil {
		return nil, fmt.Errorf("preparing the reports: %w", err)
	}
	a.startDelivery()
	return a, nil
}

// openKeys refuses to make new keys beside old data: nobody in it would be recognised any more.
func (a *App) openKeys(_ context.Context, o Options) (err error) {
	dir := filepath.Join(o.Config.DataDir, keysDir)
	if _, missing := os.Stat(dir); errors.Is(missing, os.ErrNotExist) {
		for _, old := range []string{engineDir, spoolDir} {
			if _, err := os.Stat(filepath.Join(o.Config.DataDir, old)); err == nil {
				return fmt.Errorf("the keys %s are missing beside data that they belong to; bring them back from a backup, or start with another data_dir", dir)
			}
		}
	}
	if a.Keys, err = consentgate.OpenKeys(dir); err != nil {
		return fmt.Errorf("opening the keys: %w", err)
	}
	return nil
}

func (a *App) openWarehouse(ctx context.Context, o Options) (err error) {
	cfg := warehouse.Config{Retention: warehouse.Retention(o.Config.Retention), Sealed: a.Keys, Clock: a.clock, Logger: a.logger}
	if o.Config.Warehouse == config.Embedded {
		if a.engine, err = OpenEngine(ctx, o); err != nil {
			return err
		}
		a.closers = append(a.closers, a.engine.Close)
		cfg.Options, cfg.Exclusive = a.engine.Options(database), true
	} else {
		cfg.DSN = o.Config.Warehouse
	}
	if a.Warehouse, err = warehouse.Open(ctx, cfg); err != nil {
		return fmt.Errorf("opening the warehouse: %w", err)
	}
	a.closers = append(a.closers, a.Warehouse.Close)
	return nil
}

// OpenEngine loads the engine library and opens the engine's part of the data directory, whose lock the caller holds.
func OpenEngine(ctx context.Context, o Options) (*chdb.Engine, error) {
	exe, err := os.Executable()
	if err != nil {
		exe = ""
	}
	work, err := os.Getwd()
	if err != nil {
		work = "."
	}
	library, err := chdb.FindLibrary(environment(o.Environ).get, filepath.Dir(exe), work)
	if err != nil {
		return nil, fmt.Errorf("finding the engine: %w", err)
	}
	e, err := chdb.Open(ctx, chdb.Config{Library: library, Path: filepath.Join(o.Config.DataDir, engineDir), Logger: o.Logger})
	if err != nil {
		return nil, fmt.Errorf("opening the engine: %w", err)
	}
	return e, nil
}

func (a *App) openSpool(_ context.Context, o Options) (err error) {
	if a.Spool, err = spool.Open(spool.Config{Dir: filepath.Join(o.Config.DataDir, spoolDir), Logger: a.logger, Clock: a.clock}); err != nil {
		return fmt.Errorf("opening the spool: %w", err)
	}
	a.closers = append(a.closers, a.Spool.Close)
	if a.Letters, err = delivery.OpenDeadLetters(filepath.Join(o.Config.DataDir, lettersDir), 0); err != nil {
		return fmt.Errorf("opening the dead letters: %w", err)
	}
	return nil
}

// openGate makes the gate and puts into force what the ledger says, before anything is served.
func (a *App) openGate(ctx context.Context, _ Options) (err error) {
	a.Gate, err = consentgate.NewGate(consentgate.Config{
		Keys: a.Keys, Ledger: delivery.Intake{Spool: a.Spool}, History: a.Warehouse, Clock: a.clock,
		KnownShop:  func(id string) bool { _, ok := a.Config().Shop(id); return ok },
		Notice:     func(version, language string) (string, bool) { return notice(a.Config(), version, language) },
		OnDecision: a.metrics.decided,
	})
	if err != nil {
		return fmt.Errorf("making the consent gate: %w", err)
	}
	if err := a.Gate.Restore(ctx, a.Warehouse.ConsentRecords(ctx, time.Time{}), delivery.SpooledConsents(a.Spool)); err != nil {
		return fmt.Errorf("restoring the consents in force: %w", err)
	}
	return nil
}

// notice tells the hash of a configured notice; where none is configured any version is accepted, with no hash.
func notice(c *config.Config, version, language string) (string, bool) {
	for _, n := range c.Notices {
		if n.Version == version && n.Language == language {
			return n.SHA256, true
		}
	}
	return "", len(c.Notices) == 0
}

func (a *App) openCollector(_ context.Context, o Options) (err error) {
	a.filter = delivery.NewFilter(0)
	a.Delivery, err = delivery.New(delivery.Config{
		Filter: a.filter,
		Dir:    filepath.Join(o.Config.DataDir, deliveryDir), Spool: a.Spool, Warehouse: a.Warehouse,
		Consent: delivery.ByGate(a.Gate, a.clock), DeadLetters: a.Letters, Logger: a.logger, Clock: a.clock, OnInsert: a.metrics.inserted, IsDataError: warehouse.IsDataError,
	})
	if err != nil {
		return fmt.Errorf("preparing the delivery: %w", err)
	}
	a.Collector, err = collector.New(collector.Config{
		Keys: a.Keys, Spool: delivery.Intake{Spool: a.Spool}, Shops: a.Shops, Clock: a.clock, Registerer: a.Registry,
	})
	if err != nil {
		return fmt.Errorf("preparing the collector: %w", err)
	}
	return nil
}

func (a *App) startDelivery() {
	ctx, cancel := context.WithCancel(context.Background()) // it outlives the request to stop: what was accepted is still delivered
	a.stopDelivery = cancel
	a.background(ctx, &a.beside)
	go func() {
		defer close(a.delivered)
		if err := a.Delivery.Run(ctx); err != nil {
			a.logger.Error("the delivery to the warehouse has stopped; accepted events wait in the spool", "error", err)
		}
	}()
}

// drainBound is how long a stopping process waits for the warehouse to take what is in the spool; what is left waits on disk.
const drainBound = 20 * time.Second

// outageBound is how long it waits for a warehouse that fails at every try.
const outageBound = 3 * time.Second

func (a *App) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainBound)
	defer cancel()
	const look = 250 * time.Millisecond
	failing := time.Duration(0)
	go every(ctx, look, func() {
		if failing += look; a.Delivery.Err() == nil {
			failing = 0
		} else if failing >= outageBound {
			cancel()
		}
	})
	if err := a.Delivery.Drain(ctx); err != nil {
		a.logger.Warn("not everything reached the warehouse; it waits in the spool for the next start", "error", err)
	}
}

// Close delivers what is in the spool, within a bound, and closes the parts in the reverse order of their opening. Nothing may be
// accepted any more when it is called.
func (a *App) Close() error {
	if !a.draining.Swap(true) || a.Delivery.Counters().Pending > 0 && a.Delivery.Err() == nil {
		a.drain()
	}
	a.stopDelivery()
	<-a.delivered
	a.beside.Wait()
	return a.closeParts()
}

func (a *App) closeParts() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// Engine is the embedded engine; nil where the warehouse is a server.
func (a *App) Engine() *chdb.Engine { return a.engine }
