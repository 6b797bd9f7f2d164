// Command bench measures Kassa against the nearest thing that does less, in one run, and prints ratios beside their limits: single
// seconds mean little on a shared machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// result is one line of the table.
type result struct {
	what   string
	value  float64
	unit   string
	limit  float64 // 0: told for information
	atMost bool    // the limit is an upper one
	note   string
}

func (r result) String() string {
	verdict := ""
	switch {
	case r.limit == 0:
	case r.atMost && r.value <= r.limit, !r.atMost && r.value >= r.limit:
		verdict = "ok"
	default:
		verdict = "MISSED"
	}
	limit := ""
	if r.limit != 0 {
		sign := "≥"
		if r.atMost {
			sign = "≤"
		}
		limit = fmt.Sprintf("%s %.4g", sign, r.limit)
	}
	return fmt.Sprintf("%-82s %10.4g %-8s %-9s %-6s %s", r.what, r.value, r.unit, limit, verdict, r.note)
}

// bench is what the sections share.
type bench struct {
	dir    string // scratch, removed afterwards
	kassa  string // the binary
	rounds int
	length time.Duration
	events int // of the warehouse section
	report func(result)
}

type section struct {
	name string
	run  func(context.Context, *bench) error
}

func sections() []section {
	return []section{{"ingest", ingest}, {"all", everything}, {"warehouse", intoWarehouse}}
}

func main() {
	only := flag.String("only", "", "sections to run, with commas between them: ingest (the collector alone), all (with its engine), warehouse (with the reports); default all")
	kassa := flag.String("kassa", "./kassa", "the binary to measure")
	rounds := flag.Int("rounds", 5, "rounds of each measurement; the median counts")
	length := flag.Duration("length", 2*time.Second, "length of a round of load")
	events := flag.Int("events", 1_000_000, "events brought into the warehouse")
	echo := flag.String("echo", "", "serve the empty echo handler on this address (the bench starts itself with it)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *echo != "" {
		if err := serveEcho(ctx, *echo); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, &bench{kassa: *kassa, rounds: *rounds, length: *length, events: *events}, strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, only []string) (err error) {
	for _, name := range only {
		if !slices.ContainsFunc(sections(), func(s section) bool { return s.name == name }) {
			return fmt.Errorf("there is no section %q", name)
		}
	}
	if b.dir, err = os.MkdirTemp("", "kassa-bench-"); err != nil {
		return fmt.Errorf("making a scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	b.report = func(r result) { fmt.Println(r) }
	for _, s := range sections() {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		if err := s.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// median of a few measurements.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
