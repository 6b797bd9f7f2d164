package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kassa-analytics/kassa/internal/auth"
)

// The made-up shop.
const (
	ShopID        = "demo"
	ShopOrigin    = "https://demo-shop.example"
	ShopZone      = "Europe/Brussels"
	NoticeVersion = "demo"
)

// Names of the demo's own files in its data directory.
const (
	ConfigFile = "kassa.yaml"
	TruthFile  = "demo-truth.json"
	stateFile  = "demo.json"
)

// State is what the demo keeps beside the data from one start to the next.
type State struct {
	Plan   Plan   `json:"plan"`
	Owner  string `json:"owner_token"` // of a made-up shop: kept readable, to be printed again
	Market string `json:"marketing_token"`
	Loaded bool   `json:"loaded"` // the history is in

	dir string
}

// Prepare makes a demo's directory, or finds what an earlier start made there. Seed and days of 0 mean: as it was, else 1 and 60.
// With reset what is there is thrown away first. Errors name a directory that is no demo's, or that holds another plan.
func Prepare(dir string, seed uint64, days int, reset bool, now time.Time) (*State, error) {
	s := &State{dir: dir}
	content, err := os.ReadFile(filepath.Join(dir, stateFile))
	switch {
	case err == nil && reset:
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("throwing the former demo away: %w", err)
		}
	case err == nil:
		if err := json.Unmarshal(content, s); err != nil {
			return nil, fmt.Errorf("reading %s: %w; start with --reset to make a new demo", filepath.Join(dir, stateFile), err)
		}
		if seed != 0 && seed != s.Plan.Seed || days != 0 && days != s.Plan.Days {
			return nil, fmt.Errorf("%s holds a demo of seed %d and %d days; start with --reset to make another, or with another --data-dir", dir, s.Plan.Seed, s.Plan.Days)
		}
		return s, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading the demo's directory: %w", err)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty and holds no demo; give the demo a --data-dir of its own", dir)
	}
	if seed == 0 {
		seed = 1
	}
	if days == 0 {
		days = 60
	}
	s.Plan = Plan{Seed: seed, Days: days, Until: now.UTC().Truncate(time.Second), Zone: ShopZone}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the demo's directory: %w", err)
	}
	var hashes [2]string
	s.Owner, hashes[0] = auth.Fresh()
	s.Market, hashes[1] = auth.Fresh()
	if err := write(dir, ConfigFile, fmt.Appendf(nil, configuration, ShopID, ShopOrigin, ShopZone, hashes[0], hashes[1])); err != nil {
		return nil, err
	}
	return s, s.Save()
}

// configuration is the demo's kassa.yaml: kassa serve and the other commands work with it too.
const configuration = `# The made-up shop of kassa demo. Relative paths start here.
data_dir: .
shops:
  - id: %[1]s
    name: Demo shop (made up)
    origins: ["%[2]s"]
    currency: EUR
    timezone: %[3]s
tokens:
  - {name: owner, shop: %[1]s, role: owner, sha256: "%[4]s"}
  - {name: marketing, shop: %[1]s, role: marketing, sha256: "%[5]s"}
`

// Save keeps the state.
func (s *State) Save() error { return s.json(stateFile, s) }

// SaveTruth writes what is true of the history, for tests and the curious.
func (s *State) SaveTruth(t Truth) error { return s.json(TruthFile, t) }

func (s *State) json(name string, v any) error {
	content, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	return write(s.dir, name, append(content, '\n'))
}

func write(dir, name string, content []byte) error {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
