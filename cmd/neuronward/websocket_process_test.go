package main

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

const (
	nova       = "@cf/deepgram/nova-3"
	novaSecond = 836.36 / 60 // neurons
	pcm16      = "?encoding=linear16&sample_rate=16000"

	// soundOfASecond is as many bytes of it.
	soundOfASecond = 32_000

	// perSession is the most memory that an open session may take, in bytes.
	perSession = 96 << 10
)

// serveSessions starts the binary in front of an upstream.
func serveSessions(t *testing.T, upstream http.Handler, environ ...string) *process {
	t.Helper()
	server := httptest.NewServer(upstream)
	t.Cleanup(server.Close)
	return start(t, append([]string{
		"CLOUDFLARE_ACCOUNT_ID=" + hexAccount, "CLOUDFLARE_API_TOKEN=" + fakeToken, "NEURONWARD_PLAN=paid",
		"NEURONWARD_UPSTREAM=" + server.URL + "/client/v4", "NEURONWARD_RATE_LIMITS=off",
	}, environ...))
}

// session opens one.
func (p *process) session(path string) *websocket.Conn {
	p.t.Helper()
	conn, _, err := websocket.Dial(p.t.Context(), p.app+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return conn
}

// hear sends so many seconds of sound and waits until the model has heard all of it.
func hear(t *testing.T, conn *websocket.Conn, seconds int) {
	t.Helper()
	sound := make([]byte, soundOfASecond)
	for range seconds {
		if err := conn.Write(t.Context(), websocket.MessageBinary, sound); err != nil {
			t.Error(err)
			return
		}
	}
	for heard := 0; heard < seconds; {
		_, message, err := conn.Read(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		if strings.Contains(string(message), `"Results"`) {
			heard++
		}
	}
}

// farewell reads to the end of a session.
func farewell(t *testing.T, conn *websocket.Conn) websocket.CloseError {
	t.Helper()
	for {
		if _, _, err := conn.Read(t.Context()); err != nil {
			var closed websocket.CloseError
			if !errors.As(err, &closed) {
				t.Errorf("got the end %v, want a close frame", err)
			}
			return closed
		}
	}
}

// usedFloat is what is used, and lost, of the day.
func (p *process) usedFloat() (used, lost float64) {
	p.t.Helper()
	s := p.status()
	if s.Used == nil || s.Lost == nil {
		p.t.Fatal("got no figures, want them counted")
	}
	return s.Used.Float(), s.Lost.Float()
}

// A hundred sessions with sound of known length, ended in every way: as much is counted as was billed. Then the process
// is killed with sessions open, and nothing is forgotten.
func TestProcessCountsSessions(t *testing.T) {
	t.Parallel()
	const sessions, atOnce, longest, killed = 100, 10, 90, 5
	simulator := workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken})
	state := "NEURONWARD_STORE=file:" + filepath.Join(t.TempDir(), "neurons")
	const limit = 200_000
	limited := fmt.Sprintf("NEURONWARD_DAILY_NEURONS=%d", limit)
	p := serveSessions(t, simulator, state, limited)
	var known atomic.Int64 // seconds
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range sessions {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			// Its sound is longer than the session lasts.
			seconds := longest - i%10
			conn := p.session("/run/" + nova + pcm16)
			hear(t, conn, seconds)
			known.Add(int64(seconds))
			switch i % 3 {
			case 0:
				conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"CloseStream"}`))
				equal(t, "close code", farewell(t, conn).Code, websocket.StatusNormalClosure)
			case 1:
				conn.Close(websocket.StatusNormalClosure, "")
			default:
				conn.CloseNow()
			}
		})
	}
	all.Wait()
	p.until("all sessions have ended", func() bool { return p.status().Sessions.Ended == sessions })
	used, _ := p.usedFloat()
	want := float64(known.Load()) * novaSecond
	if billed := simulator.Billed().Float(); math.Abs(used-billed) > 0.001 || math.Abs(used-want) > 0.01 {
		t.Errorf("got %.3f neurons used and %.3f billed, want %.3f", used, billed, want)
	}
	st := p.status().Sessions
	equal(t, "open", st.Open, 0)
	equal(t, "seconds of sound", st.Seconds, float64(known.Load()))
	contains(t, "series", p.series("neuronward_session_sound_seconds_total"), fmt.Sprint(known.Load()))
	t.Logf("%d sessions, %d seconds: used %.3f, billed %.3f", sessions, known.Load(), used, simulator.Billed().Float())

	for range killed {
		hear(t, p.session("/run/"+nova+pcm16), 20)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.exit()
	p.until("all is billed", func() bool { return simulator.Calls() == sessions+killed })
	again := serveSessions(t, simulator, state, limited)
	used, lost := again.usedFloat()
	billed := simulator.Billed().Float()
	// Each session has reserved 45 seconds at most beyond what is booked.
	most := billed + limit/100 + killed*45*novaSecond
	if got := used + lost; got < billed-0.001 || got > most {
		t.Errorf("killed: got %.3f neurons used and %.3f lost, want from the %.3f billed to %.3f", used, lost,
			billed, most)
	}
	t.Logf("killed with %d sessions: used %.3f, lost %.3f, billed %.3f", killed, used, lost, billed)
	conn := again.session("/run/" + nova + pcm16)
	hear(t, conn, 1)
	again.signal()
	end := farewell(t, conn)
	equal(t, "SIGTERM: close code", end.Code, websocket.StatusGoingAway)
	equal(t, "SIGTERM: reason", end.Reason, "shutting_down")
	again.ends(exitDone)
	contains(t, "log", again.log.String(), `"closed_here":1001`)
}

// idleSessions opens sessions over which nothing passes.
func idleSessions(t *testing.T, serve func(*testing.T, string, ...string) *process) {
	const sessions = 1000
	upstream := httptest.NewServer(workersai.New(workersai.Options{Account: hexAccount, Token: fakeToken}))
	t.Cleanup(upstream.Close)
	p := serve(t, upstream.URL, "NEURONWARD_MAX_SESSIONS=1001", "NEURONWARD_MAX_IN_FLIGHT=1001")
	hear(t, p.session("/run/"+nova+pcm16), 1) // whatever the first one needs
	before := p.peak()
	for range sessions {
		p.session("/run/" + nova + pcm16)
	}
	equal(t, "open", p.status().Sessions.Open, sessions+1)
	each := (p.peak() - before) / sessions
	t.Logf("%d idle sessions: %d KiB each, %d MiB at the peak", sessions, each>>10, p.peak()>>20)
	if each > perSession {
		t.Errorf("an open session: got %d KiB, want %d KiB at most", each>>10, perSession>>10)
	}
	_, resp, err := websocket.Dial(t.Context(), p.app+"/run/"+nova, nil)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: got %v (%v), want 503", resp, err)
	}
}

// A caller that reads nothing: the model has to wait, and hardly anything is held.
func TestProcessHoldsLittleForACallerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	const piece, pieces, most = 1 << 20, 256, 64 << 20
	var sent atomic.Int64
	p := serveSessions(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		for range pieces {
			if conn.Write(r.Context(), websocket.MessageBinary, make([]byte, piece)) != nil {
				return
			}
			sent.Add(piece)
		}
	}))
	before := p.peak()
	conn := p.session("/run/@cf/deepgram/aura-1")
	last := int64(-1)
	p.until("upstream waits", func() bool { // nothing more is taken for half a second
		for range 50 {
			if n := sent.Load(); n != last {
				last = n
				return false
			}
			pause()
		}
		return true
	})
	t.Logf("%d KiB were taken, the peak is %d KiB higher", last>>10, (p.peak()-before)>>10)
	if last > most || p.peak()-before > 8<<20 {
		t.Errorf("got %d bytes taken and %d of memory, want %d and %d at most", last, p.peak()-before, most, 8<<20)
	}
	conn.CloseNow()
	p.until("the session has ended", func() bool { return p.status().Sessions.Open == 0 })
	used, _ := p.usedFloat()
	equal(t, "used", quota.FromFloat(used), 0)
}
