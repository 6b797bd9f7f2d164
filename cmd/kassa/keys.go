package main

import (
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kassa-analytics/kassa/internal/control"
)

type keysCommand struct {
	List keysListCommand `cmd:"" help:"Print the public keys (JWKS) that consent receipts are checked with, and where the secret ones are."`
}

type keysListCommand struct{}

// Run prints where the keys are and their public part.
func (*keysListCommand) Run(p *program, c *commands) error {
	cfg, err := p.load(c, nil)
	if err != nil {
		return err
	}
	return p.withControl(c, cfg, func(client *control.Client) error {
		var set jsontext.Value
		if err := ask(p.ctx, client, http.MethodGet, "/jwks", "", nil, &set); err != nil {
			return err
		}
		if err := set.Indent(); err != nil {
			return fmt.Errorf("writing the keys: %w", err)
		}
		_, err := fmt.Fprintf(p.stdout, "Secret keys: %s (back them up apart from the data; without them nobody in it can be recognised)\n%s\n", filepath.Join(cfg.DataDir, "keys"), set)
		return err //nolint:wrapcheck // standard output is gone
	})
}
