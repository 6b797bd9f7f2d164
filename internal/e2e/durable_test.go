package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// refused checks the answer of a kassa that can take nothing now.
func refused(t *testing.T, a answer) {
	t.Helper()
	if a.is(t, 503, "not-durable", ""); a.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", a.header)
	}
}

// private gives copied keys the modes they must have.
func private(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Chmod(f, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// Asked to stop, kassa delivers what it has, and meanwhile tells whoever comes to come again; a request that has begun is answered.
func TestRefusesWhileItStops(t *testing.T) {
	k := serve(t, options{})
	visitor := fresh("drain")
	receipt := k.grant(visitor)
	sent := []string{}
	events := func(n int) object {
		b := batch(visitor, receipt)
		list := make([]object, n)
		for i := range list {
			list[i] = object{"id": fresh("e"), "name": "page_view"}
			sent = append(sent, list[i]["id"].(string))
		}
		b["events"] = list
		return b
	}
	for range 4 { // the delivery has something to do
		k.events(events(500)).is(t, 202, "", "")
	}
	body := string(raw(t, events(1)))
	begun, err := net.Dial("tcp", strings.TrimPrefix(k.public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Close()
	_ = begun.SetDeadline(time.Now().Add(30 * time.Second))
	say := func(text string) {
		if _, err := io.WriteString(begun, text); err != nil {
			t.Fatal(err)
		}
	}
	say(fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: kassa\r\nUser-Agent: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", browser, len(body), body[:20]))
	for range 12 {
		k.events(events(500)).is(t, 202, "", "")
	}
	k.signal(syscall.SIGTERM)
	told := 0
	last := raw(t, batch(visitor, receipt, object{"id": "too-late", "name": "page_view"}))
	for {
		a, err := request(http.MethodPost, k.public+"/v1/events", last)
		if err != nil {
			break // the listener is closed
		}
		if a.status == 202 && told == 0 { // the signal is on its way
			sent = append(sent, "too-late")
			continue
		}
		refused(t, a)
		told++
		time.Sleep(5 * time.Millisecond)
	}
	if told == 0 {
		t.Error("nobody was told to come again")
	}
	say(body[20:])
	res, err := http.ReadResponse(bufio.NewReader(begun), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 202 {
		t.Errorf("what had begun got %s", res.Status)
	}
	if status := k.wait(stopBound); status != 0 {
		t.Errorf("ended with status %d", status)
	}
	t.Logf("%d were told to come again", told)
	stored(t, k, sent, nil)
}
