package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/memstore"
	"github.com/neuronward/neuronward/quota/price"
)

const (
	nova  = "@cf/deepgram/nova-3"
	flux  = "@cf/deepgram/flux"
	aura  = "@cf/deepgram/aura-1"
	pcm16 = "?encoding=linear16&sample_rate=16000"
	// second is as many bytes of sound.
	second = 32_000
)

// newSessions is a proxy in front of the simulator, with a limit of neurons.
func newSessions(t *testing.T, o workersai.Options, limit quota.Neurons, change ...func(*Config)) (
	*bench, *workersai.Simulator, *quota.Ledger,
) {
	t.Helper()
	simulator := workersai.New(o)
	ledger, err := quota.New(t.Context(), quota.Options{
		Store: memstore.New(nil), Limit: limit, Heartbeat: time.Minute, Wait: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close(context.WithoutCancel(t.Context())) })
	change = append([]func(*Config){func(c *Config) {
		c.Ledger, c.Estimator, c.Models = ledger, price.NewEstimator(nil, price.Tight), []string{nova, flux, aura}
	}}, change...)
	var b *bench
	b = newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.simulating.Add(1) // the proxy may be done with a session before
		defer b.simulating.Done()
		simulator.ServeHTTP(w, r)
	}), change...)
	return b, simulator, ledger
}

// dial opens a session.
func (b *bench) dial(path string, header ...string) *websocket.Conn {
	b.t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	conn, _, err := websocket.Dial(b.t.Context(), b.url+path, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return conn
}

func (b *bench) send(conn *websocket.Conn, kind websocket.MessageType, message string) {
	b.t.Helper()
	if err := conn.Write(b.t.Context(), kind, []byte(message)); err != nil {
		b.t.Fatal(err)
	}
}

// readToEnd reads messages until the session is closed.
func (b *bench) readToEnd(conn *websocket.Conn) (types []string, code websocket.StatusCode, reason string) {
	b.t.Helper()
	for {
		kind, message, err := conn.Read(b.t.Context())
		if err != nil {
			closed := websocket.CloseError{Code: -1}
			errors.As(err, &closed)
			return types, closed.Code, closed.Reason
		}
		var m struct{ Type, Event string }
		if kind == websocket.MessageBinary {
			m.Type = "sound"
		} else if err := json.Unmarshal(message, &m); err != nil {
			b.t.Fatal(err)
		}
		if m.Event != "" {
			m.Type = m.Event
		}
		types = append(types, m.Type)
	}
}

// wantSettled checks that as much was booked as was billed.
func wantSettled(t *testing.T, ledger *quota.Ledger, simulator *workersai.Simulator, want float64) {
	t.Helper()
	s := ledger.Snapshot()
	wantEqual(t, "booked", s.Account.Used, simulator.Billed())
	wantEqual(t, "reserved", s.Account.Reserved, 0)
	if got := s.Account.Used.Float(); got < want-0.001 || got > want+0.001 {
		t.Errorf("booked: got %v neurons, want %v", got, want)
	}
}

func TestSessionsCostWhatPasses(t *testing.T) {
	silence := strings.Repeat("\x00", second)
	for _, c := range []struct {
		name, path string
		play       func(b *bench, conn *websocket.Conn)
		types      string
		neurons    float64
		log        string
		messages   string
	}{
		{
			"speech to text", "/run/" + nova + pcm16 + "&keyterm=b&keyterm=a", func(b *bench, conn *websocket.Conn) {
				for range 3 {
					b.send(conn, websocket.MessageBinary, silence)
				}
				b.send(conn, websocket.MessageText, `{"type":"CloseStream"}`)
			},
			"Connected Results Results Results Results Metadata", 836.36 * 3 / 60,
			`"messages_in":4,"messages_out":6,`, "4 6",
		},
		{
			"turns", "/ai/run/" + flux + pcm16, func(b *bench, conn *websocket.Conn) {
				for range 2 {
					b.send(conn, websocket.MessageBinary, silence)
				}
				b.send(conn, websocket.MessageText, `{"type":"CloseStream"}`)
			},
			"Connected StartOfTurn Update EndOfTurn", 700 * 2.0 / 60,
			`"sound_seconds":2,"closed_by_caller":1000,"closed_by_upstream":1000,"neurons":"23.33`, "3 4",
		},
		{
			"text to speech", "/run/" + aura, func(b *bench, conn *websocket.Conn) {
				b.send(conn, websocket.MessageText, `{"type":"Speak","text":"Grüße"}`)
				b.send(conn, websocket.MessageText, `{"type":"Flush"}`)
				b.send(conn, websocket.MessageText, `{"type":"Close"}`)
			},
			"Metadata sound Flushed", 1363.64 * 5 / 1000, `"characters":5,"closed`, "3 3",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, simulator, ledger := newSessions(t, workersai.Options{}, 10_000*quota.OneNeuron)
			conn := b.dial(c.path)
			c.play(b, conn)
			types, code, _ := b.readToEnd(conn)
			wantEqual(t, "messages", strings.Join(types, " "), c.types)
			wantEqual(t, "close code", code, websocket.StatusNormalClosure)
			b.ended()
			wantSettled(t, ledger, simulator, c.neurons)
			st := b.proxy.Sessions()
			wantEqual(t, "status: open", st.Open, 0)
			wantEqual(t, "status: ended", st.Ended, 1)
			wantEqual(t, "status: messages", fmt.Sprint(st.MessagesIn, st.MessagesOut), c.messages)
			series := b.proxy.SessionSeries()
			wantEqual(t, "series: sound", series.Seconds, st.Seconds)
			wantEqual(t, "calls", ledger.Snapshot().Records[0].Calls, 1)
			wantHas(t, "log", b.log.String(), `"msg":"call"`)
			wantHas(t, "log", b.log.String(), c.log)
		})
	}
}

// What holds for calls holds for handshakes: a failure that is worth it is repeated.
func TestAHandshakeIsRepeated(t *testing.T) {
	b, simulator, ledger := newSessions(t, workersai.Options{}, 10_000*quota.OneNeuron, func(c *Config) {
		c.Simulate, c.Retries, c.RetryBudget = true, 2, 1
	})
	header := http.Header{"X-Simulate": {"3040; times=1"}}
	conn, res, err := websocket.Dial(t.Context(), b.url+"/run/"+nova+pcm16, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	wantEqual(t, "attempts", res.Header.Get("X-Neuronward-Attempts"), "2")
	b.send(conn, websocket.MessageBinary, strings.Repeat("\x00", second))
	b.send(conn, websocket.MessageText, `{"type":"CloseStream"}`)
	b.readToEnd(conn)
	b.ended()
	wantSettled(t, ledger, simulator, perSecond)
}

// With the caller's own token a session passes to its account, and is not counted here.
func TestASessionWithTheCallersToken(t *testing.T) {
	const own = "a-token-of-the-caller"
	b, simulator, ledger := newSessions(t, workersai.Options{Account: "another", Token: own}, quota.OneNeuron,
		func(c *Config) { c.Token = nil })
	conn := b.dial("/client/v4/accounts/another/ai/run/"+nova+pcm16, "Authorization", "Bearer "+own)
	b.send(conn, websocket.MessageBinary, strings.Repeat("\x00", second))
	b.send(conn, websocket.MessageText, `{"type":"CloseStream"}`)
	_, code, _ := b.readToEnd(conn)
	wantEqual(t, "close code", code, websocket.StatusNormalClosure)
	b.ended()
	wantEqual(t, "used", ledger.Snapshot().Account.Used, 0)
	wantEqual(t, "billed", simulator.Billed(), quota.FromFloat(perSecond))
	wantLacks(t, "log", b.log.String(), own)
}
