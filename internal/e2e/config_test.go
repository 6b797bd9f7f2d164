package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
)

// A configuration that is wrong stops the start, with file, line and reason, before anything is made.
func TestConfigurationErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the real program")
	}
	const shop = "shops: [{id: demo}]\n"
	for _, c := range []struct {
		name, yaml string
		said       []string // after the file's name
	}{
		{"unknown key", shop + "colour: red\n", []string{":2:", "colour"}},
		{"unknown key in a shop", "shops:\n  - id: demo\n    curency: EUR\n", []string{":3:", "curency"}},
		{"bad value", shop + "\nbots: maybe\n", []string{":3:", `"maybe"`, "drop"}},
		{"bad duration", "shops:\n  - id: demo\n    abandon_after: soon\n", []string{":3:", `"soon"`, "duration"}},
		{"bad time zone", "shops:\n  - id: demo\n    timezone: Europe/Atlantis\n", []string{":3:", "Europe/Atlantis"}},
		{"bad origin", "shops:\n  - id: demo\n    origins: [shop.example]\n", []string{":3:", `"shop.example"`}},
		{"two shops of one id", "shops:\n  - id: demo\n  - id: other\n  - id: demo\n", []string{":4:", `"demo"`, "line 2"}},
		{"bad token", shop + "tokens:\n  - {role: owner, shop: demo, sha256: abc}\n", []string{":3:", "SHA-256"}},
		{"token of no shop", shop + "tokens:\n  - {role: owner, shop: shut, sha256: " + strings.Repeat("ab", 32) + "}\n", []string{":3:", `"shut"`}},
		{"no YAML", "shops: [\n", []string{":"}},
		{"missing notice", shop + "notices: [{version: a, language: nl, file: gone.md}]\n", []string{":2:", "gone.md"}},
		{"no shop", "bots: drop\n", []string{"no shop"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := directory(t)
			file := filepath.Join(dir, "kassa.yaml")
			write(t, file, c.yaml)
			p := launch(t, dir, append(engineEnv(), "KASSA_LISTEN=127.0.0.1:0", "KASSA_ADMIN_LISTEN=127.0.0.1:0"), programs.kassa, "serve", "--config", file)
			if status := p.wait(10 * time.Second); status == 0 {
				t.Errorf("status %d", status)
			}
			said := p.log.String()
			if len(c.said) > 1 && !strings.Contains(said, file+c.said[0]) {
				t.Errorf("does not name %s%s: %s", file, c.said[0], said)
			}
			for _, want := range c.said {
				if !strings.Contains(said, want) {
					t.Errorf("does not say %s: %s", want, said)
				}
			}
			if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
				t.Error("a data directory was made")
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		p := launch(t, directory(t), nil, programs.kassa, "serve", "--config", "gone.yaml")
		if status := p.wait(10 * time.Second); status == 0 || !strings.Contains(p.log.String(), "gone.yaml") {
			t.Errorf("status %d: %s", status, p.log.String())
		}
	})
}

// Keys that others can read, a data directory in use, keys that are gone: refused with what to do.
func TestRefusesToStart(t *testing.T) {
	k := serve(t, options{})
	refusal := func(want ...string) {
		t.Helper()
		p := launch(t, k.dir, engineEnv(), programs.kassa, "serve", "--config", k.file)
		status := p.wait(30 * time.Second)
		for _, w := range want {
			if status == 0 || !strings.Contains(p.log.String(), w) {
				t.Errorf("status %d, does not say %s: %s", status, w, p.log.String())
			}
		}
	}
	refusal("another kassa", k.data)
	elsewhere := func(flags ...string) string {
		p := launch(t, k.dir, engineEnv(), programs.kassa, append([]string{"serve", "--config", k.file, "--data-dir", filepath.Join(directory(t), "data")}, flags...)...)
		if status := p.wait(30 * time.Second); status == 0 {
			t.Errorf("%v: status %d", flags, status)
		}
		return p.log.String()
	}
	if said := elsewhere("--listen", strings.TrimPrefix(k.public, "http://")); !strings.Contains(said, "--listen") {
		t.Errorf("a port in use: %s", said)
	}
	if said := elsewhere("--admin-listen", strings.TrimPrefix(k.private, "http://")); !strings.Contains(said, "--admin-listen") {
		t.Errorf("a port in use: %s", said)
	}
	if said := elsewhere("--warehouse", "http://user:hunter2@127.0.0.1:1/kassa"); !strings.Contains(said, "warehouse") || strings.Contains(said, "hunter2") {
		t.Errorf("no warehouse there: %s", said)
	}
	k.stop()
	keys := filepath.Join(k.data, "keys")
	files, err := filepath.Glob(filepath.Join(keys, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("keys %v, %v", files, err)
	}
	for _, place := range append(files, keys, k.data) {
		info, err := os.Stat(place)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", place, info.Mode())
		}
		if err := os.Chmod(place, info.Mode().Perm()|0o044); err != nil {
			t.Fatal(err)
		}
		refusal(place, "chmod")
		if err := os.Chmod(place, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(keys, keys+".away"); err != nil {
		t.Fatal(err)
	}
	refusal("keys", "backup")
	if err := os.Rename(keys+".away", keys); err != nil {
		t.Fatal(err)
	}
	p := launch(t, k.dir, []string{"KASSA_ENGINE_LIB=/nowhere/libchdb.so"}, programs.kassa, "serve", "--config", k.file)
	if status := p.wait(30 * time.Second); status == 0 || !strings.Contains(p.log.String(), "/nowhere/libchdb.so") {
		t.Errorf("no engine: status %d: %s", status, p.log.String())
	}
	k.start()
	k.stop()
}

// SIGHUP puts other shops and tokens in force without a restart; a file that is wrong changes nothing.
func TestReload(t *testing.T) {
	k := serve(t, options{})
	before, err := os.ReadFile(k.file)
	if err != nil {
		t.Fatal(err)
	}
	post := func() answer {
		d := decision(fresh("reload"), true, false)
		d["shop"] = "third"
		return k.consent(d)
	}
	post().is(t, 404, "unknown-shop", "")
	reload := func(yaml string) {
		write(t, k.file, yaml)
		k.signal(syscall.SIGHUP)
	}
	old, oldURL := k.owner, k.private+"/api/v1/shops/demo/coverage"
	_, hash := auth.Fresh()
	changed := strings.Replace(string(before), "tokens:", "  - {id: third}\ntokens:", 1)
	reload(strings.Replace(changed, auth.Hash(old), hash, 1))
	eventually(t, 10*time.Second, "the new shop", func() string { return notStatus(post(), 201) })
	must(t, http.MethodGet, oldURL, nil, bearer(old)).is(t, 401, "invalid-token", "")
	must(t, http.MethodGet, oldURL, nil, bearer(k.marketing)).is(t, 200, "", "")
	reload("shops: [{id: demo}, {id: demo}]\n")
	k.until("former one stays in force", 10*time.Second)
	if !strings.Contains(k.log.String(), k.file+":1") {
		t.Errorf("the log does not say where: %s", k.log.tail(1000))
	}
	post().is(t, 201, "", "")
	reload(string(before))
	eventually(t, 10*time.Second, "the former shops", func() string { return notStatus(post(), 404) })
	must(t, http.MethodGet, oldURL, nil, bearer(old)).is(t, 200, "", "")
	k.stop()
}
