package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/normalize/sse"
	"github.com/neuronward/neuronward/proxy/event"
)

const (
	eventBuffer    = 1 << 10  // where a stream's buffer begins: an idle stream holds it
	burstBuffer    = 4 << 10  // where it goes to once so much comes at once that it is full
	maxEventBuffer = 64 << 10 // and how far it grows for an incomplete event
	maxFailedEvent = 1 << 20  // for one that is a failure, which a response has behind all that was asked of it
)

// errCut ends a stream after its terminal event. The connection is cut, not ended: some clients see nothing but the
// cut. A Responses stream ends in order: its protocol has an event for it that all clients know.
var errCut = errors.New("the stream was cut after its terminal event")

// A stream is an event stream on its way to the caller. Whole events are streamed unchanged and at once; only an
// incomplete one waits, so that a stream that ends early never leaves half an event behind.
//
//	buf: | delivered | whole events | incomplete event |      |
//	     0        begin          ready               end   len(buf)
type stream struct {
	call     *call
	failures *failures
	res      *http.Response
	src      io.ReadCloser

	buf               []byte
	begin, ready, end int
	scanned           int  // how far the bytes were split
	full              bool // the last read had no room for more
	splitter          sse.Splitter
	oversized         bool // the present event outgrew the buffer and is streamed unchanged, in pieces

	events   int    // events that may pass, without comments
	complete bool   // its end mark was seen
	repairs  bool   // its chunks are repaired where clients of OpenAI's cannot read them
	repaired []byte // memory for one that was repaired
	head     event.ChunkHead
	response event.Response
	terminal []byte             // our own last event
	over     error              // what ends the stream once all is delivered
	failure  *normalize.Failure // why it has not begun
}

// inspectStream waits for a stream's first event before the headers are committed, so that a stream that begins with an
// error is a real HTTP error.
func (in *inspector) inspectStream(c *call, res *http.Response) *normalize.Failure {
	c.stream = true
	s := &stream{
		call: c, failures: in.failures, res: res, src: res.Body, buf: make([]byte, eventBuffer),
		repairs: c.Route.Repaired && !in.unrepaired,
	}
	for s.events == 0 && s.over == nil && s.ready < maxEventBuffer {
		n, err := c.fill(s.src, s.room())
		s.take(n, err)
	}
	if s.failure != nil {
		return s.failure
	}
	c.watch.Begin(true)
	c.attempt.streams = time.Now()
	// Its length may change: by a repair, or by a terminal event.
	delete(res.Header, "Content-Length")
	res.ContentLength = -1
	res.Body = http.NoBody // deliver follows
	c.streaming = s
	if c.body != nil {
		c.body.ReleaseSent()
	}
	return nil
}

// deliver passes the events to the caller once the headers are sent: whatever is whole in one write, at once. It is no
// io.Reader that ReverseProxy copies from: that takes a second buffer and a deeper stack for as long as a stream waits.
func (s *stream) deliver() error {
	for {
		if s.begin < s.ready {
			if err := s.write(s.buf[s.begin:s.ready]); err != nil {
				return err
			}
			s.begin = s.ready
		}
		if s.over != nil {
			break
		}
		n, err := s.call.watch.Read(s.src, s.room())
		s.take(n, err)
	}
	if len(s.terminal) > 0 {
		if err := s.write(s.terminal); err != nil {
			return err
		}
	}
	if s.over == io.EOF {
		return nil
	}
	return s.over
}

// ended closes what deliver read from. A stream that has failed is cut, as ReverseProxy cuts any other answer: to end
// it in order would make it look whole.
func (s *stream) ended(err error) {
	_ = s.src.Close() // it was read, or is given up
	if err != nil && s.call.caller.Value(http.ServerContextKey) != nil {
		panic(http.ErrAbortHandler)
	}
}

func (s *stream) write(events []byte) error {
	_, err := s.call.writer.Write(events)
	if err == nil {
		_ = s.call.writer.FlushError() // it notes a caller who has gone
	}
	return err
}

// room returns the free end of the buffer, made larger if need be.
func (s *stream) room() []byte {
	if s.begin > 0 {
		copy(s.buf, s.buf[s.begin:s.end])
		s.ready, s.end, s.scanned = s.ready-s.begin, s.end-s.begin, s.scanned-s.begin
		s.begin = 0
	}
	if s.end == len(s.buf) || s.full && len(s.buf) < burstBuffer {
		larger := make([]byte, max(2*len(s.buf), burstBuffer))
		copy(larger, s.buf[:s.end])
		s.buf = larger
	}
	return s.buf[s.end:]
}

// take handles n bytes that were read into room, and the end of the stream.
func (s *stream) take(n int, err error) {
	s.end += n
	s.full = s.end == len(s.buf)
	s.split()
	if s.over == nil && !s.oversized && s.end-s.ready >= maxEventBuffer {
		s.outgrow()
	}
	if s.oversized && s.over == nil {
		s.ready = s.end
	}
	if err != nil && s.over == nil {
		s.finish(err)
	}
}

// outgrow decides by the beginning of an event what becomes of it, now that the buffer is too small for it.
func (s *stream) outgrow() {
	raw := s.buf[s.ready:s.end]
	e := s.splitter.Event(raw)
	if len(raw) < maxFailedEvent && event.BeginsFailure(raw, &e) {
		return // it waits for its end
	}
	s.oversized = true
	s.count(&e) // what marks an event as the last stands at its beginning
	s.note(&e)
}

// split finds the blank lines that end events.
func (s *stream) split() {
	for s.over == nil && s.scanned < s.end {
		part, n := s.splitter.Next(s.buf[s.scanned:s.end])
		s.scanned += n
		switch {
		case part.Field == sse.Blank:
			s.endEvent(s.scanned)
		case part.Field == sse.Data && s.oversized:
			if m := s.call.charge.Meter(); m != nil {
				m.Data(part.Value)
			}
		}
	}
}

// endEvent handles the whole event that ends at the given offset.
func (s *stream) endEvent(end int) {
	if s.oversized { // its beginning has passed
		if m := s.call.charge.Meter(); m != nil {
			m.EndEvent()
		}
		s.oversized, s.ready = false, end
		return
	}
	raw := s.buf[s.ready:end]
	e := s.splitter.Event(raw)
	if e.Data == nil { // comments, or a retry time or an id alone
		s.ready = end
		return
	}
	if f := event.Classify(raw, &e); f != nil {
		s.failing(f, &e)
		return
	}
	ends := s.count(&e)
	if s.repairs && s.repair(&e, end, ends) {
		return
	}
	s.note(&e)
	s.ready = end
}

// note remembers of an event that passes what a failure behind it repeats.
func (s *stream) note(e *sse.Event) {
	if s.call.Route.Protocol == normalize.ProtocolResponses {
		s.response.Note(e.Data)
	}
}

// repair puts a chunk that clients of OpenAI's can read in the place of the event that ends at the given offset, and
// reports whether it did. last: the event ends the stream.
func (s *stream) repair(e *sse.Event, end int, last bool) bool {
	c := s.call
	var by []byte
	if last {
		by = s.head.RepairUsage(e.Data, "chatcmpl-"+c.requestID, c.Model, c.began.Unix())
	} else {
		if by = event.WithoutUsage(s.repaired[:0], s.buf[s.ready:end], e.Data); by != nil {
			s.repaired = by
		}
	}
	s.head.Note(e.Data) // before its bytes are replaced
	if by != nil {
		s.replace(end, by)
	}
	return by != nil
}

// count meters an event that may pass, and reports whether it ends the stream.
func (s *stream) count(e *sse.Event) (ends bool) {
	s.events++
	s.meter(e)
	ends = event.Completes(e, s.call.Route.Protocol)
	s.complete = s.complete || ends
	return ends
}

// meter reads what an event reports of the call's cost.
func (s *stream) meter(e *sse.Event) {
	if m := s.call.charge.Meter(); m != nil {
		m.Data(e.Data)
		if !s.oversized {
			m.EndEvent()
		}
	}
}

// failing handles an event that is a failure. It may report what the call cost, too.
func (s *stream) failing(f *normalize.Failure, e *sse.Event) {
	s.meter(e)
	if s.complete && s.call.Route.Protocol == normalize.ProtocolResponses { // its caller has the last event already
		s.end, s.over = s.ready, io.EOF
		return
	}
	s.fail(s.failures.ofEvent(s.call, f, s.res.StatusCode))
}

// replace puts another event in the place of the one that ends at the given offset.
func (s *stream) replace(end int, by []byte) {
	s.buf = slices.Replace(s.buf[:s.end], s.ready, end, by...)
	s.buf = s.buf[:cap(s.buf)]
	s.ready += len(by)
	longer := s.ready - end
	s.end, s.scanned = s.end+longer, s.scanned+longer
}

// finish handles upstream's end of the stream.
func (s *stream) finish(err error) {
	var (
		rest []byte
		e    sse.Event
	)
	if !s.oversized { // else its beginning has passed
		rest = s.buf[s.ready:s.end]
		e = s.splitter.Event(rest)
	}
	// The blank line after the last event may be missing, where the connection ended in order and the event is whole.
	whole := err == io.EOF && event.LacksBlankLine(rest, e.Data)
	if whole {
		if f := event.Classify(rest, &e); f != nil {
			s.failing(f, &e)
			return
		}
		s.count(&e)
	}
	switch {
	case s.complete && (!s.oversized || err == io.EOF): // else the caller has half an event, which may be the last one
		if !whole && e.Fields {
			s.end = s.ready // half an event
		}
		s.ready, s.over = s.end, io.EOF
	case s.events == 0 && err == io.EOF:
		s.fail(s.failures.ofAnswer(s.call, s.res, s.buf[:s.end]))
	case err == io.EOF:
		// Upstream may have ended it because the caller left: broken finds out.
		s.fail(s.call.broken(io.ErrUnexpectedEOF))
	default:
		s.fail(s.call.broken(err))
	}
}

// fail ends the stream with its terminal event; an incomplete event is dropped. A stream that has not begun is an
// answer that failed.
func (s *stream) fail(f *normalize.Failure) {
	if s.events == 0 && !s.call.attempt.streaming() {
		s.failure, s.over = f, errCut
		return
	}
	f = s.call.fail(f)
	s.end, s.over = s.ready, errCut
	if s.oversized { // its beginning is out, without an end
		s.terminal = append(s.terminal, "\n\n"...)
	}
	if s.call.protocol() == normalize.ProtocolResponses {
		c := s.call
		s.terminal = s.response.AppendFailed(s.terminal, f, "resp_"+c.requestID, c.Model, c.began.Unix())
		s.over = io.EOF
		return
	}
	s.terminal = f.AppendEvent(s.terminal, s.call.protocol())
	s.call.cut = s.events + 1
}
