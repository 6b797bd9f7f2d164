package e2e

import (
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// engine is a kassa engine on a data directory that no serve uses.
type engine struct {
	*process
	url string
}

// openEngine starts kassa engine with a configuration file.
func openEngine(t testing.TB, dir, file string) *engine {
	t.Helper()
	e := &engine{process: launch(t, dir, engineEnv(), programs.kassa, "engine", "--config", file, "--listen", "127.0.0.1:0")}
	line := e.until("the engine is ready", startBound)
	_, rest, _ := strings.Cut(line, "url=")
	e.url, _, _ = strings.Cut(rest, " ")
	return e
}

// connect opens the database kassa.
func (e *engine) connect() driver.Conn {
	e.t.Helper()
	u, err := url.Parse(e.url)
	if err != nil {
		e.t.Fatal(err)
	}
	conn, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{u.Host}, Auth: clickhouse.Auth{Database: "kassa"}})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { conn.Close() })
	return conn
}

// stored checks what is stored in a stopped kassa's data directory: each id that was acknowledged exactly once, each that may have arrived
// once at most, and nothing else. It gives how many of the latter are there.
func stored(t testing.TB, k *kassa, acknowledged, unknown []string) (arrived int) {
	t.Helper()
	keys := k.keys()
	name := map[string]string{}
	may := map[string]bool{}
	for _, id := range acknowledged {
		hash := keys.EventID("demo", id)
		name[hex.EncodeToString(hash[:])] = id
	}
	for _, id := range unknown {
		hash := keys.EventID("demo", id)
		may[hex.EncodeToString(hash[:])] = true
	}
	e := openEngine(t, k.dir, k.file)
	defer e.kill()
	rows, err := e.connect().Query(t.Context(), "SELECT lower(hex(event_id)), count() FROM events GROUP BY event_id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	twice, strangers := 0, 0
	for rows.Next() {
		var id string
		var n uint64
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		switch _, known := name[id]; {
		case known:
			delete(name, id)
		case may[id]:
			arrived++
		default:
			strangers++
		}
		if n != 1 {
			twice++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(name) > 0 || twice > 0 || strangers > 0 {
		t.Errorf("of %d acknowledged ids %d are missing, %d stored more than once; %d stored that nobody sent", len(acknowledged), len(name), twice, strangers)
	}
	return arrived
}
