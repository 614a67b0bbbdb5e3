package websocket

import (
	"crypto/rand"
	"errors"
	"io"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/quota/workload"
)

// upload is what the caller sends, on its way to upstream.
type upload struct {
	parser
	out     []byte // to be sent next
	after   place  // where upstream is behind out
	sound   int64  // bytes of sound in out
	words   int64  // characters to be spoken in out
	control []byte // a control frame that is not whole
	text    []byte // frames of a message that is held until it is whole
	spoken  []byte // the text of it

	at   place // where upstream is
	done bool  // nothing more is sent: upstream was asked to finish or has gone, or the caller has closed

	broken bool // what comes makes no frames
}

// A place is where a stream of frames stands.
type place struct {
	frame   bool // within one
	message bool // within one, or between two frames of it
}

// ReadFrom implements io.ReaderFrom: it sends what the caller sends, until the caller ends.
func (s *Session) ReadFrom(caller io.Reader) (total int64, err error) {
	defer s.rescue()
	defer close(s.callerDone)
	b := make([]byte, bufferSize)
	for {
		n, err := caller.Read(b)
		total += int64(n)
		if n > 0 {
			s.came(FromCaller, n)
			_, _ = s.Write(b[:n]) // it has no error
		}
		if err != nil {
			s.callerEnded()
			return total, errEnded
		}
	}
}

// callerEnded notes that the connection of the caller has ended. One that has sent a close frame first may wait for
// the answer on the other half of it.
func (s *Session) callerEnded() {
	s.mu.Lock()
	properly := s.closing[FromCaller] || s.closing[FromUpstream] || s.ending != nil
	s.report.CallerGone = !properly
	s.mu.Unlock()
	if properly {
		select {
		case <-s.upDone:
		case <-s.ctx.Done():
		}
	}
}

// Write implements io.Writer: it takes bytes of the caller. What cannot go on any more is read all the same, so that
// the caller can read why.
func (s *Session) Write(b []byte) (int, error) {
	s.sending.Lock()
	defer s.sending.Unlock()
	u := &s.upload
	for rest := b; len(rest) > 0 && !u.broken; {
		p, n, err := u.next(rest)
		if err == nil {
			rest = rest[n:]
			err = s.take(&p)
		}
		s.stop(err)
	}
	if !u.broken {
		s.stop(s.flush())
	}
	return len(b), nil
}

// stop ends the session for an error on the way to upstream.
func (s *Session) stop(err error) {
	wrong, ok := errors.AsType[*ProtocolError](err)
	switch {
	case err == nil:
	case ok:
		s.upload.broken = true
		code := normalize.BadInput
		if wrong.Code == CloseTooBig {
			code = normalize.RequestTooLarge
		}
		s.fail(wrong.Code, &normalize.Failure{
			Code: code, Message: "The session broke the WebSocket protocol: " + wrong.text + ".",
			Origin: normalize.OriginGuard, MatchedBy: normalize.MatchedRequest,
		})
	default: // upstream takes nothing any more
		s.upload.done = true
		s.cut()
	}
}

// take takes a part of a frame of the caller.
func (s *Session) take(p *part) error {
	u := &s.upload
	switch {
	case p.raw == nil:
		return nil
	case p.control():
		return s.takeControl(p)
	case s.speaks(): // binary messages as well: upstream may read them like texts
		return s.takeText(p)
	}
	if err := s.emit(p.raw); err != nil {
		return err
	}
	if !p.begin && p.mayBeSound() {
		u.sound += int64(len(p.raw))
	}
	u.after = place{frame: !p.end, message: !p.final}
	if !p.end {
		return nil
	}
	if p.final {
		s.message(FromCaller)
	}
	return s.flush()
}

// mayBeSound reports whether upstream may hear the payload: it may take sound as text as well, and what models take is
// documented in part alone. Commands that are known are short and whole.
func (p *part) mayBeSound() bool {
	const maxCommand = 64 // bytes
	return p.kind == opBinary || p.length > maxCommand || !p.final || p.opcode == opContinuation
}

// takeControl holds a control frame until it is whole: it is short, and others may not be cut in two by what is sent to
// upstream from here.
func (s *Session) takeControl(p *part) error {
	u := &s.upload
	if p.begin {
		u.control = u.control[:0]
	}
	u.control = append(u.control, p.raw...)
	if !p.end {
		return nil
	}
	if p.opcode == opClose {
		payload := append([]byte(nil), u.control[len(u.control)-int(p.length):]...)
		unmask(payload, p.mask, 0)
		code, err := parseClose(payload)
		if err != nil {
			return err
		}
		s.closedBy(FromCaller, code)
	}
	if err := s.emit(u.control); err != nil {
		return err
	}
	u.after = u.at
	err := s.flush()
	u.done = u.done || p.opcode == opClose
	return err
}

// takeText holds a message to a model that speaks until it is whole: what it costs is known before it is sent.
func (s *Session) takeText(p *part) error {
	u := &s.upload
	if len(u.text)+len(p.raw) > maxText {
		return &ProtocolError{CloseTooBig, "a message to be spoken is longer than 64 KiB"}
	}
	u.text = append(u.text, p.raw...)
	if !p.begin {
		u.spoken = append(u.spoken, p.raw...)
		unmask(u.spoken[len(u.spoken)-len(p.raw):], p.mask, p.at)
	}
	if !p.end || !p.final {
		return nil
	}
	text, words := u.text, charactersOf(u.spoken)
	u.text, u.spoken = nil, nil
	if err := s.emit(text); err != nil {
		return err
	}
	u.words, u.after = words, place{}
	s.message(FromCaller)
	return s.flush()
}

// emit appends bytes to what is sent next. They are not copied: what does not go on where that ends is sent after it.
func (s *Session) emit(b []byte) error {
	u := &s.upload
	joined, ok := join(u.out, b)
	if !ok {
		if err := s.flush(); err != nil {
			return err
		}
		joined = b
	}
	u.out = joined
	return nil
}

// join returns a and b as one if b lies behind a in memory, or a is empty.
func join(a, b []byte) (joined []byte, ok bool) {
	switch {
	case len(a) == 0:
		return b, true
	case len(b) == 0:
		return a, true
	case cap(a) >= len(a)+len(b) && &a[:len(a)+1][len(a)] == &b[0]:
		return a[:len(a)+len(b)], true
	}
	return nil, false
}

// flush sends what is to be sent, as soon as it is paid for. Once the session is ending it sends nothing but the rest
// of a frame, and then asks upstream to finish.
func (s *Session) flush() error {
	u := &s.upload
	out, sound, words := u.out, u.sound, u.words
	u.out, u.sound, u.words = nil, 0, 0
	if len(out) > 0 && !u.done && s.pay(sound, words) {
		if err := s.write(FromCaller, s.up, out); err != nil {
			return err
		}
		u.at = u.after
	}
	if s.isEnding() {
		s.ask()
	}
	return nil
}

// ask asks upstream to finish, once, where a frame may begin; s.sending is held.
func (s *Session) ask() {
	u := &s.upload
	if u.done || u.at.frame {
		return
	}
	u.done = true
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // it never fails
	var out []byte
	if u.at.message {
		out = appendFrame(out, opContinuation, nil, &mask) // ends it
	}
	switch s.o.Task {
	case workload.SpeechRecognition:
		out = appendFrame(out, opText, []byte(`{"type":"CloseStream"}`), &mask)
	case workload.TextToSpeech:
		out = appendFrame(out, opText, []byte(`{"type":"Close"}`), &mask)
	default: // it has no such message
		out = appendFrame(out, opClose, closePayload(CloseNormal, ""), &mask)
	}
	_ = s.write(FromCaller, s.up, out) // who does not take it is cut later
}
