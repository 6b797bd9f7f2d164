package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func notifyTerm(c chan<- os.Signal) { signal.Notify(c, syscall.SIGTERM) }

// visitors whose consent is asked for before the load, and who then send in turn.
const visitors = 512

// ingest measures taking in events against an empty echo handler that drains the same body: consent checked and fsynced, the collector
// alone, while its warehouse (an engine in a process of its own) stands still. Generator and server share the machine.
func ingest(ctx context.Context, b *bench) error { return besideEcho(ctx, b, collectorAlone) }

// everything measures the same with the embedded engine taking in what arrives at the same time.
func everything(ctx context.Context, b *bench) error { return besideEcho(ctx, b, allInOne) }

func besideEcho(ctx context.Context, b *bench, measure func(ctx context.Context, b *bench, base string) error) error {
	base, stop, err := startEcho(ctx)
	if err != nil {
		return err
	}
	return errors.Join(measure(ctx, b, base), stop())
}

// collectorAlone measures the collector while the warehouse does not answer.
func collectorAlone(ctx context.Context, b *bench, base string) (err error) {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	engine, err := start(b.kassa, "engine", "--data-dir", filepath.Join(b.dir, "engine"), "--listen", address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.stop()) }()
	if err := ready(ctx, engine, "http://"+address+"/ping"); err != nil {
		return err
	}
	k, public, private, err := startKassa(ctx, b, "alone", "http://"+address+"/kassa")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.stop()) }()
	single, batch, err := prepare(ctx, public)
	if err != nil {
		return err
	}
	if err := engine.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err = b.load(ctx, base, public, single, batch, "the collector alone", true)
	full, merr := k.memory()
	if err := errors.Join(err, merr, engine.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	b.report(result{what: "memory of the collector at full load, the warehouse away", value: full, unit: "MB", limit: 300, atMost: true})
	return drained(ctx, b, "http://"+private)
}

// allInOne measures the whole binary with its embedded engine.
func allInOne(ctx context.Context, b *bench, base string) (err error) {
	k, public, private, err := startKassa(ctx, b, "data", "embedded")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.stop()) }()
	idle, err := k.memory()
	if err != nil {
		return err
	}
	b.report(result{what: "memory of the whole binary, idle with the embedded engine", value: idle, unit: "MB", limit: 450, atMost: true})
	single, batch, err := prepare(ctx, public)
	if err != nil {
		return err
	}
	if err := b.load(ctx, base, public, single, batch, "engine and all", false); err != nil {
		return err
	}
	full, err := k.memory()
	if err != nil {
		return err
	}
	b.report(result{what: "memory of the whole binary after full load", value: full, unit: "MB"})
	return drained(ctx, b, "http://"+private)
}

// startEcho starts the baseline in a process of its own.
func startEcho(ctx context.Context) (address string, stop func() error, err error) {
	base, err := freeAddress()
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("finding this program: %w", err)
	}
	e, err := start(self, "-echo", base)
	if err != nil {
		return "", nil, err
	}
	return base, e.stop, ready(ctx, e, "http://"+base+"/healthz")
}

// load measures single events at two numbers of connections, and batches. limited: the figures have limits to keep.
func (b *bench) load(ctx context.Context, base, public string, single, batch *requests, what string, limited bool) error {
	limit := func(v float64) float64 {
		if limited {
			return v
		}
		return 0
	}
	for _, c := range []struct {
		connections int
		limit       float64
	}{{64, 0.5}, {256, 0.6}} {
		var ratios []float64
		for range b.rounds {
			empty, err := load(ctx, base, single, c.connections, http.StatusAccepted, b.length)
			if err != nil {
				return err
			}
			ours, err := load(ctx, public, single, c.connections, http.StatusAccepted, b.length)
			if err != nil {
				return err
			}
			ratios = append(ratios, ours/empty)
			fmt.Fprintf(os.Stderr, "  %d connections: %.0f requests/s, empty handler %.0f\n", c.connections, ours, empty)
		}
		b.report(result{what: fmt.Sprintf("single-event POST / empty echo handler, %d connections, %s", c.connections, what), value: median(ratios), unit: "×", limit: limit(c.limit)})
	}
	var rates []float64
	for range b.rounds {
		rate, err := load(ctx, public, batch, 64, http.StatusAccepted, b.length)
		if err != nil {
			return err
		}
		rates = append(rates, rate*20)
		fmt.Fprintf(os.Stderr, "  batches of 20: %.0f events/s\n", rate*20)
	}
	b.report(result{what: "batches of 20 at 64 connections, " + what, value: median(rates), unit: "events/s", limit: limit(100_000)})
	return nil
}

// startKassa serves a shop from a fresh data directory.
func startKassa(ctx context.Context, b *bench, name, warehouse string) (p *process, public, private string, err error) {
	if public, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	if private, err = freeAddress(); err != nil {
		return nil, "", "", err
	}
	config := filepath.Join(b.dir, name+".yaml")
	yaml := fmt.Sprintf("data_dir: %s\nwarehouse: %s\nlisten: %s\nadmin_listen: %s\nrate_limit: {requests_per_second: 0}\nshops:\n  - {id: demo, name: Bench, currency: EUR, timezone: Europe/Brussels}\n",
		filepath.Join(b.dir, name), warehouse, public, private)
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		return nil, "", "", fmt.Errorf("writing the configuration: %w", err)
	}
	if p, err = start(b.kassa, "serve", "--config", config); err != nil {
		return nil, "", "", err
	}
	return p, public, private, ready(ctx, p, "http://"+private+"/readyz")
}

// prepare asks for the visitors' consent and makes their requests: of one event, and of twenty.
func prepare(ctx context.Context, public string) (single, batch *requests, err error) {
	var ids atomic.Uint64
	single, batch = &requests{}, &requests{}
	for i := range visitors {
		visitor := fmt.Sprintf("bench-visitor-%08d", i)
		receipt, err := consent(ctx, "http://"+public, visitor)
		if err != nil {
			return nil, nil, err
		}
		single.add(newRequest(public, "/v1/events", body(visitor, receipt, 1), &ids))
		batch.add(newRequest(public, "/v1/events", body(visitor, receipt, 20), &ids))
	}
	return single, batch, nil
}

func consent(ctx context.Context, public, visitor string) (string, error) {
	status, answer, err := post(ctx, public+"/v1/consent", map[string]any{
		"shop": "demo", "visitor": visitor, "purposes": map[string]bool{"analytics": true, "marketing": false},
		"notice": map[string]string{"version": "1", "language": "en"}, "source": "banner",
	})
	if err != nil || status != http.StatusCreated {
		return "", fmt.Errorf("asking for consent: %d %s %w", status, answer, err)
	}
	var a struct {
		Receipt string `json:"receipt"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return "", fmt.Errorf("reading the receipt: %w", err)
	}
	return a.Receipt, nil
}

// body is a batch of n events of one visitor, such as a shop's tag sends.
func body(visitor, receipt string, n int) string {
	now := time.Now().UnixMilli()
	var events []string
	visit := strings.Repeat("@", idDigits)
	for range n {
		events = append(events, fmt.Sprintf(`{"id":"01KBENCH%s","name":"add_to_cart","time":%d,"page":"/p/glass?x=1","language":"nl","referrer":"https://www.google.com/","cart":"c-%s","currency":"EUR","value":"24.50","items":[{"id":"SKU-1","name":"Glass","category":"Glas","price":"12.25","quantity":2}]}`,
			strings.Repeat("#", idDigits), now, visit))
	}
	return fmt.Sprintf(`{"shop":"demo","receipt":%q,"visitor":%q,"session":"s-%s","sent_at":%d,"events":[%s]}`, receipt, visitor, visit, now, strings.Join(events, ","))
}

// drained waits until everything that was accepted has been delivered, and tells the invariant.
func drained(ctx context.Context, b *bench, private string) error {
	began := time.Now()
	for {
		_, text, err := get(ctx, private+"/metrics", "")
		if err != nil {
			return err
		}
		counters := make(map[string]float64)
		for line := range strings.Lines(string(text)) {
			var name string
			var v float64
			if n, _ := fmt.Sscan(line, &name, &v); n == 2 {
				counters[name] = v
			}
		}
		if counters["kassa_spool_pending_events"] == 0 {
			b.report(result{what: "rest of the spool delivered after the load", value: time.Since(began).Seconds(), unit: "s"})
			sum := counters["kassa_events_stored_total"] + counters["kassa_events_late_duplicate_total"] + counters["kassa_events_dead_lettered_total"] + counters["kassa_events_suppressed_total"]
			b.report(result{what: "accepted − (stored + duplicates + dead letters + suppressed)", value: counters["kassa_events_accepted_total"] - sum, unit: "events", limit: 1e-9, atMost: true,
				note: fmt.Sprintf("%.0f accepted", counters["kassa_events_accepted_total"])})
			return nil
		}
		if time.Since(began) > 5*time.Minute {
			return fmt.Errorf("after %s the spool still holds %.0f events", time.Since(began).Round(time.Second), counters["kassa_spool_pending_events"])
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
