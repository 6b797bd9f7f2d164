package consentgate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

func TestOpenKeysCreatesAndReopens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "keys")
	k, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !k.Created() || again.Created() || again.Dir() != dir {
		t.Errorf("created %v, then %v in %s", k.Created(), again.Created(), again.Dir())
	}
	if k.Pseudonym("demo", KindVisitor, "v") != again.Pseudonym("demo", KindVisitor, "v") || k.EventID("demo", "e") != again.EventID("demo", "e") {
		t.Error("reopened keys give other pseudonyms")
	}
	sealed, err := k.Seal("demo", "contact", []byte("a@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("example")) {
		t.Error("sealed contact can be read")
	}
	if got, err := again.Open("demo", "contact", sealed); err != nil || string(got) != "a@example.org" {
		t.Errorf("open: %q, %v", got, err)
	}
	for _, c := range [][2]string{{"other", "contact"}, {"demo", "cart_ref"}, {"democontact", ""}} {
		if _, err := again.Open(c[0], c[1], sealed); err == nil {
			t.Errorf("opened for %v", c)
		}
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, keyFile(dir, pseudonymKeyset): 0o600, keyFile(dir, receiptKeyset): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode().Perm(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOpenKeysIntoExistingEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if k, err := OpenKeys(dir); err != nil || !k.Created() {
		t.Errorf("%v", err)
	}
}

func TestOpenKeysRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		want  []string
	}{
		{"readable directory", func(dir string) error { return os.Chmod(dir, 0o750) }, []string{"mode 0750", "chmod 0700 "}},
		{"readable key file", func(dir string) error { return os.Chmod(keyFile(dir, contactKeyset), 0o644) }, []string{"contact.keyset.json", "chmod 0600 "}},
		{"missing keyset", func(dir string) error { return os.Remove(keyFile(dir, eventIDKeyset)) }, []string{"lacks event-id.keyset.json", "backup"}},
		{"damaged keyset", func(dir string) error { return os.WriteFile(keyFile(dir, receiptKeyset), []byte("{"), 0o600) }, []string{"receipt.keyset.json is damaged"}},
		{"strange files only", func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600)
		}, []string{"holds other files and no keys"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			if _, err := OpenKeys(dir); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := OpenKeys(dir)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want it to say %q", err, want)
				}
			}
		})
	}
}

func TestOpenKeysTwoProcessesAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen, created := map[Pseudonym]bool{}, 0
	for range 8 {
		wg.Go(func() {
			k, err := OpenKeys(dir)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen[k.Pseudonym("demo", KindVisitor, "v")] = true
			if k.Created() {
				created++
			}
		})
	}
	wg.Wait()
	if len(seen) != 1 || created != 1 {
		t.Errorf("%d different keys, created by %d", len(seen), created)
	}
}

func TestPseudonyms(t *testing.T) {
	w := newWorld(t)
	k := w.keys
	seen := map[Pseudonym]string{}
	for _, c := range []struct {
		shop string
		kind Kind
		id   string
	}{{"demo", KindVisitor, "x"}, {"demo", KindCustomer, "x"}, {"dem", KindVisitor, "ox"}, {"other", KindVisitor, "x"}, {"demo", KindVisitor, "y"}, {"demo", KindSession, "x"}} {
		p := k.Pseudonym(c.shop, c.kind, c.id)
		if other, twice := seen[p]; twice || p == 0 {
			t.Errorf("%v has the pseudonym %v of %s", c, p, other)
		}
		seen[p] = c.id
		if back, err := ParsePseudonym(p.String()); err != nil || back != p {
			t.Errorf("%v reads back as %v, %v", p, back, err)
		}
	}
	if k.Pseudonym("demo", KindCart, "") != 0 || k.Pseudonyms("demo", KindCart, "") != nil || toPseudonym([16]byte{}) != 1 {
		t.Error("nothing is 0, and 0 is nothing")
	}
	for _, bad := range []string{"", "12", "00000000000000zz", "+000000000000001", "0x00000000000001"} {
		if _, err := ParsePseudonym(bad); err == nil {
			t.Errorf("%q was read as a pseudonym", bad)
		}
	}
}

// A second key in the pseudonym keyset: the new primary comes first, the old one is still computed.
func TestPseudonymsWhileKeysOverlap(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	k, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := k.Pseudonym("demo", KindVisitor, alice)
	rotate(t, dir)
	if k, err = OpenKeys(dir); err != nil {
		t.Fatal(err)
	}
	ps := k.Pseudonyms("demo", KindVisitor, alice)
	if len(ps) != 2 || ps[0] != k.Pseudonym("demo", KindVisitor, alice) || ps[1] != old || ps[0] == old {
		t.Errorf("pseudonyms %v, the old one was %v", ps, old)
	}
}

// rotate adds a key to the pseudonym keyset and makes it the primary.
func rotate(t *testing.T, dir string) {
	t.Helper()
	h, err := readKeyset(dir, pseudonymKeyset)
	if err != nil {
		t.Fatal(err)
	}
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(prf.AESCMACPRFKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	if h, err = m.Handle(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile(dir, pseudonymKeyset), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
