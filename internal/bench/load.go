package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// request is a prepared HTTP request in which the event ids' digits are counted up in place, so that the generator costs as little as
// possible beside what it measures.
type request struct {
	bytes   []byte
	ids     []int // where each event id's idDigits digits begin
	visits  []int // where each session's and cart's number begins, of as many digits
	sent    uint64
	counter *atomic.Uint64
}

const idDigits = 12

// eventsPerSession is how many events a session has before the request goes on to another; its number stands where "@" does.
const eventsPerSession = 20

// newRequest prepares POST path with a JSON body in which each placeholder (idDigits times "#") is an event id's number.
func newRequest(host, path, body string, counter *atomic.Uint64) *request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, host, len(body), body)
	r := &request{bytes: b.Bytes(), counter: counter}
	r.ids, r.visits = places(r.bytes, '#'), places(r.bytes, '@')
	return r
}

// places are the beginnings of the runs of idDigits times the character.
func places(b []byte, c byte) (found []int) {
	run := bytes.Repeat([]byte{c}, idDigits)
	for at := 0; ; {
		i := bytes.Index(b[at:], run)
		if i < 0 {
			return found
		}
		found = append(found, at+i)
		at += i + idDigits
	}
}

// requests are sent in turn.
type requests struct {
	list []*request
	at   int
}

func (r *requests) add(one *request) { r.list = append(r.list, one) }

// share is every n-th request from the i-th on, for one of n connections.
func (r *requests) share(i, n int) *requests {
	s := &requests{}
	for ; i < len(r.list); i += n {
		s.add(r.list[i])
	}
	return s
}

func (r *requests) next() []byte {
	r.at++
	return r.list[r.at%len(r.list)].next()
}

// next gives every event of the request a fresh id.
func (r *request) next() []byte {
	if len(r.ids) == 0 {
		return r.bytes
	}
	n := r.counter.Add(uint64(len(r.ids)))
	for _, at := range r.ids {
		r.number(at, n)
		n--
	}
	if r.sent%eventsPerSession < uint64(len(r.ids)) {
		for _, at := range r.visits {
			r.number(at, n)
		}
	}
	r.sent += uint64(len(r.ids))
	return r.bytes
}

func (r *request) number(at int, v uint64) {
	for i := idDigits - 1; i >= 0; i-- {
		r.bytes[at+i] = byte('0' + v%10)
		v /= 10
	}
}

// load sends requests over so many connections for so long and tells how many were answered with the wanted status per second.
func load(ctx context.Context, address string, template *requests, connections, status int, length time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var done atomic.Int64
	errs := make(chan error, connections)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range connections {
		wg.Go(func() {
			if err := hammer(ctx, address, template.share(i, connections), status, &done); err != nil {
				errs <- err
				cancel()
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return float64(done.Load()) / time.Since(start).Seconds(), nil
	}
}

// hammer sends requests over one connection until the context ends.
func hammer(ctx context.Context, address string, r *requests, status int, done *atomic.Int64) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", address, err)
	}
	defer conn.Close()
	answer := bufio.NewReaderSize(conn, 8<<10)
	for ctx.Err() == nil {
		if _, err := conn.Write(r.next()); err != nil {
			return fmt.Errorf("sending a request: %w", err)
		}
		got, body, err := readAnswer(answer)
		if err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		if got != status {
			return fmt.Errorf("answered %d instead of %d: %s", got, status, body)
		}
		done.Add(1)
	}
	return nil
}

// readAnswer reads one HTTP/1.1 answer with a Content-Length (204 has none); body only where the status tells a failure.
func readAnswer(r *bufio.Reader) (status int, body []byte, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		return 0, nil, fmt.Errorf("status line %q: %w", line, err)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("status line %q: %w", line, err)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return 0, nil, fmt.Errorf("content length %q: %w", v, err)
			}
		}
	}
	if status >= 400 {
		body = make([]byte, length)
		_, err = io.ReadFull(r, body)
		return status, body, err
	}
	_, err = r.Discard(length)
	return status, nil, err
}
