package spool

import (
	"errors"
	"fmt"
)

var (
	// ErrFull says that the record was refused because the spool has reached its
	// size limit or the disk its free-space watermark. Nothing was written. It
	// clears by itself as soon as records are forgotten or space is freed.
	ErrFull = errors.New("spool: full (free disk space, raise the spool limit, or let the warehouse catch up)")

	// ErrClosed says that the spool was closed before the record was written.
	ErrClosed = errors.New("spool: closed")

	// ErrNotDurable says that a write or fsync failed, so the record was not
	// acknowledged. The spool goes on in a fresh log once the disk allows it; the
	// record will not be delivered unless it is appended again.
	ErrNotDurable = errors.New("spool: the disk refused the write, nothing was acknowledged (check the disk; the spool retries by itself)")

	// ErrTooLarge says that one record exceeds MaxRecordBytes.
	ErrTooLarge = errors.New("spool: record too large")

	// ErrInUse says that another process holds the spool's directory.
	ErrInUse = errors.New("spool: the directory is in use by another process (stop it, or use its control socket)")
)

// CorruptionError says that records First..Last, which had been acknowledged,
// cannot be read back. Reading may go on at Last+1. The files are left as they
// are for inspection.
type CorruptionError struct {
	Segment  string // segment file or generation directory
	Position uint64 // entry number inside the generation, 0 if unknown
	First    uint64 // first lost record
	Last     uint64 // last lost record
	Events   int64  // events these records carried, -1 if that cannot be known
	Err      error
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("spool: %s, entry %d: records %d to %d are damaged (%d events): %v; restore the file from a copy or move it aside",
		e.Segment, e.Position, e.First, e.Last, e.Events, e.Err)
}

// Unwrap returns what was found wrong.
func (e *CorruptionError) Unwrap() error { return e.Err }
