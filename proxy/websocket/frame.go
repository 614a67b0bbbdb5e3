package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// The close codes that a session ends with here.
const (
	CloseNormal    = 1000
	CloseGoingAway = 1001
	CloseProtocol  = 1002
	ClosePolicy    = 1008
	CloseTooBig    = 1009
	CloseInternal  = 1011
)

const (
	maxHeader  = 14  // bytes of a frame's header
	maxControl = 125 // bytes of the payload of a control frame
	maxReason  = 123 // bytes of the text of a close frame
)

// A ProtocolError is a frame that RFC 6455 does not allow, or one that is too large.
type ProtocolError struct {
	Code int // the close code to answer with
	text string
}

func (e *ProtocolError) Error() string { return e.text }

func malformed(format string, args ...any) error {
	return &ProtocolError{CloseProtocol, fmt.Sprintf(format, args...)}
}

// A frame is the header of one.
type frame struct {
	final  bool
	opcode byte
	masked bool
	length int64
	mask   [4]byte
}

func (f *frame) control() bool { return f.opcode >= opClose }

// A part is a piece of one frame: all of its header, or some of its payload.
type part struct {
	frame
	kind  byte   // opcode of the message that the frame belongs to, or of a control frame
	raw   []byte // as received; it may be of the bytes that were given, and is valid until the next call
	at    int64  // where raw begins in the payload
	begin bool   // raw is the header
	end   bool   // the frame ends with raw
}

// A parser finds the frames in one direction of a connection, in whatever pieces its bytes come.
type parser struct {
	masked   bool  // frames must be masked, as those of clients are; else they must not be
	maxFrame int64 // bytes of one frame's payload

	head    [maxHeader]byte
	have    int   // bytes of a header that is not complete
	current frame // whose payload comes, while left is not 0
	left    int64
	kind    byte // of the current frame, as in part
	message byte // opcode of the message that has begun and not ended; 0: there is none
}

// next takes bytes from the beginning of b, which is not empty, and says how many. A part without raw says that they
// were the beginning of a header.
func (p *parser) next(b []byte) (out part, n int, err error) {
	if p.left > 0 {
		n = int(min(p.left, int64(len(b))))
		at := p.current.length - p.left
		p.left -= int64(n)
		return part{frame: p.current, kind: p.kind, raw: b[:n], at: at, end: p.left == 0}, n, nil
	}
	raw := b
	if p.have > 0 { // the header began in bytes that are gone
		n = copy(p.head[p.have:], b)
		raw = p.head[:p.have+n]
	}
	f, size, err := p.parse(raw)
	if err != nil {
		return part{}, 0, err
	}
	if size == 0 {
		if p.have == 0 {
			n = copy(p.head[:], b)
		}
		p.have += n
		return part{}, n, nil
	}
	n = size - p.have
	p.have = 0
	if err := p.begin(&f); err != nil {
		return part{}, 0, err
	}
	p.current, p.left = f, f.length
	return part{frame: f, kind: p.kind, raw: raw[:size], begin: true, end: p.left == 0}, n, nil
}

// parse reads a header. size is 0 where it is not complete yet.
func (p *parser) parse(b []byte) (f frame, size int, err error) {
	if len(b) >= 1 && b[0]&0x70 != 0 {
		return f, 0, malformed("reserved bits are set: %#x", b[0]&0x70)
	}
	if len(b) < 2 {
		return f, 0, nil
	}
	f = frame{final: b[0]&0x80 != 0, opcode: b[0] & 0xf, masked: b[1]&0x80 != 0, length: int64(b[1] & 0x7f)}
	if f.masked != p.masked {
		return f, 0, malformed("masked is %v, want %v", f.masked, p.masked)
	}
	size = 2
	switch f.length {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	lengthEnds := size
	if f.masked {
		size += 4
	}
	if len(b) < size {
		return f, 0, nil
	}
	switch lengthEnds {
	case 4:
		f.length = int64(binary.BigEndian.Uint16(b[2:]))
		if f.length < 126 {
			return f, 0, malformed("a length of %d takes no two bytes", f.length)
		}
	case 10:
		length := binary.BigEndian.Uint64(b[2:])
		if length>>63 != 0 || length < 1<<16 {
			return f, 0, malformed("a length of %d in eight bytes", length)
		}
		f.length = int64(length)
	}
	if f.masked {
		copy(f.mask[:], b[lengthEnds:])
	}
	return f, size, nil
}

// begin checks whether a frame may come now, and notes which message it belongs to.
func (p *parser) begin(f *frame) error {
	p.kind = f.opcode
	if f.control() {
		return f.checkControl()
	}
	switch f.opcode {
	case opContinuation:
		if p.message == 0 {
			return malformed("a continuation of no message")
		}
		p.kind = p.message
	case opText, opBinary:
		if p.message != 0 {
			return malformed("a new message within another")
		}
	default:
		return malformed("the opcode %d", f.opcode)
	}
	if f.length > p.maxFrame {
		return &ProtocolError{CloseTooBig, fmt.Sprintf("a frame of %d bytes, more than %d", f.length, p.maxFrame)}
	}
	p.message = p.kind
	if f.final {
		p.message = 0
	}
	return nil
}

func (f *frame) checkControl() error {
	switch {
	case f.opcode > opPong:
		return malformed("the opcode %d", f.opcode)
	case !f.final:
		return malformed("a control frame in fragments")
	case f.length > maxControl:
		return malformed("a control frame of %d bytes", f.length)
	case f.opcode == opClose && f.length == 1:
		return malformed("a close frame of one byte")
	}
	return nil
}

// parseClose reads the payload of a close frame. code is 0 where there is none.
func parseClose(payload []byte) (code int, err error) {
	if len(payload) < 2 {
		return 0, nil
	}
	code = int(binary.BigEndian.Uint16(payload))
	switch {
	case code < 1000, code >= 1004 && code <= 1006, code >= 1015 && code < 3000, code >= 5000:
		return code, malformed("the close code %d", code)
	case !utf8.Valid(payload[2:]):
		return code, malformed("the reason of a close frame is not UTF-8")
	}
	return code, nil
}

// unmask removes the mask of a part of a payload that begins at a place of it, or adds it.
func unmask(b []byte, mask [4]byte, at int64) {
	for i := range b {
		b[i] ^= mask[(at+int64(i))&3]
	}
}

// appendFrame appends a whole frame of at most 125 bytes.
func appendFrame(b []byte, opcode byte, payload []byte, mask *[4]byte) []byte {
	b = append(b, 0x80|opcode, byte(len(payload)))
	if mask == nil {
		return append(b, payload...)
	}
	b[len(b)-1] |= 0x80
	b = append(b, mask[:]...)
	b = append(b, payload...)
	unmask(b[len(b)-len(payload):], *mask, 0)
	return b
}

// closePayload is the payload of a close frame.
func closePayload(code int, reason string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(code))
	return append(b, reason[:min(len(reason), maxReason)]...)
}
