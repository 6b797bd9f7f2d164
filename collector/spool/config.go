package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft-wal/types"
)

// Config says where and how much.
type Config struct {
	Dir          string // created with mode 0700 if missing
	MaxBytes     int64  // unforgotten bytes above which Append answers ErrFull; default 8 GiB
	MinFreeBytes int64  // free bytes on the disk below which Append answers ErrFull; default 256 MiB, negative: no watermark
	SegmentBytes int    // size of a log file; default 32 MiB
	GroupBytes   int    // most bytes that share one fsync; default 1 MiB

	Logger *slog.Logger
	Clock  func() time.Time

	// FS is the file system under the log; default the real one. Tests make it fail.
	FS types.VFS
	// FreeBytes answers how many bytes may still be written below Dir; default statfs.
	FreeBytes func(dir string) (uint64, error)
}

const (
	spaceCheckEvery = 250 * time.Millisecond
	healEvery       = 250 * time.Millisecond
)

// Validate joins everything that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("spool: Dir is empty"))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("spool: MaxBytes %d is negative", c.MaxBytes))
	}
	if c.SegmentBytes < 0 || c.SegmentBytes > 1<<30 {
		errs = append(errs, fmt.Errorf("spool: SegmentBytes %d is outside 0..2³⁰", c.SegmentBytes))
	}
	if c.GroupBytes < 0 || c.GroupBytes > 16<<20 {
		errs = append(errs, fmt.Errorf("spool: GroupBytes %d is outside 0..2²⁴", c.GroupBytes))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 30
	}
	if c.MinFreeBytes == 0 {
		c.MinFreeBytes = 256 << 20
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 32 << 20
	}
	if c.GroupBytes == 0 {
		c.GroupBytes = 1 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.FS == nil {
		c.FS = osFS{}
	}
	if c.FreeBytes == nil {
		c.FreeBytes = freeBytes
	}
	return c
}
