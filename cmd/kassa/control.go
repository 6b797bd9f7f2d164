package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kassa-analytics/kassa/internal/app"
	"github.com/kassa-analytics/kassa/internal/config"
	"github.com/kassa-analytics/kassa/internal/control"
	"github.com/kassa-analytics/kassa/internal/problem"
)

// startingBound is how long a command waits for a serve that holds the data directory and does not answer yet.
const startingBound = 15 * time.Second

// withControl lets f speak to the serve that runs on the data directory or, where none does, to the same handlers in this process.
func (p *program) withControl(c *commands, cfg *config.Config, f func(*control.Client) error) (err error) {
	ctx, cancel := context.WithTimeout(p.ctx, startingBound)
	defer cancel()
	for {
		if client, running := control.Dial(ctx, cfg.DataDir); running {
			return f(client)
		}
		a, err := app.Open(p.ctx, p.options(c, cfg))
		var locked *control.LockedError
		if errors.As(err, &locked) && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		if err != nil {
			return err //nolint:wrapcheck // says what was being done
		}
		return errors.Join(f(control.Direct(a.Control())), a.Close())
	}
}

// errBusy tells that the spool takes nothing just now.
var errBusy = errors.New("kassa cannot make events durable just now: the spool or the disk is full; let the warehouse catch up or free disk space")

// ask sends a control request and reads its JSON answer into out; nil: it is not wanted.
func ask(ctx context.Context, client *control.Client, method, path, contentType string, body io.Reader, out any) error {
	resp, err := client.Do(ctx, method, path, contentType, body)
	if err != nil {
		return err //nolint:wrapcheck // says what was being done
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return errBusy
	}
	if resp.StatusCode != http.StatusOK {
		var d problem.Details
		if json.Unmarshal(content, &d) != nil || d.Detail == "" {
			return fmt.Errorf("kassa answers %s", resp.Status)
		}
		return errors.New(d.Detail)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}
