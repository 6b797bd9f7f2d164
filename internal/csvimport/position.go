package csvimport

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
)

// Positions remembers, in a directory, how far imports that were stopped had come. It saves time only: every event has an identity,
// so that a row sent again counts once.
type Positions struct {
	Dir string // made when first needed
}

// position is how far the import of one file has come.
type position struct {
	File     string  `json:"file"`
	Size     int64   `json:"size"`
	Modified int64   `json:"modified"` // Unix nanoseconds
	Tag      uint64  `json:"tag"`      // under which its events are accepted
	Summary  Summary `json:"summary"`  // its Read is the number of rows dealt with; its Stored are all that were accepted

	path string // where it is kept
}

// load finds where an earlier run stood; a file that has changed since starts anew.
func (p Positions) load(shop, mapping string, f *os.File) (*position, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the file to import: %w", err)
	}
	abs, err := filepath.Abs(f.Name())
	if err != nil {
		return nil, fmt.Errorf("looking at the file to import: %w", err)
	}
	sum := sha256.Sum256([]byte(shop + "\x00" + mapping + "\x00" + abs))
	fresh := position{Tag: rand.Uint64() | 1, File: abs, Size: info.Size(), Modified: info.ModTime().UnixNano(), path: filepath.Join(p.Dir, hex.EncodeToString(sum[:16])+".json")}
	content, err := os.ReadFile(fresh.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far the last import came: %w", err)
	}
	kept := position{}
	if json.Unmarshal(content, &kept) != nil || kept.File != abs || kept.Size != fresh.Size || kept.Modified != fresh.Modified {
		return &fresh, nil
	}
	kept.path = fresh.path
	return &kept, nil
}

// keep writes the position; torn writes are harmless, see load.
func (p Positions) keep(at *position) error {
	content, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("writing how far the import came: %w", err)
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("writing how far the import came: %w", err)
	}
	if err := os.WriteFile(at.path+".new", content, 0o600); err != nil {
		return fmt.Errorf("writing how far the import came: %w", err)
	}
	if err := os.Rename(at.path+".new", at.path); err != nil {
		return fmt.Errorf("writing how far the import came: %w", err)
	}
	return nil
}

func (p Positions) forget(at *position) error {
	if err := os.Remove(at.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting how far the import came: %w", err)
	}
	return nil
}
