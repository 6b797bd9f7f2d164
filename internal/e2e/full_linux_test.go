package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A spool whose disk runs full takes nothing, says so, and takes again once there is space, without a restart.
func TestDiskFull(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the real program")
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
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
}
