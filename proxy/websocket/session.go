package websocket

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	bufferSize = 4 << 10 // of each direction
	maxFrame   = 4 << 20 // bytes of one frame's payload
	maxText    = 64 << 10

	// lingerTime is how long a caller may take to answer a close frame before its connection is cut.
	lingerTime = time.Second
)

// A Charge answers for what passes. Its methods are called by several goroutines.
type Charge interface {
	// Covers reports whether as much is reserved as passed may cost.
	Covers(passed workload.Session) bool
	// Renew reserves more ahead of what has passed. Its error is a *normalize.Failure, or that of ctx.
	Renew(ctx context.Context, passed, ahead workload.Session) error
	// Split books what has passed on the day that is about to end.
	Split(passed workload.Session)
	// UntilReset returns how long that day still is.
	UntilReset() time.Duration
}

// Options say what a session is.
type Options struct {
	Task  workload.Task // of the model
	Sound Sound         // that the caller sends

	Charge Charge           // nil: nothing is charged
	Ahead  workload.Session // how much it reserves ahead

	Idle    time.Duration // how long nothing may come from either side
	Total   time.Duration // how long the session may be
	Stalled time.Duration // how long one side may take nothing of what is written to it
	Finish  time.Duration // how long upstream may take to finish

	OnPanic func(v any) // called with a bug of this package's; required
}

// A Session is a connection to upstream after it has switched to WebSocket. As an io.ReadWriteCloser it is for
// httputil.ReverseProxy, which copies from and to it by WriteTo and ReadFrom.
type Session struct {
	o   Options
	up  io.ReadWriteCloser
	ctx context.Context // ends with the session
	end context.CancelFunc

	sending sync.Mutex // guards upload
	upload  upload

	download download // of the goroutine in WriteTo
	split    bool     // what passed on the day that ends was booked; of the timer's goroutine

	renewal    chan struct{} // full while more is reserved
	ended      chan struct{} // closed when the session begins to end
	answered   chan struct{} // closed when the caller has sent a close frame
	callerDone chan struct{} // closed when nothing more comes from the caller
	upDone     chan struct{} // closed when nothing more goes to it

	ofAll *Sessions // nil: none

	mu      sync.Mutex // guards what follows; nothing is called under it
	caller  net.Conn
	began   time.Time
	last    time.Time    // when something came
	writing [2]time.Time // since when a write has not ended, by direction; zero: there is none
	timer   *time.Timer
	cutting *time.Timer
	passed  passed
	refused error // why nothing more was reserved the last time; nil: it was
	ending  *Ending
	closing [2]bool   // a close frame has come, by direction
	closed  bool      // End was called
	over    time.Time // since when upstream hears nothing; zero: it does
	report  Report
}

// The directions, as indexes of a Report.
const (
	FromCaller = iota
	FromUpstream
)

// passed is what has passed, for the charge.
type passed struct {
	first      time.Time // the first sound; zero: none has come
	sound      int64     // bytes
	characters int64
	reported   float64 // seconds of sound by what upstream says
}

// A Report is what became of a session.
type Report struct {
	Passed     workload.Session
	Messages   [2]int64 // whole ones, without control frames: from the caller, from upstream
	Bytes      [2]int64 // likewise, of frames with their headers
	Closed     [2]int   // the codes of the close frames that came; 0: none came, or one without a code
	CallerGone bool     // the caller's connection ended without a close frame
	Ending     *Ending  // why the session ended before caller and upstream were done; nil: it did not
}

// An Ending is why a session ended here, and what the caller was told.
type Ending struct {
	Code    int // of the close frame
	Failure *normalize.Failure
}

var errEnded = errors.New("the session has ended")

// New returns a session of a connection to upstream. It begins with Attach.
func New(up io.ReadWriteCloser, o Options) *Session {
	s := &Session{
		o: o, up: up, renewal: make(chan struct{}, 1), ended: make(chan struct{}),
		answered: make(chan struct{}), callerDone: make(chan struct{}), upDone: make(chan struct{}),
	}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.upload.parser = parser{masked: true, maxFrame: maxFrame}
	s.download.parser = parser{maxFrame: maxFrame}
	return s
}

// Attach begins the session with the connection of its caller.
func (s *Session) Attach(caller net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caller = caller
	s.began = time.Now()
	s.last = s.began
	s.timer = time.AfterFunc(tickEvery, s.tick)
}

// End ends the session at once, if it has not ended, and says what became of it. From then on nothing passes.
func (s *Session) End() Report {
	s.mu.Lock()
	if s.over.IsZero() {
		s.over = time.Now()
	}
	s.closed = true
	for _, t := range []*time.Timer{s.timer, s.cutting} {
		if t != nil {
			t.Stop()
		}
	}
	s.mu.Unlock()
	s.end()
	s.up.Close()     //nolint:errcheck // it may be closed already
	s.sending.Lock() // what the caller sent last is out, or never will be
	defer s.sending.Unlock()
	s.mu.Lock()
	r := s.reportNow()
	s.mu.Unlock()
	if s.ofAll != nil {
		s.ofAll.remove(s, &r)
	}
	return r
}

// reportNow is what has become of the session until now; s.mu is held.
func (s *Session) reportNow() Report {
	until := s.over
	if until.IsZero() {
		until = time.Now()
	}
	r := s.report
	r.Passed, r.Ending = s.soFar(until), s.ending
	return r
}

// Close implements io.Closer: it cuts the connection to upstream, and with it the session.
func (s *Session) Close() error { return s.up.Close() }

// Read implements io.Reader. WriteTo is called in its place.
func (*Session) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// came notes that bytes have come.
func (s *Session) came(direction, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	s.report.Bytes[direction] += int64(n)
}

// write writes to one of the sides, which is watched meanwhile.
func (s *Session) write(direction int, w io.Writer, b []byte) error {
	s.mu.Lock()
	s.writing[direction] = time.Now()
	s.mu.Unlock()
	_, err := w.Write(b)
	s.mu.Lock()
	s.writing[direction] = time.Time{}
	s.mu.Unlock()
	return err
}

// message counts a whole message.
func (s *Session) message(direction int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Messages[direction]++
}

// rescue keeps a bug from ending the process: the goroutines here are not those of net/http, which would do it.
func (s *Session) rescue() {
	if v := recover(); v != nil {
		s.o.OnPanic(v)
		s.fail(CloseInternal, &normalize.Failure{
			Code: normalize.Internal, Origin: normalize.OriginProxy, MatchedBy: normalize.MatchedRequest,
		})
	}
}
