package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kassa-analytics/kassa/internal/auth"
)

const browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

// consent gives a visitor's receipt.
func (k *kassa) consent(visitor string) string {
	k.t.Helper()
	status, body := k.request(http.MethodPost, k.public+"/v1/consent", "",
		`{"shop":"demo","visitor":"`+visitor+`","purposes":{"analytics":true,"marketing":false},"notice":{"version":"1","language":"en"},"source":"banner"}`,
		"Origin", "https://shop.example", "User-Agent", browser)
	var granted struct {
		Receipt string `json:"receipt"`
	}
	if err := json.Unmarshal([]byte(body), &granted); status != http.StatusCreated || err != nil {
		k.t.Fatalf("consent: %d %s", status, body)
	}
	return granted.Receipt
}

// post sends events of a visitor; it gives the status.
func (k *kassa) post(visitor, receipt string, ids ...string) (int, string) {
	var events []string
	for _, id := range ids {
		events = append(events, `{"id":"`+id+`","name":"add_to_cart","cart":"cart-of-`+id+`","value":"1.00"}`)
	}
	return k.request(http.MethodPost, k.public+"/v1/events", "", `{"shop":"demo","visitor":"`+visitor+`","receipt":"`+receipt+`","session":"s","events":[`+strings.Join(events, ",")+`]}`,
		"Origin", "https://shop.example", "User-Agent", browser)
}

func (k *kassa) visit(visitor string, ids ...string) {
	k.t.Helper()
	if status, body := k.post(visitor, k.consent(visitor), ids...); status != http.StatusAccepted {
		k.t.Fatalf("events: %d %s", status, body)
	}
}

// stored waits until the reports know so many carts, and fails where there are more.
func (k *kassa) stored(carts int) {
	k.t.Helper()
	today := time.Now().UTC()
	path := "/api/v1/shops/demo/checkout?from=" + today.AddDate(0, 0, -1).Format(time.DateOnly) + "&to=" + today.Format(time.DateOnly)
	var f figures
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		k.get(token(auth.Owner), path, &f)
		if f.Totals.Carts >= carts || time.Now().After(end) {
			break
		}
	}
	if f.Totals.Carts != carts {
		k.t.Errorf("%d carts in the reports, want %d", f.Totals.Carts, carts)
	}
}

// TestKilledUnderLoadNothingAcknowledgedIsLost kills serve with SIGKILL while shoppers post, three times, with repeats of what was not
// acknowledged, and counts at the end: each acknowledged event is a cart of its own.
func TestKilledUnderLoadNothingAcknowledgedIsLost(t *testing.T) {
	cfg := write(t, "timezone: UTC, name: Demo", auth.Owner)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	sent := map[string]bool{}
	for round := range 3 {
		k := startProcess(t, "serve", "--config", cfg)
		var shoppers sync.WaitGroup
		ready := make(chan struct{}, 8)
		for s := range 8 {
			visitor := fmt.Sprintf("visitor-%d-0123456789", s)
			receipt := k.consent(visitor)
			shoppers.Go(func() {
				for n := 0; ; n++ {
					id := fmt.Sprintf("event-%d-%d-%d", round, s, n)
					mu.Lock()
					sent[id] = true
					mu.Unlock()
					status, _ := k.post(visitor, receipt, id)
					if status != http.StatusAccepted {
						return // killed
					}
					mu.Lock()
					acknowledged[id] = true
					mu.Unlock()
					if n == 100 {
						ready <- struct{}{}
					}
				}
			})
		}
		for range 8 {
			<-ready
		}
		k.kill()
		shoppers.Wait()
	}
	k := startProcess(t, "serve", "--config", cfg)
	// What was sent and not acknowledged is sent again, as a tag does: it counts once, whether it was stored or not.
	for s := range 8 {
		visitor := fmt.Sprintf("visitor-%d-0123456789", s)
		receipt := k.consent(visitor)
		for id := range sent {
			if !acknowledged[id] && strings.Contains(id, fmt.Sprintf("-%d-", s)) && id[len("event-0-"):][0] == byte('0'+s) {
				if status, body := k.post(visitor, receipt, id); status != http.StatusAccepted {
					t.Errorf("%d %s", status, body)
				}
			}
		}
	}
	t.Logf("%d sent, %d acknowledged before the kills", len(sent), len(acknowledged))
	k.stored(len(sent))
}

// TestStoppingTakesNothingInAndDeliversWhatWasAccepted posts until SIGTERM ends it.
func TestStoppingTakesNothingInAndDeliversWhatWasAccepted(t *testing.T) {
	cfg := write(t, "timezone: UTC, name: Demo", auth.Owner)
	k := startProcess(t, "serve", "--config", cfg)
	const visitor = "visitor-0123456789"
	receipt := k.consent(visitor)
	acknowledged := 0
	started := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			status, body := k.post(visitor, receipt, fmt.Sprintf("event-%d", acknowledged))
			if status != http.StatusAccepted {
				if status != 0 && status != http.StatusServiceUnavailable {
					t.Errorf("%d %s", status, body)
				}
				return
			}
			if acknowledged++; acknowledged == 50 {
				close(started)
			}
		}
	}()
	<-started
	if status := k.stop(); status != 0 {
		t.Errorf("status %d\n%s", status, k.log)
	}
	<-ended
	k = startProcess(t, "serve", "--config", cfg)
	if _, metrics := k.request(http.MethodGet, k.private+"/metrics", "", ""); !strings.Contains(metrics, fmt.Sprintf("kassa_events_stored_total %d\n", acknowledged)) {
		t.Errorf("not all of %d acknowledged events were delivered before the end", acknowledged)
	}
	k.stored(acknowledged)
}

// TestWhileTheSpoolDrainsShoppersAreToldToComeBack stops a serve whose warehouse is away: it answers 503 while it waits, and what was
// accepted is stored by the next start.
func TestWhileTheSpoolDrainsShoppersAreToldToComeBack(t *testing.T) {
	engineArgs := []string{"engine", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(t.TempDir(), "engine")}
	engine := start(t, engineArgs...)
	cfg := write(t, "timezone: UTC, name: Demo", auth.Owner)
	k := startProcess(t, "serve", "--config", cfg, "--warehouse", engine.private+"/kassa")
	const visitor = "visitor-0123456789"
	receipt := k.consent(visitor)
	engine.stop()
	if status, body := k.post(visitor, receipt, "event-1", "event-2"); status != http.StatusAccepted {
		t.Fatalf("with the warehouse away: %d %s", status, body)
	}
	if err := k.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	more := 0
	for n := 3; ; n++ {
		status, body := k.post(visitor, receipt, fmt.Sprintf("event-%d", n))
		if status == http.StatusServiceUnavailable {
			if !strings.Contains(body, `"not-durable"`) {
				t.Errorf("%s", body)
			}
			if status, _ := k.request(http.MethodGet, k.private+"/readyz", "", ""); status != http.StatusServiceUnavailable {
				t.Errorf("readyz says %d", status)
			}
			break
		}
		if status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
		more++
	}
	k.kill()
	engine = start(t, engineArgs...)
	k = startProcess(t, "serve", "--config", cfg, "--warehouse", engine.private+"/kassa")
	k.stored(2 + more)
}
