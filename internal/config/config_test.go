package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/internal/auth"
)

func write(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kassa.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestWhatIsWrongIsRefusedWithLineAndReason(t *testing.T) {
	const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for _, tt := range []struct {
		name, content string
		want          []string // after the file's name
	}{
		{"unknown key", "data_dir: x\nshop: []\n", []string{":2: shop: is not a key here; known are admin_listen, bots,"}},
		{"unknown nested key", "retention:\n  event: 1d\n", []string{":2: retention.event: is not a key here; known are carts, consents,"}},
		{"public url", "public_url: stats.shop.example\n", []string{`:1: public_url: "stats.shop.example" is not a web address`}},
		{"bad values, all of them", "warehouse: mysql://x\nbots: maybe\nlisten: nowhere\nretention: {events: 13 months, carts: -1h}\nrate_limit: {burst: 0, requests_per_second: nan}\ntrusted_proxies: [10.0.0.0/33]\n", []string{
			`:1: warehouse: has the unknown scheme "mysql"; write embedded`, `:2: bots: "maybe" is neither drop nor keep`, `:3: listen: "nowhere" is not an address`,
			`:4: retention.events: "13 months" is not a duration`, `:4: retention.carts: "-1h" is not a duration`,
			`:5: rate_limit.burst: "0" is not a whole number of at least 1`, `:5: rate_limit.requests_per_second: "nan" is not`, `:6: trusted_proxies[0]: "10.0.0.0/33" is not a network`,
		}},
		{"two shops of one id", "shops:\n  - id: a\n  - id: b\n  - id: a\n", []string{`:4: shops[2].id: "a" is the id of the shop on line 2 too`}},
		{"shop", "shops:\n  - id: Demo\n    currency: EURO\n    timezone: Brussels\n    abandon_after: 0\n    origins: [shop.example, 'https://shop.example/', 'https://shop.example']\n    recovery_url: cart\n  - name: x\n", []string{
			`:2: shops[0].id: "Demo" is not a shop id`, `:3: shops[0].currency: "EURO" is not an ISO 4217 currency`, `:4: shops[0].timezone: "Brussels" is not a time zone`,
			`:5: shops[0].abandon_after: is 0`, `:6: shops[0].origins[0]: "shop.example" is not an origin`, `:6: shops[0].origins[1]: "https://shop.example/" is not`,
			`:7: shops[0].recovery_url: "cart" is not a web address`, `:8: shops[1]: has no id`,
		}},
		{"steps overlap", "shops:\n  - id: a\n    steps: [add_to_cart, Begin, add_to_cart, purchase, refund]\n", []string{
			`:3: shops[0].steps[1]: "Begin" is not an event name`, `:3: shops[0].steps[2]: "add_to_cart" is a step already`, `:3: shops[0].steps: has steps after purchase`}},
		{"too few steps", "shops:\n  - id: a\n    steps: [purchase]\n", []string{`:3: shops[0].steps: has 1 steps; write 2 to 12`}},
		{"too many steps", "shops:\n  - id: a\n    steps: [a,b,c,d,e,f,g,h,i,j,k,l,m]\n", []string{`:3: shops[0].steps: has 13 steps`}},
		{"tokens", "tokens:\n  - {name: a, shop: demo, role: boss, sha256: \"12\"}\n  - {shop: demo, role: owner, sha256: " + hash + ", expires: soon}\n  - {role: owner, shop: demo, sha256: " + hash + "}\n  - {role: owner, sha256: " + strings.Repeat("ab", 32) + "}\nshops: [{id: other}]\n", []string{
			`:2: tokens[0].role: "boss" is not a role`, `:2: tokens[0].sha256: is not the SHA-256`, `:2: tokens[0]: is for the shop "demo", which is not among shops`,
			`:3: tokens[1].expires: "soon" is not a day`, `:3: tokens[1]: is for the shop`, `:4: tokens[2].sha256: is the token of line 3 too`, `:4: tokens[2]: is for the shop`, `:5: tokens[3]: has no shop`}},
		{"notice missing", "notices:\n  - {version: \"1\", language: nl, file: gone.md}\n  - {version: \"2\", language: dutch}\n", []string{
			`:2: notices[0].file: the file `, `:3: notices[1].language: "dutch" is not a language`, `:3: notices[1]: has no file`}},
		{"not a mapping", "- a\n", []string{`:1: must be a mapping`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := write(t, tt.content)
			_, err := Load(Source{File: name})
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("got %d problems, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], name+tt.want[i]) {
					t.Errorf("problem %d\n got %s\nwant %s", i, got[i], name+tt.want[i])
				}
			}
		})
	}
}

func TestTokensThemselvesAreNotRepeatedInErrors(t *testing.T) {
	_, err := Load(Source{File: write(t, "shops: [{id: demo}]\ntokens: [{role: owner, shop: demo, sha256: kassa_secret}]\n")})
	if err == nil || strings.Contains(err.Error(), "kassa_secret") {
		t.Errorf("got %v", err)
	}
	_, err = Load(Source{File: write(t, "warehouse: \"http://u:hunter2@[::1/db\"\n")})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestFlagOverEnvironmentOverFileOverDefault(t *testing.T) {
	name := write(t, "listen: :1\nadmin_listen: :2\nbots: keep\n")
	var warnings []string
	c, err := Load(Source{
		File:    name,
		Environ: []string{"KASSA_LISTEN=:11", "KASSA_ADMIN_LISTEN=:12", "KASSA_RETENTION__EVENTS=2y", "KASSA_CONFIG=x", "KASSA_ENGINE_LIB=y", "KASSA_LISTN=z", "HOME=/"},
		Flags:   map[string]string{"listen": ":21"},
		Warn:    func(m string) { warnings = append(warnings, m) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":21" || c.AdminListen != ":12" || c.Bots != KeepBots || c.Retention.Events != 2*year || c.Retention.Carts != 25*month {
		t.Errorf("got %+v", c)
	}
	if c.DataDir != filepath.Join(mustAbs(t, "."), "data") {
		t.Errorf("data_dir %s", c.DataDir)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "KASSA_LISTN") {
		t.Errorf("warnings %q", warnings)
	}
	_, err = Load(Source{File: name, Environ: []string{"KASSA_BOTS=x"}, Flags: map[string]string{"data_dir": "", "admin_listen": "y"}})
	want := []string{`environment variable KASSA_BOTS: "x" is neither`, `--admin-listen: "y" is not an address`, `--data-dir: is empty`}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want %s", err, w)
		}
	}
}

func mustAbs(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func TestNoFileIsTheDefaultsAndANamedFileMustExist(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(Source{})
	if err != nil {
		t.Fatal(err)
	}
	if c.File != "" || len(c.Shops) != 0 || c.Warehouse != Embedded || c.RateLimit != (RateLimit{200, 2000}) {
		t.Errorf("got %+v", c)
	}
	for _, src := range []Source{{File: "gone.yaml"}, {Environ: []string{"KASSA_CONFIG=gone.yaml"}}} {
		if _, err := Load(src); err == nil || !strings.Contains(err.Error(), "gone.yaml; write one") {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheExampleIsTheDefaults(t *testing.T) {
	c, err := Load(Source{File: filepath.Join("..", "..", "docs", "kassa.example.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.File, want.DataDir = c.File, c.DataDir
	s := defaultShop()
	s.ID, s.Name, s.Origins, s.Timezone = "demo", "Demo shop", []string{"https://shop.example"}, c.Shops[0].Timezone
	want.Shops = []Shop{s}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
	if s.Timezone.String() != "Europe/Brussels" || filepath.Base(c.DataDir) != "data" || filepath.Base(filepath.Dir(c.DataDir)) != "docs" {
		t.Errorf("zone %s, data_dir %s", s.Timezone, c.DataDir)
	}
}

func TestNoticesAreLoadedAndHashedTokensRead(t *testing.T) {
	dir := t.TempDir()
	text := "Wij meten.\n"
	if err := os.WriteFile(filepath.Join(dir, "nl.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "k.yaml")
	content := "tokens:\n  - {name: o, shop: demo, role: owner, sha256: " + auth.Hash("abc") + ", expires: \"2027-12-31\"}\n  - {name: p, role: metrics, sha256: " + auth.Hash("def") + "}\n" +
		"shops: [{id: demo, origins: ['null', \"https://a.example:8443\"]}]\nnotices: [{version: 2026-11, language: nl, file: nl.md}]\n"
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Source{File: name})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	n := c.Notices[0]
	if n.SHA256 != hex.EncodeToString(sum[:]) || string(n.Text) != text || n.Version != "2026-11" || n.File != filepath.Join(dir, "nl.md") {
		t.Errorf("notice %+v", n)
	}
	if got := c.Tokens[0].Expires; !got.Equal(time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("a token that expires on a day holds until %s, want that day's end", got)
	}
	if !slices.Equal(c.Shops[0].Origins, []string{"null", "https://a.example:8443"}) || c.Shops[0].Name != "demo" {
		t.Errorf("shop %+v", c.Shops[0])
	}
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * day, "12mo": year, "1y6mo": year + 6*month, "1.5d": 36 * time.Hour, "250ms": 250 * time.Millisecond, "5y": 5 * year,
	} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "7", "d", "-1h", "1w", "1h-3m", "999999999y", "250y250y", "1 d", "1.d.", "NaN"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q: accepted as %v", s, got)
		}
	}
}

func TestARateOfZeroIsNoLimit(t *testing.T) {
	c, err := Load(Source{File: write(t, "rate_limit: {requests_per_second: 0}\n")})
	if err != nil || c.RateLimit.RequestsPerSecond != 0 {
		t.Errorf("got %v, %v", c, err)
	}
	if _, err = Load(Source{File: write(t, "rate_limit: {requests_per_second: -1}\n")}); err == nil || !strings.Contains(err.Error(), "at least 0") {
		t.Errorf("got %v", err)
	}
}
