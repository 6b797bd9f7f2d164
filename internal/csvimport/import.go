package csvimport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/kassa-analytics/kassa/collector"
)

// Sink takes events in.
type Sink interface {
	// Import answers once the events are durable.
	Import(ctx context.Context, b Batch) (collector.Result, error)
	// Outcome tells what became of the events accepted under a tag, once the warehouse has them.
	Outcome(ctx context.Context, tag uint64) (Outcome, error)
}

// Outcome counts accepted events by what became of them.
type Outcome struct {
	Stored        int `json:"stored"`
	LateDuplicate int `json:"late_duplicate"` // stored by an earlier import
	DeadLettered  int `json:"dead_lettered"`  // the warehouse refuses them
	Suppressed    int `json:"suppressed"`     // of people who have asked to be erased
	// Complete tells that nothing of the tag waits for the warehouse any more.
	Complete bool `json:"complete"`
}

// Batch is a piece of an import.
type Batch struct {
	Shop   string
	Basis  string // the legal basis of the import
	Device string // of all its events: desktop, mobile, tablet, other; empty = unknown
	Tag    uint64 // for Outcome; 0 = none
	Events []collector.Input
}

// Summary tells what became of the rows.
type Summary struct {
	Read               int      `json:"read"`
	Stored             int      `json:"stored"`
	Duplicates         int      `json:"duplicates"` // stored before, counted once
	Skipped            int      `json:"skipped"`    // no rule names them
	OlderThanRetention int      `json:"older_than_retention"`
	Rejected           int      `json:"rejected"`
	Suppressed         int      `json:"suppressed,omitzero"`     // of people who have asked to be erased
	Pending            int      `json:"pending,omitzero"`        // durable, and not yet in the warehouse
	FirstReasons       []string `json:"first_reasons,omitempty"` // of the first rejected rows, with their lines
}

// Write says it in words.
func (s *Summary) Write(w io.Writer) {
	_, _ = fmt.Fprintf(w, "read %d, stored %d, duplicates %d, skipped %d, older than retention %d, rejected %d\n",
		s.Read, s.Stored, s.Duplicates, s.Skipped, s.OlderThanRetention, s.Rejected)
	if s.Suppressed > 0 {
		_, _ = fmt.Fprintf(w, "  %d left out: these people have asked to be erased\n", s.Suppressed)
	}
	if s.Pending > 0 {
		_, _ = fmt.Fprintf(w, "  %d are safe on disk and wait for the warehouse, which does not answer\n", s.Pending)
	}
	for _, r := range s.FirstReasons {
		_, _ = fmt.Fprintf(w, "  rejected %s\n", r)
	}
	if more := s.Rejected - len(s.FirstReasons); more > 0 && len(s.FirstReasons) > 0 {
		_, _ = fmt.Fprintf(w, "  and %d more\n", more)
	}
}

func (s *Summary) reject(reason string) {
	s.Rejected++
	if len(s.FirstReasons) < maxReasons {
		s.FirstReasons = append(s.FirstReasons, reason)
	}
}

const (
	maxReasons = 10
	// piece is the number of rows after which what was read is sent and the position is kept.
	piece = 1000
)

// Importer imports files into one shop.
type Importer struct {
	Shop      string
	Mapping   *Mapping
	Sink      Sink
	Positions Positions
	// Progress, where not nil, is told of every stretch of a file that is dealt with, in bytes.
	Progress func(bytes int64)
}

// File imports one file and adds to the summary. Stopped in the middle it goes on where it stood when called again with the same
// file and mapping. Errors: what is wrong with the file as a whole, or the sink's; rows that cannot become events are in the summary.
func (im *Importer) File(ctx context.Context, name string, total *Summary) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("opening the file to import: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	counted := &countingReader{r: f}
	r, err := NewReader(name, counted, im.Mapping)
	if err != nil {
		return err
	}
	at, err := im.Positions.load(im.Shop, im.Mapping.hash, f)
	if err != nil {
		return err
	}
	defer func() { total.add(&at.Summary) }()
	run := &fileRun{im: im, reader: r, at: at, counted: counted}
	if err := run.all(ctx); err != nil {
		if at.Summary.Read > 0 {
			return fmt.Errorf("%w (%d rows of %s are in; the same command goes on from there)", err, at.Summary.Read, name)
		}
		return err
	}
	out, err := im.Sink.Outcome(ctx, at.Tag)
	if err != nil {
		return fmt.Errorf("asking what became of the import: %w", err)
	}
	at.Summary.settle(out)
	return im.Positions.forget(at)
}

// settle replaces what was answered on arrival by what became of the events: of a batch that was sent again, after a cut, some are stored
// under the first sending. What is neither stored nor lost counts once already.
func (s *Summary) settle(out Outcome) {
	rest := s.Read - s.Skipped - s.OlderThanRetention - s.Rejected - out.Stored - out.DeadLettered - out.Suppressed
	s.Stored, s.Suppressed = out.Stored, out.Suppressed
	if out.Complete {
		s.Duplicates = rest
	} else {
		s.Duplicates += out.LateDuplicate
		s.Pending = rest - s.Duplicates
	}
	for range out.DeadLettered {
		s.reject("the warehouse refuses a row; kassa deadletters list tells why")
	}
}

func (s *Summary) add(o *Summary) {
	s.Read += o.Read
	s.Stored += o.Stored
	s.Duplicates += o.Duplicates
	s.Skipped += o.Skipped
	s.OlderThanRetention += o.OlderThanRetention
	s.Rejected += o.Rejected
	s.Suppressed += o.Suppressed
	s.Pending += o.Pending
	s.FirstReasons = append(s.FirstReasons, o.FirstReasons[:min(len(o.FirstReasons), maxReasons-len(s.FirstReasons))]...)
}

// fileRun is the import of one file.
type fileRun struct {
	im      *Importer
	reader  *Reader
	at      *position
	counted *countingReader
	told    int64 // bytes that Progress was told of
}

func (run *fileRun) all(ctx context.Context) error {
	skip := run.at.Summary.Read // rows dealt with by an earlier run: read again for their identities, not sent again
	for row := 0; row < skip; row++ {
		var rec Record
		err := run.reader.Next(&rec)
		var bad *RowError
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.As(err, &bad) {
			return fmt.Errorf("reading %s: %w", run.reader.name, err)
		}
	}
	for {
		next := run.at.Summary // becomes the position's once all of the piece is durable
		next.FirstReasons = slices.Clone(next.FirstReasons)
		records, end, err := run.piece(&next)
		if err != nil {
			return err
		}
		if err := run.send(ctx, records, &next); err != nil {
			return err
		}
		run.at.Summary = next
		if run.im.Progress != nil {
			run.im.Progress(run.counted.n - run.told)
			run.told = run.counted.n
		}
		if end {
			return nil
		}
		if err := run.im.Positions.keep(run.at); err != nil {
			return err
		}
	}
}

// piece reads up to piece rows.
func (run *fileRun) piece(s *Summary) (records []Record, end bool, err error) {
	for range piece {
		var rec Record
		err := run.reader.Next(&rec)
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			return records, true, nil
		case errors.As(err, &bad):
			s.Read++
			s.reject(bad.Error())
			continue
		case err != nil:
			return nil, false, fmt.Errorf("reading %s: %w", run.reader.name, err)
		}
		s.Read++
		if rec.Skipped {
			s.Skipped++
			continue
		}
		records = append(records, rec)
	}
	return records, false, nil
}

// send makes records durable, those of each device class as one batch.
func (run *fileRun) send(ctx context.Context, records []Record, s *Summary) error {
	slices.SortStableFunc(records, func(a, b Record) int { return cmp.Compare(a.Device, b.Device) })
	for len(records) > 0 {
		n := 1
		for n < len(records) && n < collector.MaxEvents && records[n].Device == records[0].Device {
			n++
		}
		b := Batch{Shop: run.im.Shop, Basis: run.im.Mapping.LegalBasis, Device: records[0].Device, Tag: run.at.Tag, Events: make([]collector.Input, n)}
		for i := range b.Events {
			b.Events[i] = records[i].Input
		}
		result, err := run.im.Sink.Import(ctx, b)
		if err != nil {
			return fmt.Errorf("importing: %w", err)
		}
		s.Stored += result.Accepted
		s.Duplicates += result.Duplicates
		for _, rejected := range result.Rejected {
			run.rejected(rejected, records[:n], s)
		}
		records = records[n:]
	}
	return nil
}

func (run *fileRun) rejected(r collector.Rejection, sent []Record, s *Summary) {
	if r.Reason == collector.ReasonOlderThanRetention {
		s.OlderThanRetention++
		return
	}
	place, pointer := run.reader.name, r.Pointer
	if rest, ok := strings.CutPrefix(pointer, "/events/"); ok {
		index, field, _ := strings.Cut(rest, "/")
		if i, err := strconv.Atoi(index); err == nil && i < len(sent) {
			place, pointer = place+":"+strconv.Itoa(sent[i].Line), field
		}
	}
	reason := place + ": " + string(r.Reason)
	if pointer != "" {
		reason += ": " + pointer
	}
	if r.Detail != "" {
		reason += " " + r.Detail
	}
	s.reject(reason)
}

// countingReader counts the bytes that were read through it.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // a reader's error, io.EOF among them
}
