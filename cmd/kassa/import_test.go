package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kassa-analytics/kassa/internal/auth"
)

// sharedData finds data that nobody here wrote: beside the repository, or where KASSA_SHARED_DATA says.
func sharedData(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("KASSA_SHARED_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	path, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there", path)
	}
	return path
}

// figures are those that the clique-bait data is published with.
type figures struct {
	Steps []struct {
		Step      string   `json:"step"`
		Carts     int      `json:"carts"`
		Abandoned int      `json:"abandoned"`
		Rate      *float64 `json:"abandonment_rate"`
	} `json:"steps"`
	Totals struct {
		Carts     int `json:"carts"`
		Purchased int `json:"purchased"`
		Abandoned int `json:"abandoned"`
	} `json:"totals"`
	Customers int `json:"customers"`
	Orders    int `json:"orders"`
}

func (k *kassa) cliqueBait() {
	k.t.Helper()
	const year = "?from=2020-01-01&to=2020-12-31"
	var f figures
	k.get(token(auth.Owner), "/api/v1/shops/demo/checkout"+year, &f)
	k.get(token(auth.Marketing), "/api/v1/shops/demo/customers"+year, &f)
	if len(f.Steps) != 3 || f.Totals.Carts != 2510 || f.Steps[0].Abandoned != 407 || f.Steps[1].Carts != 2103 || f.Steps[1].Abandoned != 326 ||
		*f.Steps[1].Rate < 0.15495 || *f.Steps[1].Rate > 0.15505 || f.Totals.Purchased != 1777 || f.Totals.Abandoned != 733 || f.Customers != 484 || f.Orders != 1777 {
		k.t.Errorf("got %+v, want 2,510 carts, 407 abandoned at add_to_cart, 326 of 2,103 (0.1550) at begin_checkout, 1,777 purchased, 484 customers", f)
	}
}

func TestImportGivesThePublishedFigures(t *testing.T) {
	events := sharedData(t, filepath.Join("clique-bait", "events.csv"))
	cfg := write(t, "superseded_within: 0s, timezone: UTC, steps: [add_to_cart, begin_checkout, purchase]", auth.Owner, auth.Marketing)
	load := func(stored, duplicates string) {
		t.Helper()
		status, stdout, stderr := command(t, "import", "csv", "--config", cfg, "--shop", "demo", "--map", filepath.Join("..", "..", "docs", "examples", "clique-bait.map.yaml"), events)
		if want := "read 32734, stored " + stored + ", duplicates " + duplicates + ", skipped 0, older than retention 0, rejected 0\n"; status != 0 || stdout != want {
			t.Errorf("status %d, got %q, want %q\n%s", status, stdout, want, stderr)
		}
	}
	load("32734", "0") // no serve runs
	k := start(t, "serve", "--config", cfg)
	k.cliqueBait()
	load("0", "32734") // through the running serve
	k.cliqueBait()
	if status := k.stop(); status != 0 {
		t.Errorf("serve ended with %d\n%s", status, k.log)
	}
	load("0", "32734") // and without it again
	k = start(t, "serve", "--config", cfg)
	k.cliqueBait()
	k.stop()

	fresh := write(t, "superseded_within: 0s, timezone: UTC, steps: [add_to_cart, begin_checkout, purchase]", auth.Owner, auth.Marketing)
	k, cfg = start(t, "serve", "--config", fresh), fresh
	load("32734", "0")
	k.cliqueBait()
}

func TestImportTellsWhatIsWrongWithRows(t *testing.T) {
	cfg := write(t, "timezone: UTC")
	dir := filepath.Dir(cfg)
	events, mapping := filepath.Join(dir, "e.csv"), filepath.Join(dir, "m.yaml")
	for name, content := range map[string]string{
		events:  "at,who,what,price\n2026-01-01 10:00,v1,buy,12.50\n2026-01-01 10:01,v2,buy,cheap\nyesterday,v3,buy,1\n2026-01-01 10:03,v4,look,1\n",
		mapping: "legal_basis: contract\ntime: at\nvisitor: who\nvalue: price\ncart: who\norder: who\nevents: [{name: purchase, when: 'what == \"buy\"'}]\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"import", "csv", "--config", cfg, "--shop", "demo", "--map", mapping, events}
	status, stdout, stderr := command(t, args...)
	if status != 1 || !strings.HasPrefix(stdout, "read 4, stored 1, duplicates 0, skipped 1, older than retention 0, rejected 2\n") ||
		!strings.Contains(stdout, "e.csv:3: invalid-value: value") || !strings.Contains(stdout, `e.csv:4: time: "yesterday" is not a time`) {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	status, stdout, _ = command(t, append(args, "--skip-bad-rows")...)
	if status != 0 || !strings.HasPrefix(stdout, "read 4, stored 0, duplicates 1, skipped 1, older than retention 0, rejected 2\n") {
		t.Errorf("status %d\n%s", status, stdout)
	}
	status, _, stderr = command(t, "import", "csv", "--config", cfg, "--shop", "other", "--map", mapping, events)
	if status != 1 || !strings.Contains(stderr, `no shop "other" is configured`) {
		t.Errorf("status %d %s", status, stderr)
	}
}

func TestImportLeavesOutWhatRetentionWouldDelete(t *testing.T) {
	cfg := write(t, "timezone: UTC")
	content, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(cfg)
	events, mapping := filepath.Join(dir, "e.csv"), filepath.Join(dir, "m.yaml")
	for name, content := range map[string]string{
		cfg:     strings.Replace(string(content), "events: 0", "events: 13mo", 1),
		events:  "at,who\n2019-01-01 10:00,v1\n",
		mapping: "legal_basis: contract\ntime: at\nvisitor: who\nevents: [{name: page_view}]\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr := command(t, "import", "csv", "--config", cfg, "--shop", "demo", "--map", mapping, events)
	if status != 0 || stdout != "read 1, stored 0, duplicates 0, skipped 0, older than retention 1, rejected 0\n" {
		t.Errorf("status %d %s%s", status, stdout, stderr)
	}
}
