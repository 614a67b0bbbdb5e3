package conns

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The headers of each request have a limit of lines, and its body has none.
func TestHeadersHaveALimitOfLines(t *testing.T) {
	request := func(lines int, body string) string {
		return "POST / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("a: b\r\n", lines-4) +
			fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
	}
	for _, protocol := range []string{"", "http/1.1"} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			}, protocol != "")
			defer s.close()
			conn := s.dial(protocol)
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i, c := range []struct {
				send   string
				status int
			}{
				{request(maxLines, ""), http.StatusOK},
				{request(10, strings.Repeat("\n", 2*maxLines)), http.StatusOK},
				{request(maxLines, ""), http.StatusOK},
				{request(maxLines+1, ""), http.StatusRequestHeaderFieldsTooLarge},
			} {
				go func() { _, _ = io.WriteString(conn, c.send) }()
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatalf("%q, request %d: got %v, want an answer", protocol, i, err)
				}
				body, err := io.ReadAll(res.Body)
				if err != nil {
					t.Errorf("%q, request %d: got %v, want a whole answer", protocol, i, err)
				}
				if res.StatusCode != c.status {
					t.Errorf("%q, request %d: got %d %s, want %d", protocol, i, res.StatusCode, body, c.status)
				}
				if want := fmt.Sprintf("more than %d lines", maxLines); c.status != http.StatusOK &&
					!strings.Contains(string(body), want) {
					t.Errorf("%q, request %d: got %s, want %q", protocol, i, body, want)
				}
			}
		})
	}
}

// failing answers as proxy does what has failed.
func failing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("X-Should-Retry", "false")
	w.Header().Set("Content-Length", "2")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, "no")
}

// Where too many answers are not read the connections that have the most of them are closed, and no other one.
func TestUnreadAnswersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, failing, true)
		defer s.close()
		var closed atomic.Int32
		open := func(streams int) {
			conn := s.dial("h2")
			var all strings.Builder
			all.WriteString(preface + frame(4, 0, 0, "\x00\x04\x00\x00\x00\x00")) // no room for any answer
			for i := range streams {
				all.WriteString(frame(1, 5, uint32(2*i+1), getRoot))
			}
			go func() {
				_, _ = io.Copy(io.Discard, conn)
				closed.Add(1)
			}()
			if _, err := io.WriteString(conn, all.String()); err != nil {
				t.Errorf("requests: got %v, want no error", err)
			}
			synctest.Wait()
		}
		const each = 64 // net/http gives fewer than the 100 that it allows their turn until the first has ended
		open(1)
		for range maxUnread/each - 1 {
			open(each)
		}
		if n := closed.Load(); n != 0 {
			t.Errorf("connections closed with %d answers unread: got %d, want none", maxUnread-each+1, n)
		}
		open(each)
		const want = 5 // of 16, so that three quarters of the limit are left
		if n := closed.Load(); n != want {
			t.Errorf("connections closed with %d answers unread: got %d, want %d", maxUnread+1, n, want)
		}
	})
}

// A caller who does not read cannot make the server keep answers without end.
func TestWhoDoesNotReadIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, true)
		defer s.close()
		conn := s.dial("h2")
		defer conn.Close()
		if _, err := io.WriteString(conn, preface+frame(4, 0, 0, "")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()              // the server writes its settings, which nobody reads
		const pings, size = 1000, 17 // bytes
		var sent atomic.Int64
		go func() {
			for range pings {
				n, _ := io.WriteString(conn, frame(6, 0, 0, "12345678"))
				sent.Add(int64(n))
			}
		}()
		synctest.Wait()
		if n, most := sent.Load(), int64(readAhead); n >= most || n == 0 {
			t.Errorf("bytes sent by who does not read: got %d, want some and fewer than %d", n, most)
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		synctest.Wait()
		if n := sent.Load(); n != pings*size {
			t.Errorf("bytes sent by who reads: got %d, want %d", n, pings*size)
		}
	})
}

// Who does not read takes no place among the connections that work: others are served meanwhile.
func TestWhoDoesNotReadHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, ok, true)
		defer s.close()
		for range 2 * runtime.GOMAXPROCS(0) {
			conn := s.dial("h2")
			defer conn.Close()
			go func() {
				_, _ = io.WriteString(conn, preface+frame(4, 0, 0, "")+
					strings.Repeat(frame(6, 0, 0, "12345678"), 10*readAhead/17))
			}()
			synctest.Wait()
		}
		conn := s.dial("h2")
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(firstRequest)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(conn, preface+frame(4, 0, 0, "")+frame(1, 5, 1, getRoot)) }()
		if _, _, took := nextFrame(t, conn, 1); took != 0 {
			t.Errorf("the answer took %v, want no time", took)
		}
	})
}

// Of connections that share a place one works on what it has read while the others wait.
func TestConnectionsWorkInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := make(chan struct{}, 1)
		var reads atomic.Int32
		open := func() (*turn, net.Conn) {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { ours.Close() })
			go func() {
				for {
					if _, err := io.WriteString(theirs, "a"); err != nil {
						return
					}
				}
			}()
			return newTurn(places, func() {}), ours
		}
		read := func(t *turn, c net.Conn) {
			go func() {
				_, _ = t.read(c, make([]byte, 1))
				reads.Add(1)
			}()
		}
		want := func(what string, n int32) {
			t.Helper()
			synctest.Wait()
			if got := reads.Load(); got != n {
				t.Errorf("%s: got %d reads, want %d", what, got, n)
			}
		}
		first, conn := open()
		second, other := open()
		read(first, conn)
		want("the first one", 1)
		read(second, other)
		want("the second one waits", 1)
		read(first, conn)
		want("the first one reads again: it waits behind the second", 2)
		second.end()
		want("the second one needs no turn any longer", 3)
		read(second, other)
		want("it reads at any time", 4)
		first.end()
		if n := len(places); n != 0 {
			t.Errorf("places taken at the end: got %d, want none", n)
		}
	})
}
