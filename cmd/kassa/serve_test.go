package main

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

func TestServeRefusesWhatIsWrong(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "kassa.yaml")
	if err := os.WriteFile(bad, []byte("data_dir: data\nshops:\n  - id: demo\n    curency: EUR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "kassa.yaml")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"serve", "--config", bad}, 1, bad + ":4: shops[0].curency: is not a key here"},
		{[]string{"serve", "--config", empty}, 1, "no shop is configured; add to " + empty},
		{[]string{"serve", "--config", "gone.yaml"}, 1, "gone.yaml; write one"},
		{[]string{"serve", "--lisen", ":1"}, 2, "unknown flag --lisen"},
		{[]string{"sell"}, 2, `unexpected argument sell`},
		{[]string{"engine", "--listen", "0.0.0.0:8123", "--data-dir", t.TempDir()}, 1, "is not a loopback address"},
		{[]string{"demo", "--days", "400"}, 1, "--days must lie"},
		{[]string{"token", "new", "--role", "boss"}, 2, "--role must be one of"},
		{[]string{"token", "new", "--role", "owner"}, 1, "name it with --shop"},
		{[]string{"deadletters", "purge", "--config", empty}, 1, "say --yes"},
	} {
		status, _, stderr := command(t, tt.args...)
		if status != tt.status || !strings.Contains(stderr, tt.want) {
			t.Errorf("kassa %s: status %d, want %d; got %q, want %q", strings.Join(tt.args, " "), status, tt.status, stderr, tt.want)
		}
	}
}

func TestKeysAreNotMadeAnewBesideOldData(t *testing.T) {
	cfg := write(t, "name: Demo")
	if status, _, stderr := command(t, "keys", "list", "--config", cfg); status != 0 {
		t.Fatal(stderr)
	}
	if err := os.RemoveAll(filepath.Join(filepath.Dir(cfg), "data", "keys")); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := command(t, "serve", "--config", cfg); status != 1 || !strings.Contains(stderr, "bring them back from a backup") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

func TestTokensOpenWhatTheirRolesMay(t *testing.T) {
	cfg := write(t, "name: Demo", auth.Roles...)
	k := start(t, "serve", "--config", cfg)
	const report = "/api/v1/shops/demo/checkout"
	for _, tt := range []struct {
		url, token string
		status     int
		want       string
	}{
		{k.private + report, "", 401, `"invalid-token"`},
		{k.private + report, "nonsense", 401, `"invalid-token"`},
		{k.private + report, token(auth.Owner), 200, `"totals"`},
		{k.private + report, token(auth.Marketing), 200, `"totals"`},
		{k.private + report, token(auth.Privacy), 403, `"forbidden"`},
		{k.private + report, token(auth.Ingest), 403, `"forbidden"`},
		{k.private + report, token(auth.Metrics), 403, `"forbidden"`},
		{k.private + "/api/v1/shops/other/checkout", token(auth.Owner), 403, `"forbidden"`},
		{k.public + report, token(auth.Owner), 404, `"not-found"`},
		{k.public + "/metrics", token(auth.Metrics), 404, `"not-found"`},
		{k.private + "/metrics", "", 401, `"invalid-token"`},
		{k.private + "/metrics", token(auth.Owner), 403, `"forbidden"`},
		{k.private + "/metrics", token(auth.Metrics), 200, "kassa_events_accepted_total 0"},
		{k.private + "/", "", 200, "<html"},
		{k.private + "/healthz", "", 200, "ok"},
		{k.private + "/readyz", "", 200, "ok"},
		{k.public + "/healthz", "", 200, "ok"},
		{k.public + "/readyz", "", 404, `"not-found"`},
		{k.public + "/kassa.js", "", 200, "shop"},
		{k.public + "/.well-known/jwks.json", "", 200, `"ES256"`},
	} {
		status, body := k.request(http.MethodGet, tt.url, tt.token, "")
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s with %q: %d %.200s; want %d %s", tt.url, tt.token, status, body, tt.status, tt.want)
		}
	}
}

func TestOneServeADataDirectoryAndACleanEnd(t *testing.T) {
	cfg := write(t, "name: Demo", auth.Owner)
	k := startProcess(t, "serve", "--config", cfg)
	if status, _, stderr := command(t, "serve", "--config", cfg); status != 1 || !strings.Contains(stderr, "uses the data directory") {
		t.Errorf("a second serve: status %d, %s", status, stderr)
	}
	for _, c := range [][]string{{"keys", "list"}, {"deadletters", "list"}, {"deadletters", "replay"}, {"deadletters", "purge", "--yes"}} {
		running, stdout, stderr := command(t, append(c, "--config", cfg)...)
		if running != 0 {
			t.Errorf("%v beside a serve: status %d, %s%s", c, running, stdout, stderr)
		}
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(cfg), "data", "control.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("control socket: %v %v", info, err)
	}
	if status := k.stop(); status != 0 {
		t.Errorf("status %d after SIGTERM\n%s", status, k.log)
	}
	status, stdout, _ := command(t, "keys", "list", "--config", cfg)
	if status != 0 || !strings.Contains(stdout, `"ES256"`) {
		t.Errorf("keys list without a serve: status %d, %s", status, stdout)
	}
}

func TestReloadChangesShopsAndTokensAndKeepsWhatIsRightOtherwise(t *testing.T) {
	cfg := write(t, "name: Demo", auth.Owner)
	k := start(t, "serve", "--config", cfg)
	content, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	reload := func(content string, until func() bool, what string) {
		t.Helper()
		if err := os.WriteFile(cfg, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		k.reload <- syscall.SIGHUP
		for end := time.Now().Add(10 * time.Second); !until(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s\n%s", what, k.log)
			}
		}
	}
	opens := func(path, token string) bool {
		status, _ := k.request(http.MethodGet, k.private+path, token, "")
		return status == http.StatusOK
	}
	more := strings.Replace(string(content), "tokens:", "  - {id: second}\ntokens:\n  - {name: x, shop: second, role: owner, sha256: "+auth.Hash("fresh")+"}", 1)
	reload(more, func() bool { return opens("/api/v1/shops/second/checkout", "fresh") }, "the second shop does not come into force")
	reload("shops: [{id: x, nonsense: 1}]", func() bool { return strings.Contains(k.log.String(), "kassa.yaml:1: shops[0].nonsense") }, "a wrong configuration is not told of")
	if !opens("/api/v1/shops/second/checkout", "fresh") {
		t.Error("a wrong configuration took the former one out of force")
	}
	reload(string(content), func() bool { return !opens("/api/v1/shops/second/checkout", "fresh") }, "a token taken out still opens")
	if !opens("/api/v1/shops/demo/checkout", token(auth.Owner)) {
		t.Error("the token that stayed does not open any more")
	}
}

func TestTokenNewPrintsALineThatWorks(t *testing.T) {
	status, stdout, stderr := command(t, "token", "new", "--role", "owner", "--shop", "demo", "--name", "the owner", "--expires", "2099-12-31")
	if status != 0 {
		t.Fatal(stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	fresh, line := strings.TrimSpace(lines[2]), lines[len(lines)-1]
	cfg := write(t, "name: Demo")
	content, err := os.ReadFile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg, append(content, line+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	k := start(t, "serve", "--config", cfg)
	if status, body := k.request(http.MethodGet, k.private+"/api/v1/shops/demo/customers", fresh, ""); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}

func TestServeOnAnEngineOfItsOwnProcess(t *testing.T) {
	engine := start(t, "engine", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(t.TempDir(), "engine"))
	cfg := write(t, "name: Demo", auth.Owner)
	k := startProcess(t, "serve", "--config", cfg, "--warehouse", engine.private+"/kassa")
	k.visit("visitor-0123456789abcdef", "e1", "e2")
	k.stored(2)
}
