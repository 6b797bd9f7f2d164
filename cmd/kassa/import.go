package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/control"
	"github.com/kassa-analytics/kassa/internal/csvimport"
)

type importCommand struct {
	CSV importCSVCommand `cmd:"" name:"csv" help:"Import the rows of CSV files as events, by a mapping file."`
}

type importCSVCommand struct {
	Shop        string   `required:"" placeholder:"ID" help:"The shop that the events belong to."`
	Map         string   `required:"" placeholder:"FILE" help:"The mapping from columns to fields (YAML)." type:"path"`
	SkipBadRows bool     `help:"Exit with status 0 although rows were rejected."`
	Files       []string `arg:"" name:"file" help:"CSV files whose first line names the columns." type:"path"`
}

// Help says more than the one line.
func (*importCSVCommand) Help() string {
	return `Works whether or not kassa serve runs on the same data directory. Importing the same file twice changes nothing; an import that
was stopped goes on where it stood. Example of a mapping: docs/examples/clique-bait.map.yaml

Without id in the mapping, a 20 to 40 byte count is held in memory for every distinct row of a file.`
}

// Run imports the files and prints what became of their rows.
func (i *importCSVCommand) Run(p *program, c *commands) error {
	cfg, err := p.load(c, nil)
	if err != nil {
		return err
	}
	m, err := csvimport.ReadMapping(i.Map)
	if err != nil {
		return err //nolint:wrapcheck // says file and line
	}
	if _, ok := cfg.Shop(i.Shop); !ok {
		return fmt.Errorf("no shop %q is configured; add it to shops in the configuration", i.Shop)
	}
	return p.withControl(c, cfg, func(client *control.Client) error { return i.files(p, cfg, m, client) })
}

func (i *importCSVCommand) files(p *program, cfg *config.Config, m *csvimport.Mapping, client *control.Client) error {
	bar := p.bar(i.Files)
	im := &csvimport.Importer{
		Shop: i.Shop, Mapping: m, Sink: controlSink{client}, Positions: csvimport.Positions{Dir: app.ImportsDir(cfg.DataDir)},
		Progress: func(n int64) { _ = bar.Add64(n) },
	}
	var total csvimport.Summary
	var err error
	for _, name := range i.Files {
		if err = im.File(p.ctx, name, &total); err != nil {
			break
		}
	}
	_ = bar.Exit()
	total.Write(p.stdout)
	if err == nil && total.Rejected > 0 && !i.SkipBadRows {
		err = exit(statusFailed)
	}
	return err
}

// bar shows progress on a terminal, and nothing elsewhere.
func (p *program) bar(files []string) *progressbar.ProgressBar {
	f, ok := p.terminal()
	if !ok {
		return progressbar.DefaultSilent(-1)
	}
	size := int64(0)
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			size += info.Size()
		}
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("importing"), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond))
}

// terminal is standard error where somebody looks at it.
func (p *program) terminal() (*os.File, bool) {
	f, ok := p.stderr.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// controlSink hands an import's events over to kassa's control handlers.
type controlSink struct{ client *control.Client }

// busyWait is the pause before a full spool is tried again.
const busyWait = time.Second

func (s controlSink) Import(ctx context.Context, b csvimport.Batch) (collector.Result, error) {
	body, err := cbor.Marshal(b.Events)
	if err != nil {
		return collector.Result{}, fmt.Errorf("encoding events: %w", err)
	}
	q := url.Values{"shop": {b.Shop}, "basis": {b.Basis}, "device": {b.Device}, "tag": {strconv.FormatUint(b.Tag, 10)}}
	for {
		var r collector.Result
		err := ask(ctx, s.client, http.MethodPost, "/import?"+q.Encode(), "application/cbor", bytes.NewReader(body), &r)
		if !errors.Is(err, errBusy) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("waiting for the spool: %w", ctx.Err())
		case <-time.After(busyWait):
		}
	}
}

func (s controlSink) Outcome(ctx context.Context, tag uint64) (csvimport.Outcome, error) {
	var out csvimport.Outcome
	err := ask(ctx, s.client, http.MethodGet, "/import/outcome?tag="+strconv.FormatUint(tag, 10), "", nil, &out)
	return out, err
}
