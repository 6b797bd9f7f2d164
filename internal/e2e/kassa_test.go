package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/consentgate"
	"github.com/kassa-analytics/kassa/internal/auth"
)

const (
	startBound = 60 * time.Second
	// stopBound is how long a stop may take: ten seconds for running requests, twenty for the warehouse.
	stopBound = 35 * time.Second
	origin    = "https://shop.example"
)

// options change how a kassa is started.
type options struct {
	yaml   string // further top-level keys
	shop   string // further keys of the shop demo
	idle   string // its abandon_after, where not 5m
	tokens string // further tokens, one "  - {…}" line each
	dir    string // a directory of its own where empty
	args   []string
}

// kassa is one kassa serve on its own directory.
type kassa struct {
	*process
	t                        testing.TB
	dir, file, data          string // the directory, kassa.yaml and data_dir in it
	args                     []string
	public, private          string // base URLs
	owner, marketing, ingest string // tokens of the shop demo
	otherOwner, otherIngest  string // tokens of the shop other
}

// serve writes kassa.yaml and starts kassa serve. Money is EUR, days are UTC, and a cart is abandoned after five minutes where
// the options say nothing else.
func serve(t testing.TB, o options) *kassa {
	t.Helper()
	if testing.Short() {
		t.Skip("starts the real program")
	}
	k := &kassa{t: t, dir: o.dir, args: o.args}
	if k.dir == "" {
		k.dir = directory(t)
	}
	k.file, k.data = filepath.Join(k.dir, "kassa.yaml"), filepath.Join(k.dir, "data")
	var tokens strings.Builder
	for _, token := range []struct {
		into *string
		shop string
		role auth.Role
	}{
		{&k.owner, "demo", auth.Owner}, {&k.marketing, "demo", auth.Marketing}, {&k.ingest, "demo", auth.Ingest},
		{&k.otherOwner, "other", auth.Owner}, {&k.otherIngest, "other", auth.Ingest},
	} {
		fresh, hash := auth.Fresh()
		*token.into = fresh
		fmt.Fprintf(&tokens, "  - {name: %s, shop: %s, role: %s, sha256: %q}\n", token.role, token.shop, token.role, hash)
	}
	if o.idle == "" {
		o.idle = "5m"
	}
	if !strings.Contains(o.yaml, "rate_limit:") {
		o.yaml += "\nrate_limit: {requests_per_second: 0}\n"
	}
	write(t, k.file, `data_dir: ./data
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
`+o.yaml+`
shops:
  - id: demo
    name: Demo shop
    origins: ["`+origin+`"]
    currency: EUR
    timezone: UTC
    abandon_after: `+o.idle+`
    superseded_within: 0s
`+o.shop+`
  - {id: other, name: Other shop, origins: ["https://other.example"], currency: USD, timezone: UTC}
tokens:
`+tokens.String()+o.tokens)
	k.start()
	return k
}

// start starts the process and waits until it listens.
func (k *kassa) start() {
	k.t.Helper()
	args := append([]string{"serve", "--config", k.file, "--log-format", "json"}, k.args...)
	k.process = launch(k.t, k.dir, engineEnv(), programs.kassa, args...)
	var ready struct{ Public, Private string }
	if err := json.Unmarshal([]byte(k.until(`"kassa is ready"`, startBound)), &ready); err != nil {
		k.t.Fatal(err)
	}
	k.public, k.private = ready.Public, ready.Private
}

// stop is SIGTERM: the process must end well.
func (k *kassa) stop() {
	k.t.Helper()
	k.signal(syscall.SIGTERM)
	if status := k.wait(stopBound); status != 0 {
		k.t.Fatalf("kassa ended with status %d on SIGTERM", status)
	}
}

// keys are the keys in the data directory.
func (k *kassa) keys() *consentgate.Keys {
	k.t.Helper()
	keys, err := consentgate.OpenKeys(filepath.Join(k.data, "keys"))
	if err != nil {
		k.t.Fatal(err)
	}
	return keys
}

func engineEnv() []string { return []string{"KASSA_ENGINE_LIB=" + programs.engine} }

// directory is a short-named directory (a socket's path must fit) that goes with the test.
func directory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kassa-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually asks until nothing is wrong any more.
func eventually(t testing.TB, bound time.Duration, what string, wrong func() string) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		why := wrong()
		took := time.Since(start)
		if why == "" {
			return took
		}
		if took > bound {
			t.Fatalf("%s: not within %v: %s", what, bound, why)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
