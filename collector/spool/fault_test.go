package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft-wal/types"
)

// faultFS is the real file system with disk faults on demand.
type faultFS struct {
	osFS
	syncs   atomic.Int64
	mu      sync.Mutex
	syncErr error // returned by Sync
	// writeErr is returned by WriteAt, after half of the bytes were written.
	writeErr  error
	createErr error
	gate      chan struct{} // Sync waits for it
}

func (f *faultFS) set(sync, write, create error) {
	f.mu.Lock()
	f.syncErr, f.writeErr, f.createErr = sync, write, create
	f.mu.Unlock()
}

func (f *faultFS) hold() (release func()) {
	gate := make(chan struct{})
	f.mu.Lock()
	f.gate = gate
	f.mu.Unlock()
	return func() {
		f.mu.Lock()
		f.gate = nil
		f.mu.Unlock()
		close(gate)
	}
}

func (f *faultFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f.mu.Lock()
	err := f.createErr
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	w, err := f.osFS.Create(dir, name, size)
	return &faultFile{WritableFile: w, fs: f}, err
}

func (f *faultFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	w, err := f.osFS.OpenWriter(dir, name)
	if err != nil {
		return nil, err
	}
	return &faultFile{WritableFile: w, fs: f}, nil
}

type faultFile struct {
	types.WritableFile
	fs *faultFS
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	err := f.fs.writeErr
	f.fs.mu.Unlock()
	if err != nil {
		n, _ := f.WritableFile.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.WritableFile.WriteAt(p, off)
}

func (f *faultFile) Sync() error {
	f.fs.syncs.Add(1)
	f.fs.mu.Lock()
	err, gate := f.fs.syncErr, f.fs.gate
	f.fs.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if err != nil {
		return err
	}
	return f.WritableFile.Sync()
}

// testClock is moved by hand; safe for concurrent use.
type testClock struct{ ns atomic.Int64 }

func newClock() *testClock {
	c := &testClock{}
	c.ns.Store(1_800_000_000e9)
	return c
}
func (c *testClock) now() time.Time        { return time.Unix(0, c.ns.Load()) }
func (c *testClock) step(by time.Duration) { c.ns.Add(int64(by)) }

func TestDiskFaults(t *testing.T) {
	for name, c := range map[string]struct {
		sync, write, create error
		full                bool
	}{
		"fsync fails":                       {sync: syscall.EIO},
		"write cut short":                   {write: syscall.EIO},
		"disk full":                         {write: syscall.ENOSPC, create: syscall.ENOSPC, full: true},
		"fsync fails, no new log for a bit": {sync: syscall.EIO, create: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			fs, clock := &faultFS{}, newClock()
			dir := t.TempDir()
			s := open(t, Config{Dir: dir, FS: fs, Clock: clock.now})
			add(t, s, 100)

			fs.set(c.sync, c.write, c.create)
			for range 3 {
				_, err := s.Append(t.Context(), Record{Kind: 9, Data: []byte("never promised"), Events: 1000})
				if !errors.Is(err, ErrNotDurable) || errors.Is(err, ErrFull) != c.full {
					t.Fatalf("got %v", err)
				}
				if s.Err() == nil {
					t.Fatal("Err says all is well")
				}
				clock.step(healEvery / 2)
			}
			check(t, s, 1, 100)
			if s.Pending() != eventsIn(1, 100) {
				t.Fatalf("pending %d", s.Pending())
			}

			fs.set(nil, nil, nil)
			clock.step(healEvery)
			add(t, s, 100)
			check(t, s, 1, 200)
			if s.Err() != nil || s.Pending() != eventsIn(1, 200) {
				t.Fatalf("%v, pending %d", s.Err(), s.Pending())
			}
			copied := open(t, Config{Dir: snapshot(t, dir)})
			check(t, copied, 1, 200)
			if copied.Pending() != eventsIn(1, 200) || copied.Bytes() != s.Bytes() {
				t.Fatalf("after a crash: pending %d, bytes %d want %d", copied.Pending(), copied.Bytes(), s.Bytes())
			}
			if err := s.Forget(150); err != nil {
				t.Fatal(err)
			}
			check(t, s, 151, 200)
		})
	}
}

func TestErrAloneLetsTheSpoolRecover(t *testing.T) {
	fs, clock := &faultFS{}, newClock()
	s := open(t, Config{Dir: t.TempDir(), FS: fs, Clock: clock.now})
	add(t, s, 5)
	fs.set(syscall.EIO, nil, nil)
	if _, err := s.Append(t.Context(), Record{}); !errors.Is(err, ErrNotDurable) {
		t.Fatal(err)
	}
	fs.set(nil, nil, nil)
	for range 1000 {
		clock.step(healEvery)
		if s.Err() == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	add(t, s, 5)
	check(t, s, 1, 10)
}

// A segment that cannot be followed by the next must not stop the spool for good.
func TestRotationFailsThenRecovers(t *testing.T) {
	fs, clock := &faultFS{}, newClock()
	s := open(t, Config{Dir: t.TempDir(), FS: fs, Clock: clock.now, SegmentBytes: 8 << 10})
	add(t, s, 10)
	fs.set(nil, nil, syscall.ENOSPC)
	var err error
	for err == nil {
		i := s.Last() + 1
		_, err = s.Append(t.Context(), Record{Kind: 7, Data: payload(i), Events: int(i % 3), Tag: i * 5})
	}
	if !errors.Is(err, ErrNotDurable) {
		t.Fatal(err)
	}
	fs.set(nil, nil, nil)
	clock.step(healEvery)
	add(t, s, 500)
	check(t, s, 1, s.Last())
}

func TestAllQueuedBehindAFailedFsyncAreRefused(t *testing.T) {
	fs, clock := &faultFS{}, newClock()
	s := open(t, Config{Dir: t.TempDir(), FS: fs, Clock: clock.now})
	add(t, s, 5)
	release := fs.hold()
	fs.set(syscall.EIO, nil, nil)
	var wg sync.WaitGroup
	var refused atomic.Int64
	for range 20 {
		wg.Go(func() {
			if _, err := s.Append(t.Context(), Record{Data: make([]byte, 10)}); errors.Is(err, ErrNotDurable) {
				refused.Add(1)
			}
		})
	}
	for s.queued.Load() < 20*(10+recordHeaderLen) {
		time.Sleep(time.Millisecond)
	}
	release()
	wg.Wait()
	if refused.Load() != 20 || s.Last() != 5 || s.queued.Load() != 0 {
		t.Fatalf("%d refused, last %d, queued %d", refused.Load(), s.Last(), s.queued.Load())
	}
	fs.set(nil, nil, nil)
	clock.step(healEvery)
	add(t, s, 5)
	check(t, s, 1, 10)
}

func segments(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log-*", "*.wal"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	return files
}

// readAll reads what can be read and counts what is reported lost.
func readAll(t testing.TB, s *Spool) (good map[uint64]bool, lost map[uint64]bool, lostEvents int64) {
	t.Helper()
	good, lost = map[uint64]bool{}, map[uint64]bool{}
	for next := s.First(); next <= s.Last(); {
		entries, err := s.Read(next, 1<<20)
		var ce *CorruptionError
		if errors.As(err, &ce) {
			if ce.First != next || ce.Last < ce.First || ce.Last > s.Last() || ce.Segment == "" || ce.Unwrap() == nil {
				t.Fatalf("at %d: %+v", next, ce)
			}
			for i := ce.First; i <= ce.Last; i++ {
				lost[i] = true
			}
			lostEvents += ce.Events
			next = ce.Last + 1
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if string(e.Data) != string(payload(e.Index)) || e.Index != next {
				t.Fatalf("record %d: wrong data passed as right", e.Index)
			}
			good[e.Index] = true
			next++
		}
	}
	return good, lost, lostEvents
}

// Whatever byte of the log flips, each acknowledged record is read back right or
// reported; none vanishes.
func TestFlippedByteIsNeverSilent(t *testing.T) {
	const n = 120
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 8 << 10})
	add(t, s, n)
	for round, name := range segments(t, dir) {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		end := len(strings.TrimRight(string(whole), "\x00"))
		step := 37
		if testing.Short() {
			step = 371
		}
		for at := round; at < end; at += step {
			rel, _ := filepath.Rel(dir, name)
			t.Run(fmt.Sprintf("%s/byte=%d", filepath.Base(name)[:24], at), func(t *testing.T) {
				bad := snapshot(t, dir)
				broken := append([]byte(nil), whole...)
				broken[at] ^= 0x41
				if err := os.WriteFile(filepath.Join(bad, rel), broken, 0o600); err != nil {
					t.Fatal(err)
				}
				got, err := Open(Config{Dir: bad, MinFreeBytes: -1, SegmentBytes: 8 << 10})
				var ce *CorruptionError
				if errors.As(err, &ce) {
					return // said
				}
				if err != nil {
					t.Fatal(err)
				}
				defer got.Close()
				good, lost, events := readAll(t, got)
				if len(good)+len(lost) != n {
					t.Fatalf("%d good and %d reported, of %d", len(good), len(lost), n)
				}
				var want int64
				for i := range lost {
					want += int64(i % 3)
				}
				if events != want {
					t.Fatalf("%d events reported lost, want %d (%v)", events, want, lost)
				}
				if err := got.Forget(got.Last()); err != nil {
					t.Fatal(err)
				}
				if got.Pending() != 0 {
					t.Fatalf("pending %d after forgetting", got.Pending())
				}
			})
		}
	}
}

// A write torn before it was acknowledged is cut without fuss; the same bytes torn
// after the acknowledgement are reported.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	add(t, s, 50)
	before, err := os.ReadFile(filepath.Join(dir, "mark"))
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, 1)
	for _, acknowledged := range []bool{false, true} {
		bad := snapshot(t, dir)
		name := segments(t, bad)[0]
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		end := len(strings.TrimRight(string(b), "\x00"))
		copy(b[end-40:], make([]byte, 40))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if !acknowledged {
			if err := os.WriteFile(filepath.Join(bad, "mark"), before, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Open(Config{Dir: bad, MinFreeBytes: -1})
		var ce *CorruptionError
		switch {
		case acknowledged && (!errors.As(err, &ce) || ce.First != 51 || ce.Last != 51):
			t.Errorf("acknowledged: %v", err)
		case !acknowledged && err != nil:
			t.Errorf("not acknowledged: %v", err)
		case !acknowledged:
			check(t, got, 1, 50)
			add(t, got, 1)
			check(t, got, 1, 51)
			got.Close()
		}
	}
}

func TestMissingLogIsReported(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	add(t, s, 5)
	bad := snapshot(t, dir)
	if err := os.RemoveAll(generationDir(bad, 1)); err != nil {
		t.Fatal(err)
	}
	var ce *CorruptionError
	if _, err := Open(Config{Dir: bad}); !errors.As(err, &ce) {
		t.Fatal(err)
	}
}

// A crash may fall into the middle of a log's removal: what is left of it is not taken for a log.
func TestRemovalIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	add(t, s, 5)
	crashed := snapshot(t, dir)
	half := filepath.Join(crashed, gonePrefix+filepath.Base(generationDir(crashed, 6)))
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "00000000000000000001-0000000000000000.wal"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Dir: crashed})
	check(t, again, 1, 5)
	add(t, again, 1)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was being removed is still there: %v", err)
	}
}

func TestDamagedMarkIsSaidAndSurvived(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	add(t, s, 5)
	bad := snapshot(t, dir)
	b, err := os.ReadFile(filepath.Join(bad, "mark"))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(b[8:], 99)
	if err := os.WriteFile(filepath.Join(bad, "mark"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	got := open(t, Config{Dir: bad})
	check(t, got, 1, 5)
}
