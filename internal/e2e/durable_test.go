package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
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

// A spool whose disk runs full takes nothing, says so, and takes again once there is space, without a restart.
func TestDiskFull(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	dir := directory(t)
	disk := filepath.Join(dir, "data", "spool")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	mount(t, disk, "400m")
	// The keys belong to the data: where there is a spool and no key, kassa makes none.
	seed := serve(t, options{})
	seed.stop()
	if err := os.CopyFS(filepath.Join(dir, "data", "keys"), os.DirFS(filepath.Join(seed.data, "keys"))); err != nil {
		t.Fatal(err)
	}
	private(t, filepath.Join(dir, "data", "keys"))

	k := serve(t, options{dir: dir})
	visitor := fresh("full")
	receipt := k.grant(visitor)
	sent := []string{}
	event := func() object {
		sent = append(sent, fresh("e"))
		return batch(visitor, receipt, object{"id": sent[len(sent)-1], "name": "page_view"})
	}
	k.events(event()).is(t, 202, "", "")
	for range 2 {
		filler := filepath.Join(disk, "filler")
		write(t, filler, strings.Repeat("x", 200<<20)) // leaves less than the watermark of 256 MiB
		var a answer
		eventually(t, 5*time.Second, "to be refused", func() string {
			b := event()
			if a = k.events(b); a.status == 202 {
				return "still taken"
			}
			sent = sent[:len(sent)-1]
			return ""
		})
		refused(t, a)
		refused(t, k.consent(decision(fresh("late"), true, false)))
		refused(t, must(t, http.MethodPost, k.public+"/v1/consent/withdraw", object{"receipt": receipt}))
		must(t, http.MethodGet, k.private+"/readyz", nil).is(t, 503, "not-ready", "")
		must(t, http.MethodGet, k.public+"/healthz", nil).is(t, 200, "", "")
		if err := k.report("/checkout?"+span(0), &checkout{}); err != nil {
			t.Errorf("reports while the spool is full: %v", err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		again := event()
		eventually(t, 10*time.Second, "to be let in again", func() string { return notStatus(k.events(again), 202) })
		must(t, http.MethodGet, k.private+"/readyz", nil).is(t, 200, "", "")
	}
	k.events(event()).is(t, 202, "", "") // the withdrawal that was refused is not in force
	k.settle()
	k.stop()
	stored(t, k, sent, nil)
}

// mount puts a file system of a size on a directory, for the time of the test.
func mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("kassa-test", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("needs to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
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
