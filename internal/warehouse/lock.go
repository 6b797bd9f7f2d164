package warehouse

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// lockPatience is how long a lock may go without a beat before it counts as left behind by a process that is gone.
const lockPatience = 30 * time.Second

// migrationLock is a table: creating it is atomic, so whoever creates it holds the lock, and beats by inserting into it.
type migrationLock struct {
	conn     driver.Conn
	owner    string
	patience time.Duration
	log      *slog.Logger
}

// acquire waits for the lock. The context it gives ends when the lock is lost; release drops the lock.
func (l migrationLock) acquire(ctx context.Context, exclusive bool) (context.Context, func() error, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := l.conn.Exec(ctx, statements.get("lock_create.sql"))
		if err == nil {
			break
		}
		if !exception(err, tableExists) {
			return nil, nil, fmt.Errorf("taking the migration lock: %w", err)
		}
		stale, err := l.stale(ctx)
		if err != nil {
			return nil, nil, err
		}
		if stale || exclusive {
			l.log.Warn("taking over a migration lock that was left behind")
			if err := l.conn.Exec(ctx, statements.get("lock_drop.sql")); err != nil {
				return nil, nil, fmt.Errorf("dropping a migration lock that was left behind: %w", err)
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("waiting for another process that migrates the warehouse: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
	if err := l.beat(ctx); err != nil {
		return nil, nil, err
	}
	held, lost := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(l.patience / 6)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
				if err := l.beat(held); err != nil {
					lost(err)
				}
			}
		}
	}()
	return held, func() error {
		lost(nil)
		<-done
		if err := l.conn.Exec(context.WithoutCancel(ctx), statements.get("lock_drop.sql")); err != nil {
			return fmt.Errorf("releasing the migration lock: %w", err)
		}
		return nil
	}, nil
}

func (l migrationLock) beat(ctx context.Context) error {
	if err := l.conn.Exec(ctx, statements.get("lock_beat.sql"), clickhouse.Named("owner", l.owner)); err != nil {
		return fmt.Errorf("holding the migration lock: %w", err)
	}
	return nil
}

// stale tells whether nobody has beaten for longer than the patience. All times are the server's.
func (l migrationLock) stale(ctx context.Context) (bool, error) {
	var idle float64
	err := l.conn.QueryRow(ctx, statements.get("lock_idle.sql")).Scan(&idle)
	if exception(err, unknownTable) {
		return false, nil // released meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("looking at the migration lock: %w", err)
	}
	return idle > l.patience.Seconds(), nil
}
