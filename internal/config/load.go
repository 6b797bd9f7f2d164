package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kassa-analytics/kassa/internal/yamlfile"
)

// Source is where a configuration comes from.
type Source struct {
	// File is the path given by flag; empty: $KASSA_CONFIG, else ./kassa.yaml, which need not exist.
	File string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
	// Flags holds the scalar keys given by flag ("data_dir", "retention.events"), which win over all else.
	Flags map[string]string
	// Warn is told of what is odd but not wrong.
	Warn func(message string)
}

const (
	envPrefix   = "KASSA_"
	defaultFile = "kassa.yaml"
)

// knownVariables are KASSA_ variables that are no key of the file.
var knownVariables = []string{"KASSA_CONFIG", "KASSA_ENGINE_LIB"}

// Load reads the configuration: flag over environment over file over default. The error joins everything that is wrong, one
// sentence each, with file and line.
func Load(src Source) (*Config, error) {
	c := defaults()
	var problems yamlfile.Problems
	if err := c.loadFile(src, &problems); err != nil {
		return nil, err
	}
	scalars := c.scalars()
	loadEnvironment(src, scalars, &problems)
	for _, key := range slices.Sorted(maps.Keys(src.Flags)) {
		name := "--" + strings.NewReplacer("_", "-", ".", "-").Replace(key)
		read, ok := scalars[key]
		if !ok {
			return nil, fmt.Errorf("%s is no configuration key", key)
		}
		read(yamlfile.Scalar(name, src.Flags[key], &problems))
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory: %w", err)
	}
	c.DataDir = dir
	return c, nil
}

func variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

func (c *Config) loadFile(src Source, problems *yamlfile.Problems) error {
	name, wanted := src.File, true
	if name == "" {
		name = variable(src.Environ, "KASSA_CONFIG")
	}
	if name == "" {
		name, wanted = defaultFile, false
	}
	content, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !wanted:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no configuration file %s; write one, see docs/kassa.example.yaml", name)
	case err != nil:
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if c.File, err = filepath.Abs(name); err != nil {
		return fmt.Errorf("finding the configuration file: %w", err)
	}
	if root, ok := yamlfile.Parse(name, content, problems); ok {
		root.Map(c.keys(filepath.Dir(c.File)))
		c.checkTokenShops()
	}
	return nil
}

// keys of the file: the scalars, and the lists that only a file can hold.
func (c *Config) keys(dir string) yamlfile.Keys {
	keys := nest(c.scalars())
	keys["data_dir"] = func(n yamlfile.Node) {
		c.scalars()["data_dir"](n)
		if !filepath.IsAbs(c.DataDir) {
			c.DataDir = filepath.Join(dir, c.DataDir) // relative to the file, wherever kassa is started
		}
	}
	keys["trusted_proxies"] = readProxies(&c.TrustedProxies)
	keys["notices"] = readNotices(&c.Notices, dir)
	keys["shops"] = readShops(&c.Shops)
	keys["tokens"] = func(n yamlfile.Node) { readTokens(c, n) }
	return keys
}

// nest turns "retention.events" into a mapping retention with the key events.
func nest(scalars yamlfile.Keys) yamlfile.Keys {
	keys := yamlfile.Keys{}
	inner := map[string]yamlfile.Keys{}
	for path, read := range scalars {
		outer, rest, nested := strings.Cut(path, ".")
		if !nested {
			keys[path] = read
			continue
		}
		if inner[outer] == nil {
			m := yamlfile.Keys{}
			inner[outer] = m
			keys[outer] = func(n yamlfile.Node) { n.Map(m) }
		}
		inner[outer][rest] = read
	}
	return keys
}

// loadEnvironment reads KASSA_DATA_DIR, KASSA_RETENTION__EVENTS and so on; other KASSA_ variables are warned of.
func loadEnvironment(src Source, scalars yamlfile.Keys, problems *yamlfile.Problems) {
	for _, v := range slices.Sorted(slices.Values(src.Environ)) {
		name, value, _ := strings.Cut(v, "=")
		suffix, ours := strings.CutPrefix(name, envPrefix)
		if !ours || slices.Contains(knownVariables, name) {
			continue
		}
		key := strings.ToLower(strings.ReplaceAll(suffix, "__", "."))
		read, ok := scalars[key]
		if !ok {
			if src.Warn != nil {
				src.Warn(fmt.Sprintf("environment variable %s is not one that kassa knows; unset it or correct its name", name))
			}
			continue
		}
		read(yamlfile.Scalar("environment variable "+name, value, problems))
	}
}
