package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/neuronward/neuronward/normalize"
)

const (
	eventBuffer    = 8 << 10  // where a stream's buffer begins
	maxEventBuffer = 64 << 10 // and how far it grows for an incomplete event
)

// errCut ends a stream after its terminal event. The connection is cut, not
// ended: some clients see nothing but the cut.
var errCut = errors.New("the stream was cut after its terminal event")

// A stream is an event stream on its way to the caller. Whole events pass at
// once and untouched; only an incomplete one waits, so that a break never leaves
// half an event behind.
//
//	buf: | delivered | whole events | incomplete event |      |
//	     0        begin          ready               end   len(buf)
type stream struct {
	call *call
	p    *Proxy
	res  *http.Response
	src  io.ReadCloser

	buf               []byte
	begin, ready, end int
	line              int  // where the present line begins
	scanned           int  // how far line ends were looked for
	oversized         bool // the present event outgrew the buffer and passes as it comes

	events   int  // events that may pass, without comments
	complete bool // the stream has said that it is done
	head     chunkHead
	terminal []byte             // our own last event
	over     error              // what ends the stream once all is delivered
	failure  *normalize.Failure // why it has not begun
}

// lookAtStream waits for a stream's first event before the headers are
// committed, so that a stream that begins with an error is a real HTTP error.
func (p *Proxy) lookAtStream(c *call, res *http.Response) error {
	c.stream = true
	s := &stream{call: c, p: p, res: res, src: res.Body, buf: make([]byte, eventBuffer)}
	for s.events == 0 && s.over == nil && s.ready < maxEventBuffer {
		n, err := fill(c, s.src, s.room())
		s.take(n, err)
	}
	if s.failure != nil {
		return s.failure
	}
	c.watch.pass(true)
	c.attempt.streaming = true
	// Its length may change: by a repair, or by a terminal event.
	delete(res.Header, "Content-Length")
	res.ContentLength = -1
	res.Body = s
	return nil
}

// Read implements io.Reader: whole events first, then the terminal event, then
// the end.
func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.begin < s.ready {
			n := copy(p, s.buf[s.begin:s.ready])
			s.begin += n
			return n, nil
		}
		if len(s.terminal) > 0 {
			n := copy(p, s.terminal)
			s.terminal = s.terminal[n:]
			return n, nil
		}
		if s.over != nil {
			return 0, s.over
		}
		n, err := s.call.watch.read(s.src, s.room())
		s.take(n, err)
	}
}

// Close implements io.Closer.
func (s *stream) Close() error { return s.src.Close() }

// room returns the free end of the buffer, made larger if need be. At its full
// size, what is there of an incomplete event is let go.
func (s *stream) room() []byte {
	if s.begin > 0 {
		copy(s.buf, s.buf[s.begin:s.end])
		s.ready, s.end, s.line, s.scanned = s.ready-s.begin, s.end-s.begin, s.line-s.begin, s.scanned-s.begin
		s.begin = 0
		if s.line < 0 { // its beginning was let go; it can't turn out blank any more
			s.line = -2
		}
	}
	if s.end == len(s.buf) {
		larger := make([]byte, max(2*len(s.buf), eventBuffer))
		copy(larger, s.buf)
		s.buf = larger
	}
	return s.buf[s.end:]
}

// take handles n bytes that were read into room, and the end of the stream.
func (s *stream) take(n int, err error) {
	s.end += n
	s.scan()
	if s.over == nil && s.end-s.ready >= maxEventBuffer {
		// What a closing event says of itself stands at its beginning.
		s.events++
		s.oversized = true
		s.complete = s.complete || completes(s.buf[s.ready:s.end], s.call.route.protocol)
	}
	if s.oversized && s.over == nil {
		s.meterPiece(s.end)
		s.ready = s.end
	}
	if err != nil && s.over == nil {
		s.finish(err)
	}
}

// scan finds the blank lines that end events.
func (s *stream) scan() {
	for s.over == nil {
		i := bytes.IndexByte(s.buf[s.scanned:s.end], '\n')
		if i < 0 {
			s.scanned = s.end
			return
		}
		i += s.scanned
		blank := i == s.line || i == s.line+1 && s.buf[s.line] == '\r'
		s.scanned, s.line = i+1, i+1
		if blank {
			s.event(i + 1)
		}
	}
}

// event handles the whole event that ends at the given offset.
func (s *stream) event(end int) {
	if s.oversized { // its beginning is gone
		s.meterPiece(end)
		s.oversized, s.ready = false, end
		return
	}
	event := s.buf[s.ready:end]
	if !hasData(event) {
		s.ready = end
		return
	}
	if f := normalize.ClassifyEvent(event); f != nil {
		s.failed(f)
		return
	}
	ends := s.saw(event)
	if s.call.route.repaired {
		if ends {
			if chunk := s.head.repairUsage(event, s.call); chunk != nil {
				s.replace(end, chunk)
				return
			}
		}
		s.head.note(event)
	}
	s.ready = end
}

// meterPiece gives the meter what is there of an oversized event.
func (s *stream) meterPiece(end int) {
	if m := s.call.charge.Meter(); m != nil {
		m.Piece(s.buf[s.ready:end])
	}
}

// saw notes an event that may pass, and reports whether it is an end mark.
func (s *stream) saw(event []byte) (ends bool) {
	s.events++
	if m := s.call.charge.Meter(); m != nil {
		m.Event(event)
	}
	ends = completes(event, s.call.route.protocol)
	s.complete = s.complete || ends
	return ends
}

// replace puts another event in the place of the one that ends at the given
// offset.
func (s *stream) replace(end int, event []byte) {
	s.buf = slices.Replace(s.buf[:s.end], s.ready, end, event...)
	s.buf = s.buf[:cap(s.buf)]
	s.ready += len(event)
	longer := s.ready - end
	s.end, s.line, s.scanned = s.end+longer, s.line+longer, s.scanned+longer
}

// finish handles upstream's end of the stream.
func (s *stream) finish(err error) {
	rest := s.buf[s.ready:s.end]
	if s.oversized {
		rest = nil
	}
	// The blank line after the last event may be missing, where the connection
	// ended in order and the event is plainly whole.
	whole := err == io.EOF && wholeEvent(rest)
	if whole {
		if f := normalize.ClassifyEvent(rest); f != nil {
			s.failed(f)
			return
		}
		s.saw(rest)
	}
	switch {
	case s.complete:
		if !whole && hasFields(rest) {
			s.end = s.ready // half an event
		}
		s.ready, s.over = s.end, io.EOF
	case s.events == 0 && err == io.EOF:
		s.fail(s.p.upstreamFailure(s.call, s.res, s.buf[:s.end]))
	case err == io.EOF:
		// Upstream may end in order because it was told that nobody listens.
		s.fail(s.call.broken(io.ErrUnexpectedEOF))
	default:
		s.fail(s.call.broken(err))
	}
}

// failed ends the stream because of what upstream said in it.
func (s *stream) failed(f *normalize.Failure) {
	s.p.blockQuota(s.call, f, s.res.StatusCode, true)
	s.fail(s.p.attribute(s.call, f, s.res.StatusCode))
}

// fail ends the stream with its terminal event; what is incomplete is dropped.
// A stream that has not begun is an answer that failed.
func (s *stream) fail(f *normalize.Failure) {
	if s.events == 0 && !s.call.attempt.streaming {
		s.failure, s.over = f, errCut
		return
	}
	f = s.call.fail(f)
	s.end, s.over = s.ready, errCut
	if s.oversized { // its beginning is out, without an end
		s.terminal = append(s.terminal, "\n\n"...)
	}
	s.terminal = f.AppendEvent(s.terminal, s.call.protocol())
}

// wholeEvent reports whether what stands at the end of a stream is an event that
// lacks nothing but its blank line: its data is [DONE] or whole JSON.
func wholeEvent(rest []byte) bool {
	data := eventData(rest)
	return len(data) > 0 && (string(data) == "[DONE]" || json.Valid(data))
}

// hasFields reports whether a block holds more than comments and empty lines.
func hasFields(block []byte) bool {
	for line := range bytes.Lines(block) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && line[0] != ':' {
			return true
		}
	}
	return false
}

// hasData reports whether a block is an event: comments, empty lines and blocks
// that only set a retry time or an id are none.
func hasData(block []byte) bool {
	if bytes.HasPrefix(block, []byte("data:")) {
		return true
	}
	for line := range bytes.Lines(block) {
		if bytes.HasPrefix(line, []byte("data:")) {
			return true
		}
	}
	return false
}
