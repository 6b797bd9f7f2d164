package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// migration is one numbered file: 0001_tables.sql. Each of its statements can be repeated, so that a crash between two of them, or
// two processes at it in spite of the lock, does no harm.
type migration struct {
	number   uint32
	name     string
	checksum string // SHA-256 of the file, hex
	sql      string
}

// ChecksumError tells that a migration which this warehouse has applied reads differently now.
type ChecksumError struct {
	Name, Applied, Found string
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("migration %s was applied to this warehouse with checksum %.12s… but this program has %.12s…: use the program version that made the warehouse, or a newer one",
		e.Name, e.Applied, e.Found)
}

func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing migrations: %w", err)
	}
	var list []migration
	for i, name := range names { // Glob sorts
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("reading migration %s: %w", name, err)
		}
		base := path.Base(name)
		digits, _, _ := strings.Cut(base, "_")
		number, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || number != uint64(i+1) {
			return nil, fmt.Errorf("migration %s is not number %d", base, i+1)
		}
		sum := sha256.Sum256(b)
		list = append(list, migration{uint32(number), base, hex.EncodeToString(sum[:]), string(b)})
	}
	return list, nil
}

func (w *Warehouse) migrate(ctx context.Context, exclusive bool) error {
	list, err := migrations(migrationFiles)
	if err != nil {
		return err
	}
	return w.apply(ctx, list, exclusive)
}

// apply runs what is missing, under the lock where something is.
func (w *Warehouse) apply(ctx context.Context, list []migration, exclusive bool) (err error) {
	if err := w.conn.Exec(ctx, statements.get("create_migrations.sql")); err != nil {
		return fmt.Errorf("creating the table of migrations: %w", err)
	}
	missing, err := w.missing(ctx, list)
	if err != nil || len(missing) == 0 {
		return err
	}
	lock := migrationLock{conn: w.conn, owner: strconv.FormatUint(w.writer, 16), patience: lockPatience, log: w.log}
	ctx, release, err := lock.acquire(ctx, exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	// Another process may have been at it while this one waited.
	if missing, err = w.missing(ctx, list); err != nil {
		return err
	}
	for _, m := range missing {
		start := time.Now()
		for i, s := range split(m.sql) {
			if err := w.conn.Exec(ctx, s); err != nil {
				return fmt.Errorf("migration %s, statement %d: %w", m.name, i+1, err)
			}
		}
		err := w.conn.Exec(ctx, statements.get("record_migration.sql"),
			clickhouse.Named("number", m.number), clickhouse.Named("name", m.name), clickhouse.Named("checksum", m.checksum))
		if err != nil {
			return fmt.Errorf("recording migration %s: %w", m.name, err)
		}
		w.log.Info("warehouse migrated", "migration", m.name, "took", time.Since(start))
	}
	return nil
}

// missing are the migrations not yet recorded. A recorded one with another checksum, or one that this program does not know, is refused.
func (w *Warehouse) missing(ctx context.Context, list []migration) ([]migration, error) {
	rows, err := w.conn.Query(ctx, statements.get("list_migrations.sql"))
	if err != nil {
		return nil, fmt.Errorf("reading the table of migrations: %w", err)
	}
	defer rows.Close()
	applied := map[uint32]string{}
	for rows.Next() {
		var number uint32
		var name, checksum string
		if err := rows.Scan(&number, &name, &checksum); err != nil {
			return nil, fmt.Errorf("reading the table of migrations: %w", err)
		}
		if int(number) > len(list) {
			return nil, fmt.Errorf("this warehouse holds migration %s, which this program does not know: use the program version that made it, or a newer one", name)
		}
		if found := list[number-1].checksum; found != checksum {
			return nil, &ChecksumError{Name: name, Applied: checksum, Found: found}
		}
		applied[number] = checksum
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the table of migrations: %w", err)
	}
	var missing []migration
	for _, m := range list {
		if _, ok := applied[m.number]; !ok {
			missing = append(missing, m)
		}
	}
	return missing, nil
}
