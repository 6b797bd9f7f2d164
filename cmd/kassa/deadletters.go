package main

import (
	"fmt"
	"net/http"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/control"
)

type deadlettersCommand struct {
	List   deadlettersListCommand   `cmd:"" help:"List them with their reasons, never their content."`
	Replay deadlettersReplayCommand `cmd:"" help:"Send them to the warehouse again; an event that is stored already counts once."`
	Purge  deadlettersPurgeCommand  `cmd:"" help:"Drop them for good."`
}

type (
	deadlettersListCommand   struct{}
	deadlettersReplayCommand struct{}
	deadlettersPurgeCommand  struct {
		OlderThan string `placeholder:"DURATION" help:"Only those older than this, such as 30d."`
		Yes       bool   `help:"Needed where no --older-than is given: all of them are dropped."`
	}
)

// Run prints the dead letters.
func (*deadlettersListCommand) Run(p *program, c *commands) error {
	cfg, err := p.load(c, nil)
	if err != nil {
		return err
	}
	return p.withControl(c, cfg, func(client *control.Client) error {
		var letters []app.Letter
		if err := ask(p.ctx, client, http.MethodGet, "/deadletters", "", nil, &letters); err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "RECORD\tPLACE\tKIND\tEVENTS\tSINCE\tREASON")
		for _, l := range letters {
			_, _ = fmt.Fprintf(w, "%d\t%d\t%s\t%d\t%s\t%s\n", l.Record, l.Place, l.Kind, l.Events, l.At.Format(time.RFC3339), l.Reason)
		}
		return w.Flush() //nolint:wrapcheck // standard output is gone
	})
}

// Run sends the dead letters to the warehouse again.
func (*deadlettersReplayCommand) Run(p *program, c *commands) error {
	cfg, err := p.load(c, nil)
	if err != nil {
		return err
	}
	return p.withControl(c, cfg, func(client *control.Client) error {
		var out struct {
			Replayed int `json:"replayed"`
		}
		if err := ask(p.ctx, client, http.MethodPost, "/deadletters/replay", "", nil, &out); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "%d sent again\n", out.Replayed)
		return err //nolint:wrapcheck // standard output is gone
	})
}

// Run drops dead letters.
func (d *deadlettersPurgeCommand) Run(p *program, c *commands) error {
	cfg, err := p.load(c, nil)
	if err != nil {
		return err
	}
	path := "/deadletters/purge"
	switch {
	case d.OlderThan != "":
		age, err := config.ParseDuration(d.OlderThan)
		if err != nil {
			return err //nolint:wrapcheck // says what to write
		}
		path += "?before=" + strconv.FormatInt(p.now().Add(-age).UnixMilli(), 10)
	case !d.Yes:
		return fmt.Errorf("all dead letters would be dropped for good; say --yes, or --older-than 30d for old ones only")
	}
	return p.withControl(c, cfg, func(client *control.Client) error {
		var out struct {
			Purged int `json:"purged"`
		}
		if err := ask(p.ctx, client, http.MethodPost, path, "", nil, &out); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.stdout, "%d dropped\n", out.Purged)
		return err //nolint:wrapcheck // standard output is gone
	})
}

func (p *program) now() time.Time {
	if p.clock != nil {
		return p.clock()
	}
	return time.Now()
}
