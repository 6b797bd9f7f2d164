package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
)

type tokenCommand struct {
	New tokenNewCommand `cmd:"" help:"Make a fresh token; it is printed once, with the line to paste into the configuration."`
}

type tokenNewCommand struct {
	Role    string `required:"" enum:"owner,marketing,privacy,ingest,metrics" help:"owner (reports), marketing (reports and abandoned carts), privacy, ingest (server-side events) or metrics."`
	Shop    string `placeholder:"ID" help:"The shop it opens; only a metrics token may do without."`
	Name    string `placeholder:"NAME" help:"How logs and records call it; default the role."`
	Expires string `placeholder:"DAY" help:"Last day on which it holds, such as 2027-12-31; default never."`
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_.@ -]{1,64}$`)

// Run prints the token. Nothing is stored: the configuration holds its hash once the line is pasted.
func (t *tokenNewCommand) Run(p *program) error {
	if t.Shop == "" && auth.Role(t.Role) != auth.Metrics {
		return fmt.Errorf("a token of the role %s opens one shop; name it with --shop", t.Role)
	}
	if t.Name == "" {
		t.Name = t.Role
	}
	if !plainName.MatchString(t.Name) {
		return fmt.Errorf("%q is not a plain name; write 1 to 64 letters, digits, spaces or _.@-", t.Name)
	}
	fields := []string{"name: " + t.Name}
	if t.Shop != "" {
		fields = append(fields, "shop: "+t.Shop)
	}
	token, hash := auth.Fresh()
	fields = append(fields, "role: "+t.Role, `sha256: "`+hash+`"`)
	if t.Expires != "" {
		if _, err := time.Parse(time.DateOnly, t.Expires); err != nil {
			return fmt.Errorf("%q is not a day; write one such as 2027-12-31", t.Expires)
		}
		fields = append(fields, `expires: "`+t.Expires+`"`)
	}
	_, err := fmt.Fprintf(p.stdout, "The token, shown this once:\n\n  %s\n\nPaste under tokens: in kassa.yaml, then reload kassa (SIGHUP) or restart it:\n\n  - {%s}\n", token, strings.Join(fields, ", "))
	return err //nolint:wrapcheck // standard output is gone
}
