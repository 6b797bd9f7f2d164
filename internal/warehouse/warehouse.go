// Package warehouse keeps events, consents and the facts folded from them in ClickHouse, and takes in each sealed batch exactly once.
package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Config says where the warehouse is and how long it keeps what.
type Config struct {
	// DSN is a remote server: http(s)://user:pass@host:8123/db or clickhouse://user:pass@host:9000/db.
	DSN string
	// Options are used in place of DSN, for the embedded engine (chdb.Engine.Options).
	Options *clickhouse.Options
	// Exclusive tells that no other process can reach the warehouse, as with the embedded engine: a migration lock found there was
	// left by a process that is gone.
	Exclusive bool
	// Retention is applied when opening; see ApplyRetention.
	Retention Retention
	// Sealed opens contacts for the person they are of; nil leaves them out. *consentgate.Keys is one.
	Sealed Opener
	// Clock is time.Now; nil means that.
	Clock func() time.Time
	// Logger takes warnings; nil discards them.
	Logger *slog.Logger
}

// Opener opens what was sealed for a shop and a field ("contact", "cart_ref").
type Opener interface {
	Open(shop, field string, sealed []byte) ([]byte, error)
}

// Warehouse is an open warehouse. It may be used by many goroutines; Insert does one batch at a time.
type Warehouse struct {
	conn   driver.Conn
	log    *slog.Logger
	clock  func() time.Time
	writer uint64 // tells this process's marks in touched from another's
	// exclusive: no other process folds here.
	exclusive bool

	sealed Opener

	mu        sync.Mutex // one batch at a time
	retention Retention
}

// Open connects, refuses a server that is too old, creates the database and brings its tables up to date.
// Errors: *VersionError, *ChecksumError, and what the connection gives.
func Open(ctx context.Context, cfg Config) (*Warehouse, error) {
	opts, err := options(cfg)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	w := &Warehouse{conn: conn, log: cfg.Logger, clock: cfg.Clock, writer: rand.Uint64(), exclusive: cfg.Exclusive, sealed: cfg.Sealed, retention: cfg.Retention}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.clock == nil {
		w.clock = time.Now
	}
	if err := w.migrate(ctx, cfg.Exclusive); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := w.ApplyRetention(ctx, cfg.Retention); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return w, nil
}

// Conn is the connection, for reports: database selected, pooled.
func (w *Warehouse) Conn() driver.Conn { return w.conn }

// Ping asks the server whether it is there.
func (w *Warehouse) Ping(ctx context.Context) error {
	if err := w.conn.Ping(ctx); err != nil {
		return fmt.Errorf("reaching the warehouse: %w", err)
	}
	return nil
}

// Close closes the connections; a running Insert fails with an unknown outcome.
func (w *Warehouse) Close() error {
	if err := w.conn.Close(); err != nil {
		return fmt.Errorf("closing the warehouse: %w", err)
	}
	return nil
}

func options(cfg Config) (*clickhouse.Options, error) {
	if cfg.Options != nil {
		opts := *cfg.Options
		return &opts, nil
	}
	opts, err := clickhouse.ParseDSN(cfg.DSN)
	if err != nil {
		// The DSN holds a password: do not repeat it.
		return nil, errors.New("the warehouse address is not of the form http(s)://user:pass@host:8123/db or clickhouse://user:pass@host:9000/db")
	}
	return opts, nil
}

// connect opens the database and creates it where it is missing.
func connect(ctx context.Context, opts *clickhouse.Options) (driver.Conn, error) {
	database := opts.Auth.Database
	if database == "" {
		database = "kassa"
		opts.Auth.Database = database
	}
	opts.Settings = maps.Clone(opts.Settings)
	conn, err := open(ctx, opts)
	if exception(err, unknownDatabase) {
		if err := createDatabase(ctx, opts, database); err != nil {
			return nil, err
		}
		conn, err = open(ctx, opts)
	}
	return conn, err
}

func open(ctx context.Context, opts *clickhouse.Options) (driver.Conn, error) {
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("opening the warehouse: %w", err)
	}
	if err := checkVersion(ctx, conn, opts); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// The handshake does not look at the database everywhere; a statement does.
	if err := conn.Exec(ctx, "SELECT 1"); err != nil {
		return nil, errors.Join(fmt.Errorf("asking the warehouse: %w", err), conn.Close())
	}
	return conn, nil
}

func createDatabase(ctx context.Context, opts *clickhouse.Options, database string) error {
	admin := *opts
	admin.Auth.Database = "default"
	conn, err := open(ctx, &admin)
	if err != nil {
		return err
	}
	defer conn.Close()
	sql := statements.get("create_database.sql")
	if err := conn.Exec(ctx, sql, clickhouse.Named("database", database)); err != nil {
		return fmt.Errorf("creating the database %s: %w", database, err)
	}
	return nil
}
