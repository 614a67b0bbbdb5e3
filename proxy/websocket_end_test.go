package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// perSecond is what a second of nova-3 costs.
const perSecond = 836.36 / 60

func TestTheQuotaEndsInTheMiddleOfASession(t *testing.T) {
	for name, size := range map[string]int{
		"in small frames": 3200, "in frames of a second": second, "in frames of ten seconds": 10 * second,
	} {
		t.Run(name, func(t *testing.T) {
			limit := quota.FromFloat(100 * perSecond)
			b, simulator, ledger := newSessions(t, workersai.Options{}, limit)
			conn := b.dial("/run/" + nova + pcm16)
			go func() {
				sound := make([]byte, size)
				for range 200 * second / size {
					if conn.Write(t.Context(), websocket.MessageBinary, sound) != nil {
						return
					}
				}
			}()
			types, code, reason := b.readToEnd(conn)
			wantEqual(t, "close code", code, websocket.StatusPolicyViolation)
			wantEqual(t, "reason", reason, "account_limited")
			if size <= second { // the rest of a larger frame may be more than what is left
				wantEqual(t, "last message", types[len(types)-1], "Metadata")
			}
			b.ended()
			used := ledger.Snapshot().Account.Used
			if size <= second {
				wantEqual(t, "booked", used, simulator.Billed())
			}
			if used < simulator.Billed() {
				t.Errorf("booked: got %v neurons, want at least the %v that were billed", used, simulator.Billed())
			}
			if used > limit || used < limit*90/100 {
				t.Errorf("booked: got %v neurons, want at most the limit of %v, and 90 %% of it", used, limit)
			}
			wantEqual(t, "reserved", ledger.Snapshot().Account.Reserved, 0)
			wantHas(t, "log", b.log.String(), `"name":"account_limited"`)
			failed := b.value("neuronward_errors_total", "name", "account_limited", "origin", "guard")
			wantEqual(t, "errors_total", failed, 1)
		})
	}
}

func TestASessionIsRefusedBeforeItBegins(t *testing.T) {
	b, simulator, ledger := newSessions(t, workersai.Options{}, quota.FromFloat(20*perSecond),
		func(c *Config) { c.Simulate = true })
	for _, c := range []struct {
		path   string
		header []string
		name   string
		status int
	}{
		{"/run/" + nova + pcm16, nil, "account_limited", 429},
		{"/run/" + testModel, nil, "route_not_proxied", 404},
		{"/run/@cf/nobody/knows", nil, "route_not_proxied", 404},
		{"/run/openai/gpt-realtime", nil, "route_not_proxied", 404},
		{"/v1/chat/completions", nil, "route_not_proxied", 404},
		{"/v1/realtime", nil, "route_not_proxied", 404},
		{"/errors", nil, "route_not_proxied", 404},
		{"/client/v4/accounts/another/ai/run/" + nova, nil, "account_mismatch", 403},
		{"/v1/another/gateway/workers-ai?model=" + nova, nil, "account_mismatch", 403},
		{"/workers-ai", nil, "invalid_model_id", 404},
		{"/workers-ai?model=" + nova + "&model=" + flux, nil, "invalid_model_id", 404},
		{"/run/@cf/pipecat-ai/smart-turn-v2", []string{"X-Simulate", "5006"}, "bad_input", 400}, // by upstream
		{"/run/" + nova, []string{"Origin", "https://a.example"}, "client_forbidden", 403},
		{"/run/" + nova, []string{"Connection", "keep-alive"}, "bad_input", 400},
	} {
		header := append([]string{
			"Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
			"Connection", "Upgrade",
		}, c.header...)
		res, body := b.do("GET", c.path, "", header...)
		wantEqual(t, c.path+": status", res.StatusCode, c.status)
		wantEqual(t, c.path+": name", b.envelope(body).Error.Name, c.name)
	}
	res, body := b.do("GET", "/run/"+nova, "")
	wantEqual(t, "without an upgrade: status", res.StatusCode, 405)
	wantEqual(t, "without an upgrade: name", b.envelope(body).Error.Name, "method_not_allowed")
	b.ended()
	wantSettled(t, ledger, simulator, 0)
}

// rawSession opens a session and returns its connection after the handshake.
func (b *bench) rawSession(path string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", path)
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		b.t.Fatalf("handshake: got %v (%v), want 101", res, err)
	}
	wantEqual(b.t, "extensions", res.Header.Get("Sec-WebSocket-Extensions"), "")
	wantEqual(b.t, "accept", res.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	return conn, r
}

func TestMalformedFramesEndASession(t *testing.T) {
	masked := "\x00\x00\x00\x00"
	for _, c := range []struct{ name, wire, reason string }{
		{"not masked", "\x82\x01a", "\x03\xeabad_input"},
		{"compressed", "\xc2\x81" + masked + "a", "\x03\xeabad_input"},
		{"too large", "\x82\xff\x00\x00\x00\x00\x00\x40\x00\x01" + masked, "\x03\xf1request_too_large"},
		{"within a frame of sound", "\x02\x81" + masked + "a\x82\x81" + masked + "a", "\x03\xeabad_input"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, simulator, ledger := newSessions(t, workersai.Options{}, 10_000*quota.OneNeuron)
			conn, r := b.rawSession("/run/" + nova + "?encoding=mulaw&sample_rate=1")
			if _, err := conn.Write([]byte(c.wire)); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			wantHas(t, "answer", string(answer), "\x88"+string(rune(len(c.reason)))+c.reason)
			b.ended()
			if used := ledger.Snapshot().Account.Used; used < simulator.Billed() {
				t.Errorf("booked: got %v, want at least the %v that were billed", used, simulator.Billed())
			}
			wantEqual(t, "reserved", ledger.Snapshot().Account.Reserved, 0)
		})
	}
}

func TestOneSideCutsASession(t *testing.T) {
	for name, c := range map[string]struct {
		header []string
		play   func(conn *websocket.Conn)
		code   websocket.StatusCode
		result string
	}{
		"upstream": {
			[]string{"X-Simulate", "midstream=cut; after=4"},
			func(*websocket.Conn) {}, websocket.StatusInternalError, "stream_interrupted",
		},
		"upstream, by a close frame": {
			[]string{"X-Simulate", "midstream=3043; after=4"},
			func(*websocket.Conn) {}, websocket.StatusInternalError, "stream_interrupted",
		},
		"the caller": {nil, func(conn *websocket.Conn) { conn.CloseNow() }, -1, "client_gone"},
		"the caller, by a close frame": {
			nil, func(conn *websocket.Conn) { conn.Close(websocket.StatusNormalClosure, "") }, -1, "ok",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, simulator, ledger := newSessions(t, workersai.Options{}, 10_000*quota.OneNeuron,
				func(c *Config) { c.Simulate = true })
			conn := b.dial("/run/"+nova+pcm16, c.header...)
			sound := strings.Repeat("\x00", second)
			for range 5 {
				b.send(conn, websocket.MessageBinary, sound)
			}
			for range 4 { // what comes before it
				if _, _, err := conn.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if c.code > 0 {
				_, code, _ := b.readToEnd(conn)
				wantEqual(t, "close code", code, c.code)
			} else {
				if _, _, err := conn.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, _, err := conn.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.play(conn)
			}
			b.waitFor("result "+c.result, func() bool {
				return b.value("neuronward_requests_total", "result", c.result) == 1
			})
			b.ended()
			used := ledger.Snapshot().Account.Used
			if c.code < 0 {
				wantSettled(t, ledger, simulator, 5*perSecond)
			} else if used < simulator.Billed() || used > quota.FromFloat(5*perSecond) {
				t.Errorf("booked: got %v, want from the %v that were billed to 5 seconds", used, simulator.Billed())
			}
			wantEqual(t, "reserved", ledger.Snapshot().Account.Reserved, 0)
		})
	}
}

// waitFor waits until something is so.
func (b *bench) waitFor(what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("got no %s within a minute", what)
		}
	}
}

func TestDrainFinishesSessions(t *testing.T) {
	b, simulator, ledger := newSessions(t, workersai.Options{}, 10_000*quota.OneNeuron)
	conn := b.dial("/run/" + nova + pcm16)
	b.send(conn, websocket.MessageBinary, strings.Repeat("\x00", 2*second))
	for range 2 {
		if _, _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.proxy.Drain()
	types, code, reason := b.readToEnd(conn)
	wantEqual(t, "messages", strings.Join(types, " "), "Results Metadata")
	wantEqual(t, "close code", code, websocket.StatusGoingAway)
	wantEqual(t, "reason", reason, "shutting_down")
	b.ended()
	wantSettled(t, ledger, simulator, 2*perSecond)
}

func TestSessionsAtOnce(t *testing.T) {
	b, _, ledger := newSessions(t, workersai.Options{}, 10_000*quota.OneNeuron, func(c *Config) { c.MaxSessions = 1 })
	handshake := []string{
		"Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
		"Connection", "Upgrade",
	}
	conn := b.dial("/run/" + nova + pcm16)
	res, body := b.do("GET", "/run/"+nova, "", handshake...)
	wantEqual(t, "a second one: status", res.StatusCode, 503)
	wantEqual(t, "a second one: name", b.envelope(body).Error.Name, "overloaded")
	wantHas(t, "a second one: message", b.envelope(body).Error.Message, "NEURONWARD_MAX_SESSIONS")
	conn.CloseNow()
	b.waitFor("place", func() bool { return b.proxy.sessionPool.Status().Taken == 0 })
	conn = b.dial("/run/" + nova + pcm16)
	b.proxy.Drain()
	_, code, _ := b.readToEnd(conn)
	wantEqual(t, "after it: close code", code, websocket.StatusGoingAway)
	b.ended()
	wantEqual(t, "reserved", ledger.Snapshot().Account.Reserved, 0)
}
