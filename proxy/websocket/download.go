package websocket

import (
	"io"
	"time"

	"github.com/neuronward/neuronward/normalize"
)

// download is what the caller gets, on its way there.
type download struct {
	parser
	out     []byte // to be written next
	control []byte // a control frame that is not whole
	report  []byte // the text of a message that may say how much sound was heard
	within  bool   // the caller has a part of a frame
	closed  bool   // the caller has a close frame
}

// WriteTo implements io.WriterTo: it passes what upstream sends, until upstream ends, and closes the session then.
func (s *Session) WriteTo(caller io.Writer) (total int64, err error) {
	defer s.rescue()
	defer close(s.upDone)
	b := make([]byte, bufferSize)
	for err == nil {
		var n int
		n, err = s.up.Read(b)
		total += int64(n)
		if n > 0 {
			s.came(FromUpstream, n)
			if failed := s.pass(caller, b[:n]); failed != nil {
				err = failed
			}
		}
	}
	s.conclude(caller)
	return total, errEnded
}

// pass passes bytes of upstream.
func (s *Session) pass(caller io.Writer, b []byte) error {
	d := &s.download
	for len(b) > 0 {
		p, n, err := d.next(b)
		if err == nil {
			b = b[n:]
			err = s.passPart(caller, &p)
		}
		if wrong, ok := err.(*ProtocolError); ok { //nolint:errorlint // it is made here and not wrapped
			s.fail(CloseProtocol, interrupted("Workers AI broke the WebSocket protocol: "+wrong.text+"."))
		}
		if err != nil {
			return err
		}
	}
	return s.deliver(caller)
}

func (s *Session) passPart(caller io.Writer, p *part) error {
	d := &s.download
	switch {
	case p.raw == nil:
		return nil
	case p.control():
		return s.passControl(caller, p)
	}
	joined, ok := join(d.out, p.raw)
	if !ok {
		if err := s.deliver(caller); err != nil {
			return err
		}
		joined = p.raw
	}
	d.out, d.within = joined, !p.end
	if p.kind == opText && !s.speaks() {
		s.readReport(p)
	}
	if p.end && p.final {
		s.message(FromUpstream)
	}
	if p.end && p.length == 0 {
		return s.deliver(caller) // the header may be overwritten by the next one
	}
	return nil
}

// readReport reads the text of a message, if it is short enough.
func (s *Session) readReport(p *part) {
	d := &s.download
	if !p.begin && len(d.report) <= maxText {
		d.report = append(d.report, p.raw...)
	}
	if !p.end || !p.final {
		return
	}
	if len(d.report) <= maxText {
		if seconds := secondsOf(d.report); seconds > 0 {
			s.mu.Lock()
			s.passed.reported = max(s.passed.reported, seconds)
			s.mu.Unlock()
		}
	}
	d.report = d.report[:0]
	if cap(d.report) > bufferSize {
		d.report = nil
	}
}

// passControl passes a control frame when it is whole. The close frame of an upstream that was asked to finish is left
// out: the caller gets another one.
func (s *Session) passControl(caller io.Writer, p *part) error {
	d := &s.download
	if p.begin {
		d.control = d.control[:0]
	}
	d.control = append(d.control, p.raw...)
	if !p.end {
		return nil
	}
	if err := s.deliver(caller); err != nil {
		return err
	}
	if p.opcode == opClose {
		code, err := parseClose(d.control[len(d.control)-int(p.length):])
		if err != nil {
			return err
		}
		s.closedBy(FromUpstream, code)
		if s.isEnding() {
			return errEnded
		}
		d.closed = true
	}
	d.out = d.control
	return s.deliver(caller)
}

// deliver writes what is to be written.
func (s *Session) deliver(caller io.Writer) error {
	d := &s.download
	out := d.out
	d.out = nil
	if len(out) == 0 {
		return nil
	}
	return s.write(FromUpstream, caller, out)
}

// conclude tells the caller that the session has ended, and waits a little for it to have read that.
func (s *Session) conclude(caller io.Writer) {
	d := &s.download
	s.mu.Lock()
	if s.over.IsZero() {
		s.over = time.Now()
	}
	gone := s.report.CallerGone || s.closed
	if s.ending == nil && !gone && !s.closing[FromCaller] && !s.closing[FromUpstream] {
		s.ending = &Ending{CloseInternal, interrupted("")}
	}
	code, reason := CloseNormal, ""
	if s.ending != nil {
		code, reason = s.ending.Code, s.ending.Failure.Code.String()
	}
	if s.caller != nil {
		_ = s.caller.SetWriteDeadline(time.Now().Add(lingerTime))
	}
	s.mu.Unlock()
	if !gone && !d.closed && !d.within {
		if s.write(FromUpstream, caller, appendFrame(nil, opClose, closePayload(code, reason), nil)) != nil {
			return
		}
	}
	enough := time.NewTimer(lingerTime)
	defer enough.Stop()
	select {
	case <-s.answered:
	case <-s.callerDone:
	case <-s.ctx.Done():
	case <-enough.C:
	}
}

// interrupted is the failure of a session whose connection to upstream broke.
func interrupted(message string) *normalize.Failure {
	return &normalize.Failure{
		Code: normalize.StreamInterrupted, Message: message, Origin: normalize.OriginProxy,
		MatchedBy: normalize.MatchedTransport,
	}
}
