package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostileBound is how much resident memory hostile senders may cost, however long they go on: eight at one time, each of whose requests may
// hold a megabyte of body, what it decodes to, and what the garbage collector has not taken back yet.
const hostileBound = 160 << 20

// Hostile batches cost a 4xx each and a bounded amount of memory, and leave nothing behind.
func TestHostileBatches(t *testing.T) {
	k := serve(t, options{})
	visitor := fresh("hostile")
	good := k.grant(visitor)
	gz := []change{header("Content-Encoding", "gzip")}
	one := func(fields string) string {
		return fmt.Sprintf(`{"shop":"demo","receipt":%q,"visitor":%q,"events":[{%s}]}`, good, visitor, fields)
	}
	purchase := func(field string) string { return one(`"id":"x","name":"purchase",` + field) }
	faults := strings.TrimSuffix(strings.Repeat(`{"id":"x","name":"purchase","value":"`+strings.Repeat("9", 60)+`","time":"never","items":[{"price":{}},{"quantity":-1}],"error":{"kind":"?"}},`, 500), ",")
	cases := []struct {
		name    string
		body    any
		changes []change
		status  int
	}{
		{"bad UTF-8", purchase("\"order\":\"\xff\xfe\""), nil, 400},
		{"half a surrogate", purchase(`"order":"\ud800"`), nil, 400},
		{"NUL and control characters", purchase("\"order\":\"\x00\x01\""), nil, 400},
		{"name twice", purchase(`"value":"1","value":"2"`), nil, 400},
		{"1e400", purchase(`"value":1e400`), nil, 422},
		{"a million digits", purchase(`"value":` + strings.Repeat("9", 1_000_000)), nil, 422},
		{"NaN", purchase(`"value":NaN`), nil, 400},
		{"NaN as text", purchase(`"value":"NaN"`), nil, 422},
		{"minus infinity", purchase(`"value":"-Infinity"`), nil, 422},
		{"year 9999", purchase(`"time":"9999-12-31T23:59:59Z"`), nil, 422},
		{"year 1", purchase(`"time":"0001-01-01T00:00:00Z"`), nil, 422},
		{"milliseconds beyond 64 bits", purchase(`"time":99999999999999999999999`), nil, 422},
		{"time of another type", purchase(`"time":{"$date":0}`), nil, 422},
		{"quantity beyond 64 bits", purchase(`"items":[{"quantity":1e30}]`), nil, 422},
		{"5 MB", strings.Repeat("x", 5<<20), nil, 413},
		{"5 MB in chunks", chunked(`{"shop":"` + strings.Repeat("x", 5<<20)), nil, 413},
		{"gzip bomb", bomb(t), gz, 413},
		{"gzip bomb in a gzip bomb", zipped(t, bomb(t)), gz, 400},
		{"cut gzip", zipped(t, []byte(one("")))[:40], gz, 400},
		{"10,000 nested arrays", purchase(`"items":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), nil, 400},
		{"300,000 nested objects", purchase(`"junk":` + strings.Repeat(`{"a":`, 150_000)), nil, 400},
		{"60,000 names", `{"shop":"demo",` + names(60_000) + `"events":[]}`, nil, 422},
		{"500 events, each at fault", fmt.Sprintf(`{"shop":"demo","receipt":%q,"visitor":%q,"events":[%s]}`, good, visitor, faults), nil, 422},
		{"a megabyte of receipt", fmt.Sprintf(`{"shop":"demo","receipt":%q,"visitor":%q,"events":[{"id":"x","name":"page_view"}]}`, strings.Repeat("a.", 450_000), visitor), nil, 403},
		{"a header of 100 KB", one(`"id":"x","name":"page_view"`), []change{header("X-Flood", strings.Repeat("x", 100_000))}, 431},
		{"2,000 headers", one(`"id":"x","name":"page_view"`), []change{func(r *http.Request) {
			for i := range 2000 {
				r.Header.Set("X-Flood-"+strconv.Itoa(i), strings.Repeat("x", 20))
			}
		}}, 431},
	}
	round := func(check bool) {
		for _, c := range cases {
			a, err := request(http.MethodPost, k.public+"/v1/events", c.body, c.changes...)
			switch {
			case err != nil && c.status >= 413: // the server hangs up while we are still sending
			case err != nil:
				t.Errorf("%s: %v", c.name, err)
			case a.status != c.status || c.status != 431 && a.header.Get("Content-Type") != "application/problem+json":
				t.Errorf("%s: %d %.300s, want %d", c.name, a.status, a.body, c.status)
			case check:
				t.Logf("%s: %d %s", c.name, a.status, a.Type)
			}
		}
	}
	round(true)
	slow := slowClients(t, strings.TrimPrefix(k.public, "http://"), 100)
	before := k.memory("VmRSS")
	k.resetPeak()
	deadline := time.Now().Add(6 * time.Second)
	rounds := 0
	var count sync.Mutex
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for time.Now().Before(deadline) {
				round(false)
				count.Lock()
				rounds++
				count.Unlock()
			}
		})
	}
	// Ordinary shoppers are served all the while.
	worst := time.Duration(0)
	for time.Now().Before(deadline) {
		start := time.Now()
		k.events(batch(visitor, good, object{"id": fresh("e"), "name": "page_view"})).is(t, 202, "", "")
		worst = max(worst, time.Since(start))
		time.Sleep(50 * time.Millisecond)
	}
	senders.Wait()
	peak := k.memory("VmHWM")
	t.Logf("%d hostile requests, %d of them slow for ever: resident memory %d MiB before, %d MiB at its peak; an ordinary request took %v at worst",
		rounds*len(cases), 100, before>>20, peak>>20, worst.Round(time.Millisecond))
	if grown := peak - before; grown > hostileBound {
		t.Errorf("resident memory grew by %d MiB, at most %d are allowed", grown>>20, hostileBound>>20)
	}
	slow()
	k.settle()
	k.stop()
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"n%d":1,`, i)
	}
	return b.String()
}

// bomb is 256 MiB of blanks in 256 KiB.
func bomb(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 256 {
		if _, err := z.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// slowClients opens connections that send a header line a second and never come to the request; the function given checks that the
// server has hung up on them.
func slowClients(t testing.TB, address string, n int) (hungUp func()) {
	t.Helper()
	var open []net.Conn
	for range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, "POST /v1/events HTTP/1.1\r\nHost: x\r\n"); err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	stop := make(chan struct{})
	var drip sync.WaitGroup
	drip.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				for _, c := range open {
					_, _ = fmt.Fprintf(c, "X-%d: 1\r\n", i)
				}
			}
		}
	})
	t.Cleanup(func() {
		select {
		case <-stop:
		default:
			close(stop)
		}
		drip.Wait()
	})
	return func() {
		close(stop)
		still := 0
		for _, c := range open {
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "timeout") {
				still++
			}
		}
		if still > 0 {
			t.Errorf("%d of %d slow clients are still connected", still, n)
		}
	}
}

// memory reads a figure of /proc/PID/status, in bytes.
func (k *kassa) memory(field string) int64 {
	k.t.Helper()
	status, err := os.ReadFile(k.proc("status"))
	if err != nil {
		k.t.Skipf("needs Linux: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), field+":")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		k.t.Fatal(err)
	}
	return kib << 10
}

// resetPeak makes VmHWM begin anew.
func (k *kassa) resetPeak() {
	k.t.Helper()
	if err := os.WriteFile(k.proc("clear_refs"), []byte("5"), 0); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kassa) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(k.cmd.Process.Pid), name)
}
