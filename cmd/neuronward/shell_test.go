package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
	"github.com/neuronward/neuronward/cmd/neuronward/logtest"
)

// The tables of the shell_… files send bytes that no HTTP library would to the real binary, in front of an upstream
// that keeps the bytes it gets. Each row says everything that may be seen of it, on both sides.

const (
	shellModel  = "@cf/meta/llama-3.1-8b-instruct-fp8"
	shellPath   = "/run/" + shellModel
	shellBody   = `{"prompt":"x"}`
	shellAnswer = `{"result":{"response":"x"},"success":true,"errors":[],"messages":[]}`
	shellAI     = "/client/v4/accounts/" + hexAccount + "/ai"
	hostLine    = "Host: localhost\r\n"
	lengthLine  = "Content-Length: 14\r\n"
)

// A rawUpstream keeps each request as received, byte for byte, and answers it with bytes that the test chooses.
type rawUpstream struct {
	addr  string
	conns sync.WaitGroup // connections that are served

	mu     sync.Mutex
	answer string // the next answers
	early  bool   // answered once the headers are there
	seen   []string
}

// wellAnswered is a plain success.
var wellAnswered = rawAnswer("200 OK", "", shellAnswer)

func rawAnswer(status, header, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", status,
		len(body), header, body)
}

func newRawUpstream(t *testing.T) *rawUpstream {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &rawUpstream{addr: ln.Addr().String(), answer: wellAnswered}
	var serving sync.WaitGroup
	t.Cleanup(func() { ln.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			u.conns.Add(1)
			serving.Go(func() { defer u.conns.Done(); u.serve(conn) })
		}
	})
	return u
}

// serve answers the requests of one connection until it breaks or an answer says that it closes.
func (u *rawUpstream) serve(conn net.Conn) {
	defer conn.Close()
	var raw logtest.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	for done := 0; ; {
		r, err := http.ReadRequest(in)
		if err != nil && len(raw.String()) == done {
			return
		}
		u.mu.Lock()
		answer, early := u.answer, u.early
		u.mu.Unlock()
		if err == nil && early {
			head, _, _ := strings.Cut(raw.String()[done:], "\r\n\r\n")
			u.keep(head + "\r\n\r\n")
			_, _ = io.WriteString(conn, answer)
			_, _ = io.Copy(io.Discard, in)
			return
		}
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		end := len(raw.String()) - in.Buffered()
		got := raw.String()[done:end]
		if err != nil {
			u.keep(got + "[broken]")
			return
		}
		u.keep(got)
		done = end
		if _, err := io.WriteString(conn, answer); err != nil || strings.Contains(answer, "Connection: close\r\n") {
			return
		}
	}
}

func (u *rawUpstream) keep(request string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = append(u.seen, request)
}

// begin sets the answer of a row.
func (u *rawUpstream) begin(answer string, early bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen, u.answer, u.early = nil, wellAnswered, early
	if answer != "" {
		u.answer = answer
	}
}

var madeID = regexp.MustCompile(`X-Request-Id: [0-9a-f]{32}\r\n`)

// requests returns what came, with the ids that the proxy has made taken out.
func (u *rawUpstream) requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []string
	for _, request := range u.seen {
		all = append(all, madeID.ReplaceAllString(request, "X-Request-Id: made\r\n"))
	}
	return all
}

// posted is what upstream may see of a POST: these bytes and no others. Lines that are given replace ours of the same
// name.
func (u *rawUpstream) posted(path, body string, lines ...string) string {
	return u.request(http.MethodPost, path, fmt.Sprintf("Content-Length: %d\r\n", len(body)), body, lines...)
}

func (u *rawUpstream) request(method, path, framing, body string, lines ...string) string {
	for _, line := range []string{
		"Accept-Encoding: identity", "Authorization: Bearer " + fakeToken, "X-Request-Id: made",
	} {
		name, _, _ := strings.Cut(line, ":")
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+":") }) {
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	return method + " " + path + " HTTP/1.1\r\nHost: " + u.addr + "\r\n" + framing + strings.Join(lines,
		"\r\n") + "\r\n\r\n" + body
}

// A shellRow is bytes of a caller, and what may come of them.
type shellRow struct {
	name     string
	send     string
	answers  []int    // statuses, in order; none: closed without a word
	open     bool     // another call on the same connection is answered as it should be; otherwise it is closed
	upstream []string // what upstream may see
	answer   string   // of upstream's; "": a plain success
	early    bool     // upstream answers once it has the headers
	half     bool     // the caller sends no more, but reads on
	dropped  bool     // the proxy gives up its connection to upstream
	says     string   // part of the last answer: status line, headers or body
	hides    string   // no part of any answer
}

// A shell is a running proxy under fire.
type shell struct {
	*process
	*rawUpstream
	secure *tls.Config // nil: without TLS
}

func newShell(t *testing.T, environ ...string) shell {
	t.Helper()
	u := newRawUpstream(t)
	return shell{start(t, append([]string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken,
		"NEURONWARD_UPSTREAM=http://" + u.addr + "/client/v4",
		"NEURONWARD_STORE=memory:", "NEURONWARD_QUOTA_MODE=off", "NEURONWARD_RATE_LIMITS=off", "NEURONWARD_RETRIES=0",
		"NEURONWARD_MAX_BODY=64KiB", "NEURONWARD_MODELS=*",
	}, environ...)), u, nil}
}

// newSecureShell is a shell that is called over TLS by this protocol.
func newSecureShell(t *testing.T, protocol string) shell {
	t.Helper()
	pair := certtest.New(t, 1, time.Now())
	s := newShell(t, certtest.NewFiles(t, pair).Environ()...)
	s.secure = &tls.Config{RootCAs: trust(t, pair), NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12}
	return s
}

// maxWait is how long a row may take: only what is broken takes as long.
const maxWait = time.Minute

// A halfConn is a connection that can be closed in one direction.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

func (s shell) dial(t *testing.T) halfConn {
	t.Helper()
	_, addr, _ := strings.Cut(s.app, "://")
	var conn net.Conn
	var err error
	if s.secure != nil {
		conn, err = tls.Dial("tcp", addr, s.secure)
	} else {
		conn, err = net.Dial("tcp", addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(maxWait)); err != nil {
		t.Fatal(err)
	}
	return conn.(halfConn)
}

// run checks the rows one after another.
func (s shell) run(t *testing.T, rows []shellRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(clipped(row.name), func(t *testing.T) { s.check(t, &row) })
	}
}

// clipped is a name that can be read.
func clipped(name string) string { return name[:min(len(name), 60)] }

// check reports whether a row went as it says.
func (s shell) check(t *testing.T, row *shellRow) (ok bool) {
	t.Helper()
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
		ok = false
	}
	ok = true
	s.begin(row.answer, row.early)
	conn := s.dial(t)
	go func() {
		_, _ = io.WriteString(conn, row.send) // it may be refused while it is sent
		if row.half {
			_ = conn.CloseWrite()
		}
	}()
	var whole logtest.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &whole))
	method, _, _ := strings.Cut(row.send, " ")
	var statuses []int
	read := func() error {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return err
		}
		body, err := io.ReadAll(res.Body)
		statuses = append(statuses, res.StatusCode)
		if res.StatusCode >= 400 && method != http.MethodHead && !json.Valid(body) {
			wrong("the body of %d is no JSON: %.300s", res.StatusCode, body)
		}
		return err
	}
	var err error
	for range row.answers {
		if err = read(); err != nil {
			break
		}
	}
	if row.dropped {
		dropped := make(chan struct{})
		go func() { s.conns.Wait(); close(dropped) }()
		select {
		case <-dropped:
		case <-time.After(maxWait):
			wrong("the connection to upstream stays open")
		}
	}
	last := whole.String()
	if row.open && err == nil {
		const next = "GET /errors/aborted HTTP/1.1\r\n" + hostLine + "X-Request-Id: next\r\n\r\n"
		if _, err := io.WriteString(conn, next); err != nil {
			wrong("the next call on the connection: got %v, want to write it", err)
		}
		if err := read(); err != nil {
			wrong("the next call on the connection: got %v, want an answer", err)
		}
		if want := append(slices.Clone(row.answers), 200); !slices.Equal(statuses, want) {
			wrong("the next call on the connection: got statuses %v, want %v", statuses, want)
		}
		if !strings.Contains(whole.String(), "X-Request-Id: next") {
			wrong("the next call on the connection: got\n%.900s\nwant its request id", whole.String())
		}
		statuses = statuses[:len(statuses)-1]
	} else if err == nil {
		err = read()
		for err == nil {
			err = read()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			wrong("the connection stays open")
		}
	}
	if !slices.Equal(statuses, row.answers) {
		wrong("statuses %v, want %v (%v)\n%.500s", statuses, row.answers, err, whole.String())
	}
	if !strings.Contains(last, row.says) {
		wrong("got\n%.900s\nwant %q in it", last, row.says)
	}
	if row.hides != "" && strings.Contains(whole.String(), row.hides) {
		wrong("got\n%.900s\nwant no %q in it", whole.String(), row.hides)
	}
	if strings.Contains(whole.String(), fakeToken) {
		wrong("got\n%.900s\nwant no token in it", whole.String())
	}
	if got := s.requests(); !slices.Equal(got, row.upstream) {
		wrong("upstream got %d:\n%q\nwant %d:\n%q", len(got), got, len(row.upstream), row.upstream)
	}
	return ok
}
