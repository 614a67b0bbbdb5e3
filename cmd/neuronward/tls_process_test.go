package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/neuronward/neuronward/cmd/neuronward/certtest"
)

// swaps is how often the certificate changes under load: go test ./cmd/neuronward -run TestProcessSwaps -swaps 48
var swaps = flag.Int("swaps", 12, "changes of the certificate under load, a third of them mistakes")

// trust returns a pool of these certificates.
func trust(t *testing.T, pairs ...certtest.Pair) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	for _, p := range pairs {
		if !pool.AppendCertsFromPEM(p.Cert) {
			t.Fatalf("got no certificate, want one: %s", p.Cert)
		}
	}
	return pool
}

// presented returns the serial number of the certificate that a new connection gets.
func (p *process) presented(pool *x509.CertPool) int64 {
	p.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.app, "https://"), &tls.Config{RootCAs: pool})
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A tlsCaller makes calls and now and then a new connection for them.
type tlsCaller struct {
	http.Client
	url                   string
	calls, fresh, resumed int
	serials               map[int64]bool // of the certificates that it was shown
}

// newTLSCaller returns a caller that speaks HTTP/2 or not, and resumes TLS sessions or not.
func newTLSCaller(p *process, pool *x509.CertPool, http2, resume bool) *tlsCaller {
	config := &tls.Config{RootCAs: pool}
	if resume {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return &tlsCaller{
		Client: http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}},
		url:    p.app + "/v1/chat/completions", serials: map[int64]bool{},
	}
}

// call makes one call, every other one a stream, and reports what failed.
func (c *tlsCaller) call() error {
	c.calls++
	if c.calls%3 == 0 {
		c.CloseIdleConnections()
		c.fresh++
	}
	body, end := streamCall, "data: [DONE]\n\n"
	if c.calls%2 == 0 {
		body, end = strings.Replace(streamCall, `"stream":true`, `"stream":false`, 1), "}"
	}
	resp, err := c.Post(c.url, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c.serials[resp.TLS.PeerCertificates[0].SerialNumber.Int64()] = true
	if resp.TLS.DidResume {
		c.resumed++
	}
	answer, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.HasSuffix(string(answer), end)) {
		err = fmt.Errorf("%d %.300q", resp.StatusCode, answer)
	}
	return err
}

// Renewing the certificate costs no call: 32 callers, half of them over HTTP/2, while good and broken pairs come and
// go.
func TestProcessSwapsItsCertificateUnderLoad(t *testing.T) {
	t.Parallel()
	const callers = 32
	pairs := make([]certtest.Pair, *swaps+1)
	for i := range pairs {
		pairs[i] = certtest.New(t, int64(i), time.Now())
	}
	stranger := certtest.New(t, 99, time.Now())
	pool := trust(t, pairs...)
	files := certtest.NewFiles(t, pairs[0])
	p := start(
		t,
		append(files.Environ(), "NEURONWARD_QUOTA_MODE=off", "NEURONWARD_RATE_LIMITS=off", "NEURONWARD_RETRIES=0",
			"NEURONWARD_LOG_LEVEL=debug"),
		"demo",
	)

	var ended atomic.Bool
	var running sync.WaitGroup
	all := make([]*tlsCaller, callers)
	for i := range all {
		all[i] = newTLSCaller(p, pool, i%2 == 0, i%4 < 2)
		running.Go(func() {
			for !ended.Load() {
				if err := all[i].call(); err != nil {
					t.Errorf("caller %d, call %d: got %v, want no error", i, all[i].calls, err)
					return
				}
			}
		})
	}
	shown := int64(0)
	for i := 1; i <= *swaps; i++ {
		success := "1"
		if next := pairs[i]; i%3 != 0 {
			files.Put(next)
			shown = int64(i)
			serial := p.await("the certificate has changed")["serial"]
			equal(t, fmt.Sprintf("serial in the log after swap %d", i), serial, any(strconv.FormatInt(shown, 16)))
		} else {
			broken := []certtest.Pair{
				{Cert: pairs[i-1].Cert, Key: stranger.Key},
				{Cert: pairs[i-1].Cert[:200], Key: next.Key},
				{},
				certtest.New(t, 98, time.Now().Add(-48*time.Hour)),
			}
			files.Put(broken[i/3%len(broken)])
			p.await("the certificate files are unusable")
			success = "0"
		}
		if got := p.presented(pool); got != shown {
			t.Errorf("after swap %d a new connection is shown certificate %d, want %d", i, got, shown)
		}
		_, series := p.get(p.admin + "/metrics")
		contains(t, fmt.Sprintf("the series after swap %d", i), series,
			"\nneuronward_tls_reload_success "+success+"\n")
	}
	ended.Store(true)
	running.Wait()

	calls, fresh, resumed, seen := 0, 0, 0, map[int64]bool{}
	for i, c := range all {
		calls, fresh, resumed = calls+c.calls, fresh+c.fresh, resumed+c.resumed
		for serial := range c.serials {
			seen[serial] = true
		}
		if c.calls < 3 {
			t.Errorf("caller %d: got %d calls, want 3 at least", i, c.calls)
		}
		c.CloseIdleConnections()
	}
	if len(seen) < *swaps/2 {
		t.Errorf("certificates seen: got %d, want %d at least", len(seen), *swaps/2)
	}
	if resumed == 0 {
		t.Error("sessions resumed: got none, want one at least")
	}
	t.Logf("%d swaps, %d of them broken; %d calls over at least %d connections saw %d certificates; %d answers in "+
		"resumed sessions", *swaps, *swaps/3, calls, fresh, len(seen), resumed)

	shownText := p.log.String()
	for _, path := range []string{"/", "/status", "/metrics"} {
		_, body := p.get(p.admin + path)
		shownText += body
	}
	p.stop()
	for i, pair := range append(pairs, stranger) {
		if pair.KeyIn(shownText + p.log.String() + p.out.String()) {
			t.Errorf("got key %d in what is shown or logged, want it nowhere", i)
		}
	}
	if n := strings.Count(p.log.String(), "TLS handshake error"); n > 0 {
		t.Errorf("got %d failed handshakes, want none:\n%s", n, p.log.String())
	}
}

func TestProcessWithACertificate(t *testing.T) {
	t.Parallel()
	pair := certtest.New(t, 7, time.Now())
	pool := trust(t, pair)
	p := start(t, append(costly(t, certtest.NewFiles(t, pair).Environ()...), "NEURONWARD_ADMIN_LISTEN=127.0.0.1:0"))
	addr := strings.TrimPrefix(p.app, "https://")

	for name, c := range map[string]struct {
		offer      []string
		maxVersion uint16
		proto      string
		fails      bool
	}{
		"HTTP/2":               {offer: []string{"h2", "http/1.1"}, proto: "h2"},
		"HTTP/1.1":             {offer: []string{"http/1.1"}, proto: "http/1.1"},
		"no word of protocols": {},
		"TLS 1.2":              {offer: []string{"h2"}, maxVersion: tls.VersionTLS12, proto: "h2"},
		"TLS 1.1":              {maxVersion: tls.VersionTLS11, fails: true},
	} {
		conn, err := tls.Dial("tcp", addr,
			&tls.Config{RootCAs: pool, NextProtos: c.offer, MinVersion: tls.VersionTLS10, MaxVersion: c.maxVersion})
		if c.fails != (err != nil) {
			t.Errorf("%s: got %v, want a failure: %v", name, err, c.fails)
		}
		if err == nil {
			equal(t, name+": protocol", conn.ConnectionState().NegotiatedProtocol, c.proto)
			conn.Close()
		}
	}
	status, body := p.get("http://" + addr + "/errors")
	equal(t, "a plain request: status", status, http.StatusBadRequest)
	contains(t, "a plain request", body, `"name":"bad_input"`)
	contains(t, "a plain request", body, "Call this address by https://.")
	_, series := p.get(p.admin + "/metrics")
	contains(t, "the series", series, "\nneuronward_tls_certificate_expiry_timestamp_seconds 1")
	_, page := p.get(p.admin + "/status")
	equal(t, "the key is in the status", pair.KeyIn(page), false)
	contains(t, "the status", page, `"variable": "NEURONWARD_TLS_KEY"`)

	before := strings.Count(p.log.String(), "TLS handshake error")
	var out bytes.Buffer
	code := run(
		t.Context(), []string{"healthcheck"},
		[]string{"NEURONWARD_ADMIN_LISTEN=", "NEURONWARD_LISTEN=" + addr, "NEURONWARD_TLS_CERT=/not/read/here"},
		strings.NewReader(""), &out, &out,
	)
	equal(t, "healthcheck: exit", code, exitDone)
	equal(t, "healthcheck", out.String(), "ready\n")
	p.stop()
	equal(t, "failed handshakes after the health check", strings.Count(p.log.String(), "TLS handshake error"), before)
}

// A process that takes over from one with a certificate sees that it is ending, also without its admin listener, and
// answers over TLS while it waits.
func TestAProcessTakesOverFromOneWithACertificate(t *testing.T) {
	pair := certtest.New(t, 7, time.Now())
	environ, release := slowUpstream(t)
	environ = append(environ, certtest.NewFiles(t, pair).Environ()...)
	environ = append(environ, "XDG_STATE_HOME="+t.TempDir(), "NEURONWARD_DRAIN=1h")
	first := start(t, append(environ, "NEURONWARD_ADMIN_LISTEN="))
	client := newTLSCaller(first, trust(t, pair), true, false)
	resp, err := client.Post(client.url, "application/json", strings.NewReader(streamCall))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, len(chunk))); err != nil {
		t.Fatal(err)
	}

	beside := launch(t, environ)
	at := beside.await("waiting for the store")
	refused, err := client.Post("https://"+at["listen"].(string)+"/v1/chat/completions", "application/json",
		strings.NewReader(streamCall))
	if err != nil || refused.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one that waits for the store: got %v, %v; want 503", refused, err)
	} else {
		refused.Body.Close()
	}
	beside.signal()
	beside.exit()

	first.signal()
	first.await("draining")
	next := launch(t,
		append(environ, "NEURONWARD_ADMIN_LISTEN=", "NEURONWARD_LISTEN="+strings.TrimPrefix(first.app, "https://")))
	next.await("waiting for the addresses")
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != lastChunk {
		t.Errorf("the rest of the stream: got %q, %v; want %q", rest, err, lastChunk)
	}
	first.ends(exitDone)
	next.listening()
	next.stop()
}

// The calls that demo prints work with a certificate, too.
func TestDemoCallsWorkOverTLS(t *testing.T) {
	t.Parallel()
	p := start(t, append(certtest.NewFiles(t, certtest.New(t, 7, time.Now())).Environ(), "NEURONWARD_RETRIES=0"),
		"demo")
	printed := demoCalls("https",
		endpoints{strings.TrimPrefix(p.app, "https://"), strings.TrimPrefix(p.admin, "http://")}, true)
	ran := 0
	for part := range strings.SplitSeq(printed, "\n\n") {
		if !strings.HasPrefix(part, "  curl ") {
			continue
		}
		ran++
		if out, err := commandLine(part); err != nil || len(out) == 0 {
			t.Errorf("%s\n\ngot %s\n%v, want an answer", part, out, err)
		}
	}
	for line := range strings.SplitSeq(printed, "\n") {
		if len(line) > textWidth {
			t.Errorf("got %d columns, want %d at most: %s", len(line), textWidth, line)
		}
	}
	equal(t, "calls that demo prints", ran, 8)
	contains(t, "demo", printed, "  https://127.0.0.1:")
	p.stop()
	if p.out.String() != printed {
		t.Errorf("demo printed\n%s\nwant\n%s", p.out.String(), printed)
	}
}
