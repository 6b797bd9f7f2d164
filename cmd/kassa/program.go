package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/config"
)

// program is one run of the command and what it touches of the outside.
type program struct {
	stdout, stderr io.Writer
	environ        []string
	reload         chan os.Signal      // asks a serve to read its configuration again; nil: SIGHUP does
	ready          func(app.Addresses) // told once a serve listens; nil: nobody waits
	loaded         func()              // told once the demo's past is in; nil: nobody waits
	clock          func() time.Time    // nil: time.Now

	ctx context.Context // of the run; kong calls the commands
}

// commands are the sub-commands and the flags that all of them take.
type commands struct {
	ConfigFile string `name:"config" short:"c" placeholder:"FILE" help:"Configuration file; default $$KASSA_CONFIG, else ./kassa.yaml." type:"path"`
	DataDir    string `placeholder:"DIR" help:"Where spool, embedded engine, keys and control socket are (data_dir)."`
	Warehouse  string `placeholder:"URL" help:"embedded, or the URL of a ClickHouse server (warehouse)."`
	LogFormat  string `enum:"text,json" default:"text" help:"How log lines are written to standard error: text or json."`
	Verbose    bool   `short:"v" help:"Log more."`

	Serve       serveCommand       `cmd:"" help:"Take in events and answer reports, until stopped."`
	Demo        demoCommand        `cmd:"" help:"Start a made-up shop with a past and live traffic, in a data directory of its own."`
	Import      importCommand      `cmd:"" help:"Import events from files."`
	Token       tokenCommand       `cmd:"" help:"Make bearer tokens."`
	Keys        keysCommand        `cmd:"" help:"Show the keys that consent receipts are checked with."`
	Deadletters deadlettersCommand `cmd:"" help:"Look at events that the warehouse refuses, send them again, or drop them."`
	Engine      engineCommand      `cmd:"" help:"Serve the embedded ClickHouse engine alone, over HTTP on loopback."`
	Version     versionCommand     `cmd:"" help:"Print the version."`

	serving bool // runs unattended: its log is all that is seen of it
}

// exit is an error that only sets the exit status: what went wrong was said already.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// The exit statuses.
const (
	statusFailed = 1
	statusUsage  = 2
)

func (p *program) run(ctx context.Context, args []string) int {
	p.ctx = ctx
	var c commands
	left := -1 // what kong exits with after --help
	parser, err := kong.New(&c,
		kong.Name("kassa"),
		kong.Description("Measures a web shop with its visitors' consent: how many customers, how they came, and where they give up.\n\nkassa demo shows it at once; kassa serve --config kassa.yaml runs it."),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(status int) { left = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Bind(p),
	)
	if err != nil {
		_, _ = fmt.Fprintln(p.stderr, "kassa:", err)
		return statusFailed
	}
	parsed, err := parser.Parse(args)
	if left >= 0 {
		return left
	}
	if err != nil {
		_, _ = fmt.Fprintf(p.stderr, "kassa: %v; kassa --help tells more\n", err)
		return statusUsage
	}
	err = parsed.Run(p, &c)
	var status exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(p.stderr, "kassa: stopped")
		return 130
	}
	_, _ = fmt.Fprintln(p.stderr, "kassa:", err)
	return statusFailed
}

// load reads the configuration, with the flags given on top.
func (p *program) load(c *commands, flags map[string]string) (*config.Config, error) {
	all := map[string]string{}
	for key, value := range map[string]string{"data_dir": c.DataDir, "warehouse": c.Warehouse} {
		if value != "" {
			all[key] = value
		}
	}
	for key, value := range flags {
		if value != "" {
			all[key] = value
		}
	}
	return config.Load(config.Source{File: c.ConfigFile, Environ: p.environ, Flags: all, Warn: func(m string) { p.logger(c).Warn(m) }}) //nolint:wrapcheck // says file and line
}

func (p *program) logger(c *commands) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelWarn} // commands say themselves what matters
	switch {
	case c.Verbose:
		o.Level = slog.LevelDebug
	case c.serving:
		o.Level = slog.LevelInfo
	}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, o))
	}
	return slog.New(slog.NewTextHandler(p.stderr, o))
}

func (p *program) options(c *commands, cfg *config.Config) app.Options {
	return app.Options{Config: cfg, Environ: p.environ, Logger: p.logger(c), Clock: p.clock, Version: version()}
}
