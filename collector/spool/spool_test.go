package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, cfg Config) *Spool {
	t.Helper()
	if cfg.MinFreeBytes == 0 {
		cfg.MinFreeBytes = -1
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = 64 << 10
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func payload(i uint64) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("<%d>", i)), 1+int(i%40))
}

func add(t testing.TB, s *Spool, n int) {
	t.Helper()
	for range n {
		i := s.Last() + 1
		got, err := s.Append(t.Context(), Record{Kind: 7, Data: payload(i), Events: int(i % 3), Tag: i * 5})
		if err != nil || got != i {
			t.Fatalf("append %d: index %d, %v", i, got, err)
		}
	}
}

// check reads everything from first to last and compares it.
func check(t testing.TB, s *Spool, first, last uint64) {
	t.Helper()
	next := first
	for next <= last {
		entries, err := s.Read(next, 4096)
		if err != nil {
			t.Fatalf("read %d: %v", next, err)
		}
		if len(entries) == 0 {
			t.Fatalf("read %d: nothing", next)
		}
		for _, e := range entries {
			if e.Index != next || e.Kind != 7 || e.Tag != next*5 || e.Events != int(next%3) || !bytes.Equal(e.Data, payload(next)) {
				t.Fatalf("record %d: got %+v", next, e)
			}
			next++
		}
	}
	if entries, err := s.Read(last+1, 4096); err != nil || len(entries) != 0 {
		t.Fatalf("after the last: %d entries, %v", len(entries), err)
	}
}

func eventsIn(first, last uint64) (n int64) {
	for i := first; i <= last; i++ {
		n += int64(i % 3)
	}
	return n
}

// snapshot copies the live directory: what a kill -9 at this moment leaves.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if out, err := exec.Command("cp", "-r", "--sparse=always", dir+"/.", to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

func TestRoundTripAcrossReopening(t *testing.T) {
	dir := t.TempDir()
	var first uint64 = 1
	for round := range 4 {
		s, err := Open(Config{Dir: dir, MinFreeBytes: -1, SegmentBytes: 16 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if s.First() != first || s.Pending() != eventsIn(first, s.Last()) {
			t.Fatalf("round %d: first %d, want %d; pending %d, want %d", round, s.First(), first, s.Pending(), eventsIn(first, s.Last()))
		}
		check(t, s, first, s.Last())
		add(t, s, 500)
		check(t, s, first, s.Last())
		if err := s.Forget(s.Last() - 123); err != nil {
			t.Fatal(err)
		}
		first = s.Last() - 122
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), Record{}); !errors.Is(err, ErrClosed) {
			t.Fatalf("append after close: %v", err)
		}
		if _, err := s.Read(1, 1); err != nil && !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	}
}

func TestForgetAllThenGoOn(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, 10)
	if err := s.Forget(1 << 60); err != nil {
		t.Fatal(err)
	}
	if s.Pending() != 0 || s.Bytes() != 0 || s.First() != 11 {
		t.Fatalf("pending %d, bytes %d, first %d", s.Pending(), s.Bytes(), s.First())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if s.Pending() != 0 || s.Bytes() != 0 || s.Last() != 10 {
		t.Fatalf("pending %d, bytes %d, last %d", s.Pending(), s.Bytes(), s.Last())
	}
	add(t, s, 5)
	check(t, s, 11, 15)
	if s.Pending() != eventsIn(11, 15) {
		t.Fatalf("pending %d", s.Pending())
	}
}

func TestCrashKeepsEveryAcknowledgedRecord(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 8 << 10})
	for range 5 {
		add(t, s, 200)
		if err := s.Forget(s.Last() - 250); err != nil {
			t.Fatal(err)
		}
		copied := open(t, Config{Dir: snapshot(t, dir), SegmentBytes: 8 << 10})
		if copied.Last() != s.Last() || copied.First() != s.First() || copied.Pending() != s.Pending() || copied.Bytes() != s.Bytes() {
			t.Fatalf("last %d/%d first %d/%d pending %d/%d bytes %d/%d", copied.Last(), s.Last(), copied.First(), s.First(), copied.Pending(), s.Pending(), copied.Bytes(), s.Bytes())
		}
		check(t, copied, copied.First(), copied.Last())
		add(t, copied, 50)
		check(t, copied, copied.First(), copied.Last())
		again := open(t, Config{Dir: snapshot(t, copied.Dir()), SegmentBytes: 8 << 10})
		check(t, again, again.First(), copied.Last())
		if again.Pending() != copied.Pending() {
			t.Fatalf("pending %d, want %d", again.Pending(), copied.Pending())
		}
	}
}

func TestSpaceIsFreed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 16 << 10})
	for range 20 {
		add(t, s, 300)
		if err := s.Forget(s.Last()); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "log-*", "*.wal"))
	if err != nil || len(files) > 4 {
		t.Fatalf("%d segment files left, %v", len(files), err)
	}
}

func TestConcurrentAppendsShareFsyncs(t *testing.T) {
	fs := &faultFS{}
	s := open(t, Config{Dir: t.TempDir(), FS: fs})
	const workers, each = 64, 50
	seen := make([]bool, workers*each+1)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				i, err := s.Append(t.Context(), Record{Kind: 1, Data: []byte("x"), Events: 1})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[i] {
					t.Errorf("index %d given twice", i)
				}
				seen[i] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if s.Last() != workers*each || s.Pending() != workers*each {
		t.Fatalf("last %d, pending %d", s.Last(), s.Pending())
	}
	if n := fs.syncs.Load(); n > workers*each/2 {
		t.Errorf("%d fsyncs for %d records", n, workers*each)
	}
	select {
	case <-s.Notify():
	default:
		t.Error("the reader was not notified")
	}
}

func TestReadStopsAtMaxBytesAndReturnsAtLeastOne(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	for range 10 {
		if _, err := s.Append(t.Context(), Record{Data: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ max, want int }{{1, 1}, {1000, 1}, {2500, 2}, {1 << 20, 10}} {
		e, err := s.Read(1, c.max)
		if err != nil || len(e) != c.want {
			t.Errorf("Read(1, %d): %d entries, %v; want %d", c.max, len(e), err, c.want)
		}
	}
}

func TestFull(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: 10_000})
	var err error
	for err == nil {
		_, err = s.Append(t.Context(), Record{Data: make([]byte, 900)})
	}
	if !errors.Is(err, ErrFull) || s.Err() == nil && s.Bytes() < 9000 {
		t.Fatalf("%v after %d bytes", err, s.Bytes())
	}
	if err := s.Forget(s.Last()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), Record{Data: make([]byte, 900)}); err != nil {
		t.Fatalf("after forgetting: %v", err)
	}
}

func TestFreeSpaceWatermark(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	free := uint64(100)
	s := open(t, Config{
		Dir: t.TempDir(), MinFreeBytes: 1000,
		Clock:     func() time.Time { return now },
		FreeBytes: func(string) (uint64, error) { return free, nil },
	})
	if _, err := s.Append(t.Context(), Record{}); !errors.Is(err, ErrFull) {
		t.Fatalf("below the watermark: %v", err)
	}
	free = 5000
	now = now.Add(time.Second)
	if _, err := s.Append(t.Context(), Record{}); err != nil {
		t.Fatalf("space is back: %v", err)
	}
}

func TestContextEndedBeforeTheWrite(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, Record{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if s.Last() != 0 {
		t.Fatal("it was written")
	}
}

func TestContextEndedWhileQueuedBehindAFullGroup(t *testing.T) {
	fs := &faultFS{}
	s := open(t, Config{Dir: t.TempDir(), GroupBytes: 64, FS: fs})
	add(t, s, 1)
	release := fs.hold()
	var wg sync.WaitGroup
	for range 2 { // one in the fsync, one fills the open group
		wg.Go(func() {
			if _, err := s.Append(t.Context(), Record{Data: make([]byte, 60)}); err != nil {
				t.Error(err)
			}
		})
	}
	for s.queued.Load() < 2*(60+recordHeaderLen) {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := s.Append(ctx, Record{Data: make([]byte, 60)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	wg.Wait()
	if s.Last() != 3 {
		t.Errorf("last %d, want 3", s.Last())
	}
}

func TestTooLarge(t *testing.T) {
	s := open(t, Config{Dir: t.TempDir()})
	if _, err := s.Append(t.Context(), Record{Data: make([]byte, MaxRecordBytes+1)}); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), Record{Data: make([]byte, MaxRecordBytes)}); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Read(1, 1); err != nil || len(e) != 1 || len(e[0].Data) != MaxRecordBytes {
		t.Fatal(err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []Config{{}, {Dir: "x", MaxBytes: -1}, {Dir: "x", SegmentBytes: -1}, {Dir: "x", GroupBytes: 1 << 30}} {
		if c.Validate() == nil {
			t.Errorf("%+v accepted", c)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, Config{Dir: dir})
	add(t, s, 1)
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Fatalf("%v %v", st.Mode(), err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, conc := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("concurrency=%d", conc), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir(), SegmentBytes: 32 << 20, MaxBytes: 64 << 30})
			data := make([]byte, 400)
			for i := range data {
				data[i] = byte(rand.Uint32())
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range conc {
				wg.Go(func() {
					for range (b.N + conc - 1 - w) / conc {
						if _, err := s.Append(b.Context(), Record{Data: data, Events: 1}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, group := range []int{1, 64} {
		b.Run(fmt.Sprintf("recordsPerGroup=%d", group), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir(), SegmentBytes: 32 << 20})
			const n = 12_800
			for range n / group {
				var wg sync.WaitGroup
				for range group {
					wg.Go(func() {
						if _, err := s.Append(b.Context(), Record{Data: make([]byte, 400), Events: 1}); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
			}
			b.ReportAllocs()
			b.ResetTimer()
			read := 0
			for read < b.N {
				for next := uint64(1); next <= s.Last() && read < b.N; {
					e, err := s.Read(next, 1<<20)
					if err != nil {
						b.Fatal(err)
					}
					next += uint64(len(e))
					read += len(e)
				}
			}
		})
	}
}
