package delivery

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kassa-analytics/kassa/collector"
	"github.com/kassa-analytics/kassa/collector/spool"
	"github.com/kassa-analytics/kassa/consentgate"
)

// fileWarehouse survives its process: one line an event.
type fileWarehouse struct {
	mu    sync.Mutex
	f     *os.File
	known map[[16]byte]int64
}

func openFileWarehouse(path string) (*fileWarehouse, error) {
	w := &fileWarehouse{known: map[[16]byte]int64{}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		var n int
		if _, err := fmt.Sscanf(line, "/p/%d\n", &n); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		w.known[id(n)] = event(n).Time
	}
	w.f, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return w, err
}

func (w *fileWarehouse) KnownEventIDs(_ context.Context, _ string, ids [][16]byte) (map[[16]byte]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[[16]byte]int64{}
	for _, id := range ids {
		if t, ok := w.known[id]; ok {
			out[id] = t
		}
	}
	return out, nil
}

func (w *fileWarehouse) Insert(_ context.Context, _ string, events []collector.Event, _ []consentgate.Record) error {
	if rand.N(4) == 0 {
		return errors.New("refused")
	}
	var b strings.Builder
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range events {
		if _, ok := w.known[ev.ID]; !ok {
			fmt.Fprintln(&b, ev.Page)
			w.known[ev.ID] = ev.Time
		}
	}
	if _, err := w.f.WriteString(b.String()); err != nil {
		return err
	}
	if rand.N(4) == 0 {
		return errors.New("answer lost")
	}
	return nil
}

// child is the process that is killed: it appends numbered events from a range of its
// own, tells each acknowledgement, and delivers at the same time.
func child(dir string, from int, finish bool) error {
	sp, err := spool.Open(spool.Config{Dir: filepath.Join(dir, "spool"), MinFreeBytes: -1, SegmentBytes: 256 << 10})
	if err != nil {
		return err
	}
	wh, err := openFileWarehouse(filepath.Join(dir, "warehouse"))
	if err != nil {
		return err
	}
	dl, err := OpenDeadLetters(filepath.Join(dir, "deadletters"), 0)
	if err != nil {
		return err
	}
	d, err := New(Config{
		Dir: filepath.Join(dir, "delivery"), Spool: sp, Warehouse: wh, DeadLetters: dl,
		Consent: &ruling{}, Linger: time.Millisecond, RetryMin: time.Microsecond, RetryMax: time.Millisecond, MaxEvents: 50,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	if finish {
		drain, stop := context.WithTimeout(ctx, 30*time.Second)
		defer stop()
		if err := d.Drain(drain); err != nil {
			return err
		}
		out, _ := json.Marshal(d.Counters())
		fmt.Printf("counters %s\n", out)
		cancel()
		return errors.Join(<-ran, sp.Close())
	}
	in := Intake{sp}
	for w := range 8 {
		go func() {
			for n := from + w; ; n += 8 {
				data := collectorEncode(event(n))
				if _, err := in.AppendEvents(ctx, data, 1, 0); err != nil {
					fmt.Println("error", err)
					return
				}
				fmt.Printf("ack %d\n", n) // one write(2) a line
			}
		}()
	}
	return <-ran
}

func collectorEncode(ev collector.Event) []byte {
	data, err := collector.EncodeEvents([]collector.Event{ev})
	if err != nil {
		panic(err)
	}
	return data
}

// kill -9 at moments of its own choosing, round after round: every acknowledged id is
// stored, once, and the counters add up.
func TestKill9(t *testing.T) {
	if dir := os.Getenv("KASSA_TEST_KILL_DIR"); dir != "" {
		var from int
		fmt.Sscan(os.Getenv("KASSA_TEST_KILL_FROM"), &from)
		if err := child(dir, from, from < 0); err != nil {
			fmt.Println("error", err)
		}
		return
	}
	dir := t.TempDir()
	acked := map[int]bool{}
	run := func(from int, life time.Duration) (counters string) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill9$")
		cmd.Env = append(os.Environ(), "KASSA_TEST_KILL_DIR="+dir, fmt.Sprint("KASSA_TEST_KILL_FROM=", from))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var kill *time.Timer
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if kill == nil && life > 0 { // it lives from its first word on
				kill = time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
			}
			what, rest, _ := strings.Cut(lines.Text(), " ")
			switch what {
			case "ack":
				var n int
				fmt.Sscan(rest, &n)
				acked[n] = true
			case "counters":
				counters = rest
			case "error":
				t.Errorf("child: %s", rest)
			}
		}
		_ = cmd.Wait()
		return counters
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		run(round*1_000_000, time.Duration(5+rand.N(80))*time.Millisecond)
	}
	var c Counters
	if err := json.Unmarshal([]byte(run(-1, 0)), &c); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "warehouse"))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[int]bool{}
	for line := range strings.Lines(string(b)) {
		var n int
		fmt.Sscanf(line, "/p/%d\n", &n)
		if stored[n] {
			t.Errorf("%d stored twice", n)
		}
		stored[n] = true
	}
	for n := range acked {
		if !stored[n] {
			t.Errorf("%d was acknowledged and is not stored", n)
		}
	}
	if c.Stored != int64(len(stored)) || c.Accepted() != c.Stored || len(acked) == 0 {
		t.Errorf("%+v; %d stored, %d acknowledged", c, len(stored), len(acked))
	}
	t.Logf("%d acknowledged, %d stored in %d rounds", len(acked), len(stored), rounds)
}
