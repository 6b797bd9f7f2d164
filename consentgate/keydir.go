package consentgate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// keyFile is where a keyset lies.
func keyFile(dir, name string) string { return filepath.Join(dir, name+".keyset.json") }

// ensureKeyDir makes the key directory where there is none, all of it or nothing: the keysets are written beside it and renamed into
// place, so that neither a crash nor a second process leaves half a set. It reports whether this call made it.
func ensureKeyDir(dir string) (created bool, err error) {
	dir = filepath.Clean(dir)
	for {
		held, err := keysetsIn(dir)
		if err != nil {
			return false, err
		}
		if held == len(keysetTemplates()) {
			return created, checkPrivate(dir)
		}
		if held > 0 {
			return false, keysMissing(dir)
		}
		switch created, err = createKeyDir(dir); {
		case errors.Is(err, fs.ErrExist): // another process was first: take its keys
			continue
		case err != nil:
			return false, fmt.Errorf("creating keys in %s: %w", dir, err)
		}
	}
}

// keysetsIn counts the keysets in dir; 0 where it is missing or empty.
func keysetsIn(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the key directory: %w", err)
	}
	n, others := 0, 0
	for _, e := range entries {
		name, isKeyset := strings.CutSuffix(e.Name(), ".keyset.json")
		if _, known := keysetTemplates()[name]; known && isKeyset {
			n++
		} else {
			others++
		}
	}
	if n == 0 && others > 0 {
		return 0, fmt.Errorf("key directory %s holds other files and no keys: restore the keys from your backup, or name an empty directory", dir)
	}
	return n, nil
}

// keysMissing says which keysets a directory lacks.
func keysMissing(dir string) error {
	var missing []string
	for name := range keysetTemplates() {
		if _, err := os.Stat(keyFile(dir, name)); err != nil {
			missing = append(missing, filepath.Base(keyFile(dir, name)))
		}
	}
	slices.Sort(missing)
	return fmt.Errorf("key directory %s lacks %s: restore it from your backup (without it, what it protected cannot be read or recognised; "+
		"if this was the very first start, delete the directory and start again)", dir, strings.Join(missing, ", "))
}

// createKeyDir makes new keysets and renames them into place; fs.ErrExist where another process was first.
func createKeyDir(dir string) (bool, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return false, err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-new-") // MkdirTemp makes it 0700
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp) // nothing left of it once it is renamed
	for name := range keysetTemplates() {
		if err := newKeyset(tmp, name); err != nil {
			return false, err
		}
	}
	if err := syncDir(tmp); err != nil {
		return false, err
	}
	// An empty directory made beforehand gives way; if it cannot (a mount point), the files are put into it one by one.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if held, herr := keysetsIn(dir); herr != nil || held > 0 {
			return false, fs.ErrExist
		}
		return fillKeyDir(tmp, dir)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, serr := os.Stat(dir); serr == nil {
			return false, fs.ErrExist
		}
		return false, err
	}
	return true, syncDir(parent)
}

// fillKeyDir copies fresh keysets into an existing empty directory; an existing file is never replaced, so two processes cannot mix their keys.
func fillKeyDir(from, dir string) (bool, error) {
	if err := checkMode(dir, 0o700); err != nil {
		return false, err
	}
	for name := range keysetTemplates() {
		b, err := os.ReadFile(keyFile(from, name))
		if err != nil {
			return false, err
		}
		if err := writeNew(keyFile(dir, name), b); err != nil {
			return false, err
		}
	}
	return true, syncDir(dir)
}

// newKeyset writes a keyset with one fresh key.
func newKeyset(dir, name string) error {
	h, err := keyset.NewHandle(keysetTemplates()[name])
	if err != nil {
		return fmt.Errorf("making a key for %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return fmt.Errorf("writing keyset %s: %w", name, err)
	}
	return writeNew(keyFile(dir, name), b.Bytes())
}

// readKeyset reads one keyset.
func readKeyset(dir, name string) (*keyset.Handle, error) {
	path := keyFile(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a key file: %w", err)
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, fmt.Errorf("key file %s is damaged; restore it from your backup: %w", path, err)
	}
	return h, nil
}

// checkPrivate refuses a key directory that others than its owner can reach.
func checkPrivate(dir string) error {
	if err := checkMode(dir, 0o700); err != nil {
		return err
	}
	for name := range keysetTemplates() {
		if err := checkMode(keyFile(dir, name), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// checkMode refuses a file on which group or others have any right.
func checkMode(path string, want fs.FileMode) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("checking who can read the keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be reached by other users (mode %04o): run chmod %04o %s", path, info.Mode().Perm(), want, path)
	}
	return nil
}

// writeNew writes a file that must not exist yet, 0600 and on disk when it returns.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
