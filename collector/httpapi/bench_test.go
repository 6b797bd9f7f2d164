package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sys/unix"
)

// slice is how long one side is loaded before the other has its turn: both see the same neighbours on the machine.
const slice = 250 * time.Millisecond

// BenchmarkIngest sends events over many kept connections, by turns to the real handler, which checks consent and fsyncs, and to an echo
// handler that does nothing but drain the same body. ratio is what DESIGN sets targets for: 0.5 at 64 connections, 0.6 at 256, one event each.
func BenchmarkIngest(b *testing.B) {
	for _, conns := range []int{64, 256} {
		for _, size := range []int{1, 20} {
			b.Run(fmt.Sprintf("conns=%d/batch=%d", conns, size), func(b *testing.B) {
				w := newWorld(b, func(o *options) { o.spool.SegmentBytes = 32 << 20 })
				w.now.Store(time.Now().UnixNano())
				empty := echo.New()
				empty.POST("/v1/events", func(c echo.Context) error {
					if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
						return err
					}
					return c.NoContent(http.StatusAccepted)
				})
				s := httptest.NewServer(empty)
				defer s.Close()
				real := dial(b, w.url, w.receipt("demo", visitor, analytics), conns, size)
				base := dial(b, s.URL, w.receipt("demo", visitor, analytics), conns, size)
				var ratios, work []float64
				var requests, taken float64
				for b.Loop() {
					start, used := time.Now(), processorTime(b)
					n := real.load(slice)
					requests, taken = requests+n, taken+time.Since(start).Seconds()
					middle := processorTime(b)
					empties := base.load(slice)
					ratios = append(ratios, n/empties)
					work = append(work, float64(processorTime(b)-middle)/empties/(float64(middle-used)/n))
				}
				slices.Sort(ratios)
				slices.Sort(work)
				b.ReportMetric(ratios[len(ratios)/2], "ratio")
				b.ReportMetric(work[len(work)/2], "cpu-ratio") // of processor time a request: what neighbours on the machine change less
				b.ReportMetric(requests/taken, "requests/s")
				b.ReportMetric(requests*float64(size)/taken, "events/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// processorTime is what this process has used so far, generator and server together.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// generator holds open connections to one server.
type generator struct {
	b       *testing.B
	conns   []net.Conn
	receipt string
	size    int
	next    atomic.Int64
}

func dial(b *testing.B, url, receipt string, conns, size int) *generator {
	g := &generator{b: b, receipt: receipt, size: size}
	for range conns {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		g.conns = append(g.conns, conn)
	}
	return g
}

// load sends as much as it can for a time and gives the number of requests answered with 202.
func (g *generator) load(d time.Duration) float64 {
	var done atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for _, conn := range g.conns {
		all.Go(func() {
			in := bufio.NewReader(conn)
			for time.Now().Before(end) {
				if _, err := conn.Write(benchRequest(g.receipt, g.next.Add(1), g.size)); err != nil {
					g.b.Error(err)
					return
				}
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					g.b.Error(err)
					return
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusAccepted {
					g.b.Errorf("answer %d %v", res.StatusCode, err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return float64(done.Load())
}

func benchRequest(receipt string, n int64, size int) []byte {
	body := make([]byte, 0, 1024+size*300)
	body = append(body, `{"shop":"demo","receipt":"`...)
	body = append(body, receipt...)
	body = append(body, `","visitor":"`+visitor+`","session":"0195-session","events":[`...)
	for i := range size {
		if i > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendInt(append(body, `{"id":"`...), n*1000+int64(i), 10)
		body = append(body, `","name":"add_to_cart","page":"/p/glass","language":"nl","referrer":"https://www.google.com/","cart":"c-81","currency":"EUR","value":"24.50","items":[{"id":"SKU-1","name":"Glass","category":"Glas","price":"12.25","quantity":2}]}`...)
	}
	body = append(body, `]}`...)
	head := "POST /v1/events HTTP/1.1\r\nHost: shop\r\nUser-Agent: " + browser + "\r\nContent-Type: application/json\r\nOrigin: " + origin + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return append([]byte(head), body...)
}
