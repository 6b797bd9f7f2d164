package spool

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A disk that is really full: records are refused, none acknowledged is lost, and the
// same process goes on once there is space.
func TestRealDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("kassa-test", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("needs to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	for _, watermark := range []int64{-1, 2 << 20} {
		base := filepath.Join(dir, "spool")
		s, err := Open(Config{Dir: base, SegmentBytes: 256 << 10, MinFreeBytes: watermark})
		if err != nil {
			t.Fatal(err)
		}
		fill := filepath.Join(dir, "fill")
		for round := range 3 {
			add(t, s, 100)
			filler, err := os.Create(fill)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil { // all that is left, to the last byte
				_, err = filler.Write(make([]byte, 4096))
			}
			filler.Close()
			var refused error
			for range 20_000 {
				i := s.Last() + 1
				if _, refused = s.Append(t.Context(), Record{Kind: 7, Data: payload(i), Events: int(i % 3), Tag: i * 5}); refused != nil {
					break
				}
			}
			if !errors.Is(refused, ErrFull) && !errors.Is(refused, ErrNotDurable) {
				t.Fatalf("round %d: %v", round, refused)
			}
			check(t, s, s.First(), s.Last())
			if err := os.Remove(fill); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(10 * time.Second)
			for s.Err() != nil && time.Now().Before(deadline) {
				time.Sleep(healEvery)
				i := s.Last() + 1
				_, _ = s.Append(t.Context(), Record{Kind: 7, Data: payload(i), Events: int(i % 3), Tag: i * 5})
			}
			if s.Err() != nil {
				t.Fatalf("round %d: space is back, still %v", round, s.Err())
			}
			add(t, s, 100)
			check(t, s, s.First(), s.Last())
			if err := s.Forget(s.Last()); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(base); err != nil {
			t.Fatal(err)
		}
	}
}
