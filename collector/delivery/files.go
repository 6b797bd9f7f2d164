package delivery

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"
)

// seal is a batch's identity, on disk before the batch is first sent.
type seal struct {
	Token    string    `cbor:"1,keyasint"`
	Turn     int       `cbor:"2,keyasint"` // counts up when verdicts change; part of the token that is sent
	First    uint64    `cbor:"3,keyasint"`
	Last     uint64    `cbor:"4,keyasint"`
	Sum      uint32    `cbor:"5,keyasint"` // CRC32C of the records' data, so that a token never names other data
	Verdicts []verdict `cbor:"6,keyasint"`
	Reasons  []reason  `cbor:"7,keyasint,omitempty"`
	Applied  bool      `cbor:"8,keyasint,omitempty"` // all that is to be inserted has been
}

// reason tells why the item at a place became a dead letter; places from
// len(Verdicts) on are the consent records.
type reason struct {
	Place int    `cbor:"1,keyasint"`
	Text  string `cbor:"2,keyasint"`
}

// sent is the token of the batch as it is now.
func (s *seal) sent() string { return fmt.Sprintf("%s-%d", s.Token, s.Turn) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// files keeps the seal and the state. Each file is a CRC32C (4 bytes, little-endian)
// and a CBOR map.
type files struct{ dir string }

func (f files) create() error { return os.MkdirAll(f.dir, 0o700) }

func (f files) loadState() (state, error) {
	var s state
	err := load(filepath.Join(f.dir, "state"), &s)
	return s, err
}

func (f files) saveState(s state) error { return save(f.dir, "state", s) }

// loadSeal returns nil if there is none.
func (f files) loadSeal() (*seal, error) {
	var s seal
	if err := load(filepath.Join(f.dir, "seal"), &s); err != nil {
		return nil, err
	}
	if s.Token == "" {
		return nil, nil
	}
	return &s, nil
}

func (f files) saveSeal(s *seal) error { return save(f.dir, "seal", s) }

// load leaves v as it is when there is no such file.
func load(path string, v any) error {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delivery: %w", err)
	}
	if len(b) < 4 || binary.LittleEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return fmt.Errorf("delivery: %s is damaged; restore it from a copy, or remove it: nothing is lost or counted twice in the reports, but the counters start anew", path)
	}
	if err := cbor.Unmarshal(b[4:], v); err != nil {
		return fmt.Errorf("delivery: decoding %s: %w", path, err)
	}
	return nil
}

// save replaces dir/name at once and durably: a crash leaves the old or the new.
func save(dir, name string, v any) error {
	body, err := cbor.Marshal(v)
	if err != nil {
		return fmt.Errorf("delivery: encoding %s: %w", name, err)
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), crc32.Checksum(body, castagnoli))
	if err := replace(dir, name, append(b, body...)); err != nil {
		return fmt.Errorf("delivery: writing %s: %w", filepath.Join(dir, name), err)
	}
	return nil
}

func replace(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
