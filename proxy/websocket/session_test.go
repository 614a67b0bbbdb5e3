package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

// charge reserves as long as there is something left.
type charge struct {
	mu       sync.Mutex
	covered  float64 // seconds
	left     float64
	midnight time.Time
	splits   []float64
	renewals int
}

func (c *charge) Covers(passed workload.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(passed.Seconds, float64(passed.Characters)) <= c.covered
}

func (c *charge) Renew(_ context.Context, passed, ahead workload.Session) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewals++
	missing := max(passed.Seconds+ahead.Seconds, float64(passed.Characters+ahead.Characters)) - c.covered
	if missing > c.left {
		return &normalize.Failure{Code: normalize.AccountLimited}
	}
	c.left -= missing
	c.covered += missing
	return nil
}

func (c *charge) Split(passed workload.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.splits = append(c.splits, passed.Seconds)
}

func (c *charge) UntilReset() time.Duration {
	if left := time.Until(c.midnight); left > 0 {
		return left
	}
	return 24*time.Hour + time.Until(c.midnight)
}

// A pair is a session between a caller and an upstream that the test plays.
type pair struct {
	*Session
	t                *testing.T
	charge           *charge
	caller, upstream net.Conn
	sent, got        lockedBuffer // what upstream and the caller have read; they read all
	over             chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newPair begins a session of a model that hears 10 bytes a second, with 30 seconds reserved of 100. It copies as
// httputil.ReverseProxy does.
func newPair(t *testing.T, change ...func(*Options)) *pair {
	t.Helper()
	p := &pair{t: t, charge: &charge{covered: 30, left: 70, midnight: time.Now().Add(24 * time.Hour)}}
	o := Options{
		Task: workload.SpeechRecognition, Sound: Sound{10}, Charge: p.charge,
		Ahead: workload.Session{Seconds: 30, Characters: 30},
		Idle:  2 * time.Minute, Total: time.Hour, Stalled: time.Minute, Finish: 3 * time.Second,
		OnPanic: func(v any) { t.Errorf("panic: %v", v) },
	}
	for _, f := range change {
		f(&o)
	}
	var up, user net.Conn
	p.upstream, up = net.Pipe()
	p.caller, user = net.Pipe()
	p.Session = New(up, o)
	p.Attach(user)
	p.over = make(chan struct{})
	ended := make(chan struct{}, 2)
	for _, between := range [][2]io.ReadWriter{{p.Session, user}, {user, p.Session}} {
		go func() {
			_, _ = io.Copy(between[0], between[1]) // as its other side, it may end at any time
			ended <- struct{}{}
		}()
	}
	go func() {
		<-ended
		user.Close()
		p.Session.Close()
		close(p.over)
	}()
	t.Cleanup(func() {
		p.caller.Close()
		p.upstream.Close()
		p.End()
		<-p.over
	})
	return p
}

// listen has both sides read all that comes.
func (p *pair) listen() {
	go io.Copy(&p.sent, p.upstream)
	go io.Copy(&p.got, p.caller)
}

// say has the caller or upstream send bytes.
func (p *pair) say(side net.Conn, b []byte) {
	p.t.Helper()
	if _, err := side.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// closeWith is the close frame that the caller is to get.
func closeWith(code int, reason string) string {
	return string(appendFrame(nil, opClose, closePayload(code, reason), nil))
}

// messages are the payloads of the frames that upstream got, without their masks.
func (p *pair) messages() (all []string) {
	_, _, all, err := found(true, []byte(p.sent.String()), 1<<20)
	if err != nil {
		p.t.Errorf("upstream got broken frames: %v", err)
	}
	return all
}

func (p *pair) wantMessages(want ...string) {
	p.t.Helper()
	if got := p.messages(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		p.t.Errorf("upstream: got %.300q, want %.300q", got, want)
	}
}

func (p *pair) wantGot(want string) {
	p.t.Helper()
	if got := p.got.String(); got != want {
		p.t.Errorf("the caller: got %.300q, want %.300q", got, want)
	}
}

func equal[V comparable](t *testing.T, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func virtually(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	// The race detector of Go 1.26 crashes when two processors fire timers of one bubble.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestSessionsEnd(t *testing.T) {
	virtually(t, "by the close frames of both", func(t *testing.T) {
		p := newPair(t, func(o *Options) { o.Sound = Sound{1000} })
		p.listen()
		p.say(p.caller, raw(0x82, text(2000), true))
		p.say(p.upstream, raw(0x81, `{"type":"Metadata","duration":6.5}`, false))
		p.say(p.caller, raw(0x88, "\x03\xe8", true))
		synctest.Wait()
		p.say(p.upstream, raw(0x88, "\x03\xe8", false))
		p.upstream.Close()
		<-p.over
		p.wantMessages(text(2000), "\x03\xe8")
		r := p.End()
		equal(t, "sound, by what upstream heard", r.Passed.Seconds, 6.5)
		equal(t, "messages of the caller", r.Messages[FromCaller], 1)
		equal(t, "messages of upstream", r.Messages[FromUpstream], 1)
		equal(t, "closed by the caller", r.Closed[FromCaller], 1000)
		equal(t, "ended here", r.Ending, nil)
		equal(t, "the caller has gone", r.CallerGone, false)
	})
	virtually(t, "when nothing comes", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		time.Sleep(time.Minute)
		p.say(p.caller, raw(0x89, "", true))
		began := time.Now()
		<-p.over
		equal(t, "after", time.Since(began).Round(time.Second), 2*time.Minute+5*time.Second)
		p.wantMessages("", `{"type":"CloseStream"}`)
		p.wantGot(closeWith(ClosePolicy, "timeout"))
		equal(t, "sound", p.End().Passed.Seconds, 0)
	})
	virtually(t, "when it has lasted too long", func(t *testing.T) {
		p := newPair(t, func(o *Options) { o.Total = 10 * time.Second })
		p.listen()
		<-p.over
		p.wantGot(closeWith(ClosePolicy, "timeout"))
	})
	virtually(t, "when the quota ends by the clock, between fragments of a message", func(t *testing.T) {
		p := newPair(t, func(o *Options) { o.Idle = time.Hour })
		p.listen()
		p.say(p.caller, raw(0x02, "a", true))
		began := time.Now()
		<-p.over
		// 100 seconds, less 4 that are kept for the end, of which upstream uses 3.
		if took := time.Since(began); took < 90*time.Second || took > 100*time.Second {
			t.Errorf("got the end after %v, want it before 100 seconds are over", took)
		}
		p.wantMessages("a", "", `{"type":"CloseStream"}`)
		p.wantGot(closeWith(ClosePolicy, "account_limited"))
		if passed := p.End().Passed.Seconds; passed > 100 {
			t.Errorf("got %v seconds, want at most 100", passed)
		}
		if p.charge.renewals > 20 {
			t.Errorf("got %d renewals, want few", p.charge.renewals)
		}
	})
	virtually(t, "when upstream does not take what the quota lets pass", func(t *testing.T) {
		p := newPair(t)
		go io.Copy(&p.got, p.caller)
		go p.caller.Write(raw(0x82, text(500), true))
		began := time.Now()
		<-p.over
		equal(t, "after", time.Since(began).Round(time.Second), time.Minute+5*time.Second)
		p.wantGot(closeWith(ClosePolicy, "timeout"))
	})
	virtually(t, "when the caller takes nothing", func(t *testing.T) {
		p := newPair(t)
		go io.Copy(&p.sent, p.upstream)
		var written atomic.Int64
		go func() {
			for {
				n, err := p.upstream.Write(raw(0x82, text(100), false))
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		}()
		began := time.Now()
		<-p.over
		equal(t, "after", time.Since(began).Round(time.Second), time.Minute+6*time.Second)
		if n := written.Load(); n > 2*bufferSize {
			t.Errorf("took %d bytes of upstream, want two buffers at most", n)
		}
	})
	virtually(t, "when the connection to upstream breaks", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		p.say(p.upstream, raw(0x81, "a", false))
		p.upstream.Close()
		<-p.over
		p.wantGot(string(raw(0x81, "a", false)) + closeWith(CloseInternal, "stream_interrupted"))
	})
	virtually(t, "when the connection to upstream breaks within a frame", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		p.say(p.upstream, raw(0x81, "abc", false)[:3])
		p.upstream.Close()
		<-p.over
		p.wantGot(string(raw(0x81, "abc", false)[:3]))
		equal(t, "failure", p.End().Ending.Failure.Code, normalize.StreamInterrupted)
	})
	virtually(t, "when upstream breaks the protocol", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		p.say(p.upstream, raw(0x83, "", false))
		<-p.over
		p.wantGot(closeWith(CloseProtocol, "stream_interrupted"))
	})
	virtually(t, "when the caller has gone", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		p.say(p.caller, raw(0x82, text(50), true))
		p.caller.Close()
		<-p.over
		r := p.End()
		equal(t, "the caller has gone", r.CallerGone, true)
		equal(t, "sound", r.Passed.Seconds, 5)
	})
	virtually(t, "at once, with what is behind it", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		all := &Sessions{}
		all.Finish(func() *normalize.Failure { return &normalize.Failure{Code: normalize.ShuttingDown} })
		all.Add(p.Session)
		synctest.Wait() // another goroutine finishes it
		p.say(p.caller, raw(0x82, text(50), true))
		p.say(p.upstream, raw(0x81, "last words", false))
		p.say(p.upstream, raw(0x88, "\x03\xe8", false))
		<-p.over
		p.wantMessages(`{"type":"CloseStream"}`)
		p.wantGot(string(raw(0x81, "last words", false)) + closeWith(CloseGoingAway, "shutting_down"))
		equal(t, "sound", p.End().Passed.Seconds, 0)
	})
}

// Those that can't be asked hold up nobody.
func TestAllSessionsAreFinishedAtOnce(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		all := &Sessions{}
		pairs := make([]*pair, 5)
		for i := range pairs {
			pairs[i] = newPair(t)
			go io.Copy(&pairs[i].got, pairs[i].caller)
			all.Add(pairs[i].Session)
		}
		equal(t, "open", all.Status().Open, len(pairs))
		began := time.Now()
		all.Finish(func() *normalize.Failure { return &normalize.Failure{Code: normalize.ShuttingDown} })
		for _, p := range pairs {
			<-p.over
			p.End()
		}
		equal(t, "after", time.Since(began), 3*time.Second+lingerTime)
		equal(t, "ended", all.Status().Ended, int64(len(pairs)))
	})
}

func TestFastSoundWaitsForItsReservation(t *testing.T) {
	virtually(t, "in large frames", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		p.say(p.caller, raw(0x82, text(900), true)) // 90 seconds
		synctest.Wait()
		p.wantMessages(text(900))
		equal(t, "sound", p.End().Passed.Seconds, 90)
	})
	virtually(t, "beyond the quota", func(t *testing.T) {
		p := newPair(t)
		p.listen()
		for range 12 {
			p.say(p.caller, raw(0x82, text(100), true)) // 10 seconds
		}
		<-p.over
		r := p.End()
		equal(t, "sound", r.Passed.Seconds, 90) // what is left is kept for the end
		if got := p.messages(); got[len(got)-1] != `{"type":"CloseStream"}` {
			t.Errorf("upstream: got %.300q at last, want CloseStream", got[len(got)-1])
		}
	})
}

func TestMidnight(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		p := newPair(t, func(o *Options) { o.Idle = time.Hour })
		p.listen()
		p.charge.midnight = time.Now().Add(20*time.Second + 300*time.Millisecond)
		p.say(p.caller, raw(0x82, "a", true))
		time.Sleep(30 * time.Second)
		p.charge.mu.Lock()
		defer p.charge.mu.Unlock()
		if len(p.charge.splits) != 1 || p.charge.splits[0] < 20.2 || p.charge.splits[0] > 20.3 {
			t.Errorf("got the splits %v, want one right before 20.3 seconds", p.charge.splits)
		}
	})
}

func TestSpeech(t *testing.T) {
	speak := func(text string) []byte { return raw(0x81, `{"type":"Speak","text":"`+text+`"}`, true) }
	speech := func(o *Options) { o.Task = workload.TextToSpeech }
	virtually(t, "counts characters, also in fragments with control frames between them", func(t *testing.T) {
		p := newPair(t, speech)
		p.listen()
		whole := `{"type":"Speak","text":"Grüße"}`
		wire := join2(raw(0x01, whole[:25], true), raw(0x89, "p", true), raw(0x00, whole[25:26], true),
			raw(0x80, whole[26:], true), speak(""), raw(0x81, `{"type":"Flush"}`, true), raw(0x81, "{", true))
		for i := range wire {
			p.say(p.caller, wire[i:i+1])
		}
		synctest.Wait()
		p.wantMessages("p", whole[:25], whole[25:26], whole[26:], `{"type":"Speak","text":""}`, `{"type":"Flush"}`, "{")
		r := p.End()
		equal(t, "characters", r.Passed.Characters, 6) // with that of the last message, which is no JSON
		equal(t, "messages", r.Messages[FromCaller], 4)
	})
	virtually(t, "counts characters in binary frames", func(t *testing.T) {
		p := newPair(t, speech)
		p.listen()
		p.say(p.caller, raw(0x82, `{"type":"Speak","text":"abc"}`, true))
		synctest.Wait()
		p.wantMessages(`{"type":"Speak","text":"abc"}`)
		equal(t, "characters", p.End().Passed.Characters, 3)
	})
	virtually(t, "does not pass what the quota has no room for", func(t *testing.T) {
		p := newPair(t, speech)
		p.listen()
		for range 5 {
			p.say(p.caller, speak(text(21)))
		}
		<-p.over
		p.wantGot(closeWith(ClosePolicy, "account_limited"))
		equal(t, "characters", p.End().Passed.Characters, 84)
		equal(t, "last message", p.messages()[4], `{"type":"Close"}`)
	})
	virtually(t, "takes no endless text", func(t *testing.T) {
		p := newPair(t, speech)
		p.listen()
		p.say(p.caller, speak(text(maxText)))
		<-p.over
		p.wantGot(closeWith(CloseTooBig, "request_too_large"))
	})
}

// Sound that comes as text counts as well, in one frame or many; commands do not.
func TestTextMayBeSound(t *testing.T) {
	for name, frames := range map[string][][]byte{
		"one frame":  {raw(0x81, text(100), true)},
		"fragments":  {raw(0x01, text(50), true), raw(0x80, text(50), true)},
		"a command":  {raw(0x81, `{"type":"CloseStream"}`, true), raw(0x81, `{"type":"KeepAlive"}`, true)},
		"no message": nil,
	} {
		virtually(t, name, func(t *testing.T) {
			p := newPair(t)
			p.listen()
			for _, f := range frames {
				p.say(p.caller, f)
			}
			synctest.Wait()
			want := 0.0
			if name == "one frame" || name == "fragments" {
				want = 10
			}
			equal(t, "seconds", p.End().Passed.Seconds, want)
		})
	}
}

func TestSoundOf(t *testing.T) {
	for query, want := range map[string]float64{
		"encoding=linear16&sample_rate=16000":            32_000,
		"encoding=linear16&sample_rate=48000&channels=2": 192_000,
		"encoding=mulaw&sample_rate=8000":                8000,
		"encoding=alaw&sample_rate=8000&channels=x":      8000,
		"encoding=opus&sample_rate=48000":                0,
		"encoding=linear16":                              0,
		"encoding=linear16&sample_rate=0":                0,
		"encoding=linear16&sample_rate=-1":               0,
		"sample_rate=16000":                              0,

		"encoding=linear16&sample_rate=4000000000&sample_rate=16000&sample_rate=0": 32_000,
		"encoding=linear16&encoding=mulaw&sample_rate=8000&channels=64&channels=2": 16_000,
		"encoding=opus&encoding=linear16&sample_rate=8000":                         16_000,
	} {
		equal(t, query, SoundOf(parse(t, query)).rate, want)
	}
}

// Readers differ in which of two members of one name counts, whether names have a case, and what else they take.
func TestCharacters(t *testing.T) {
	for text, want := range map[string]int64{
		`{"type":"Speak","text":"Grüße"}`:              5,
		`{"text":"Gr\u00fc\u00dfe","type":"Speak"}`:    5,
		`{"type":"Flush"}`:                             0,
		`{"type":"Speak","text":null}`:                 0,
		`{"type":"Speak","text":"abc","text":"de"}`:    5,
		`{"type":"Speak","text":"abc","Text":""}`:      3,
		`{"type":"Speak","text":"abc","TYPE":"Flush"}`: 3,
		`{"type":"Speak","text":["abc"]}`:              7,
		`{"type":"Speak","text":"a"}{"type":"Speak"}`:  43,
		`[{"type":"Speak","text":"a"}]`:                29,
		"\ufeff" + `{"type":"Speak","text":"a"}`:       28,
		`{"type":["Speak"],"text":"abc"}`:              3,
		"plain":                                        5,
	} {
		equal(t, text, charactersOf([]byte(text)), want)
	}
}

func TestReportsOfUpstream(t *testing.T) {
	for text, want := range map[string]float64{
		`{"type":"Metadata","duration":12.5,"channels":1}`:             12.5,
		`{"type":"Results","duration":2.5,"start":10}`:                 12.5,
		`{"type":"Other","duration":2.5,"start":10}`:                   0,
		`{"type":"TurnInfo","event":"Update","audio_window_end":3.25}`: 3.25,
		`{"type":"Metadata","duration":"x"}`:                           0,
		`no JSON`:                                                      0,
	} {
		equal(t, text, secondsOf([]byte(text)), want)
	}
	now := time.Now()
	p := passed{first: now.Add(-10 * time.Second), sound: 1000, reported: 14}
	equal(t, "by a report", p.seconds(Sound{}, now), 14)
	p.reported = 14.1
	equal(t, "by a report that cannot be", p.seconds(Sound{}, now), 10)
	equal(t, "by bytes", p.seconds(Sound{50}, now), 20)
	equal(t, "before any sound", (&passed{reported: 3}).seconds(Sound{}, now), 0)
}

// A bug ends one session, and the process goes on.
func TestAPanicEndsTheSession(t *testing.T) {
	virtually(t, "", func(t *testing.T) {
		told := ""
		p := newPair(t, func(o *Options) {
			o.Charge = nil
			o.OnPanic = func(v any) { told = fmt.Sprint(v) }
		})
		p.listen()
		p.sending.Lock()
		p.upload.parser.left = -1 // as no bug yet has made it
		p.upload.parser.have = 99
		p.sending.Unlock()
		_, _ = p.caller.Write(raw(0x82, "a", true))
		<-p.over
		if !strings.Contains(told, "out of range") {
			t.Errorf("told of %q, want a slice out of range", told)
		}
		var f *normalize.Failure
		if e := p.End().Ending; e == nil || !errors.As(e.Failure, &f) || f.Code != normalize.Internal {
			t.Errorf("got the ending %+v, want one by an internal failure", e)
		}
	})
}

func parse(t *testing.T, query string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
