package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// raw returns a frame as it is on the wire. first is its first byte.
func raw(first byte, payload string, masked bool) []byte {
	b := []byte{first}
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if !masked {
		return append(b, payload...)
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	b = append(b, payload...)
	unmask(b[len(b)-len(payload):], key, 0)
	return b
}

// found is what a parser finds in bytes that come in pieces of a size: each frame as opcode, kind, final and length,
// and all bytes as they were passed.
func found(masked bool, b []byte, size int) (frames string, passed []byte, payloads []string, err error) {
	p := parser{masked: masked, maxFrame: 1 << 20}
	var payload []byte
	for len(b) > 0 {
		piece := bytes.Clone(b[:min(size, len(b))])
		b = b[len(piece):]
		for len(piece) > 0 {
			part, n, err := p.next(piece)
			if err != nil {
				return frames, passed, payloads, err
			}
			piece = piece[n:]
			passed = append(passed, part.raw...)
			if part.begin {
				frames += fmt.Sprintf("%x/%x/%v/%d ", part.opcode, part.kind, part.final, part.length)
				payload = nil
			} else if part.raw != nil {
				text := bytes.Clone(part.raw)
				if masked {
					unmask(text, part.mask, part.at)
				}
				payload = append(payload, text...)
			}
			if part.end {
				payloads = append(payloads, string(payload))
			}
		}
	}
	return frames, passed, payloads, nil
}

func text(n int) string { return string(bytes.Repeat([]byte("Sound! "), n/7+1)[:n]) }

func join2(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// Each case comes whole, byte by byte and in pieces: what is found is the same, and all bytes pass unchanged.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		name string
		wire func(masked bool) []byte
		want string
	}{
		{"empty text", func(m bool) []byte { return raw(0x81, "", m) }, "1/1/true/0 "},
		{"empty binary", func(m bool) []byte { return raw(0x82, "", m) }, "2/2/true/0 "},
		{"one byte", func(m bool) []byte { return raw(0x82, "a", m) }, "2/2/true/1 "},
		{"125", func(m bool) []byte { return raw(0x82, text(125), m) }, "2/2/true/125 "},
		{"126", func(m bool) []byte { return raw(0x82, text(126), m) }, "2/2/true/126 "},
		{"127", func(m bool) []byte { return raw(0x81, text(127), m) }, "1/1/true/127 "},
		{"128", func(m bool) []byte { return raw(0x82, text(128), m) }, "2/2/true/128 "},
		{"65535", func(m bool) []byte { return raw(0x82, text(65535), m) }, "2/2/true/65535 "},
		{"65536", func(m bool) []byte { return raw(0x82, text(65536), m) }, "2/2/true/65536 "},
		{"the largest", func(m bool) []byte { return raw(0x82, text(1<<20), m) }, "2/2/true/1048576 "},
		{"ping", func(m bool) []byte { return raw(0x89, text(125), m) }, "9/9/true/125 "},
		{"empty ping and pong", func(m bool) []byte {
			return join2(raw(0x89, "", m), raw(0x8a, "", m))
		}, "9/9/true/0 a/a/true/0 "},
		{"fragments", func(m bool) []byte {
			return join2(raw(0x02, "ab", m), raw(0x00, "", m), raw(0x00, text(300), m), raw(0x80, "c", m))
		}, "2/2/false/2 0/2/false/0 0/2/false/300 0/2/true/1 "},
		{"empty last fragment", func(m bool) []byte {
			return join2(raw(0x01, "ab", m), raw(0x80, "", m), raw(0x82, "x", m))
		}, "1/1/false/2 0/1/true/0 2/2/true/1 "},
		{"control frames between fragments", func(m bool) []byte {
			return join2(raw(0x02, "ab", m), raw(0x89, "p", m), raw(0x00, "c", m), raw(0x8a, "", m), raw(0x80, "d", m))
		}, "2/2/false/2 9/9/true/1 0/2/false/1 a/a/true/0 0/2/true/1 "},
		{"close", func(m bool) []byte { return raw(0x88, "\x03\xe8bye", m) }, "8/8/true/5 "},
		{"close without a code", func(m bool) []byte { return raw(0x88, "", m) }, "8/8/true/0 "},
	} {
		for _, masked := range []bool{true, false} {
			wire := c.wire(masked)
			_, _, wantPayloads, _ := found(masked, wire, len(wire))
			for _, size := range []int{len(wire), 1, 2, 3, 7, 4096} {
				if size == 1 && len(wire) > 1<<17 {
					continue
				}
				what := fmt.Sprintf("%s, masked %v, in pieces of %d", c.name, masked, size)
				frames, passed, payloads, err := found(masked, wire, size)
				if err != nil || frames != c.want {
					t.Errorf("%s: got %s(%v), want %s", what, frames, err, c.want)
				}
				if !bytes.Equal(passed, wire) {
					t.Errorf("%s: got other bytes than came", what)
				}
				if fmt.Sprint(payloads) != fmt.Sprint(wantPayloads) {
					t.Errorf("%s: got other payloads than in one piece", what)
				}
			}
		}
	}
}

func TestMalformedFrames(t *testing.T) {
	eight := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{0x82, 127}, n) }
	for _, c := range []struct {
		name   string
		masked bool
		wire   []byte
		code   int
	}{
		{"reserved bit 1, as of compression", false, raw(0xc1, "a", false), CloseProtocol},
		{"reserved bit 2", false, raw(0xa2, "a", false), CloseProtocol},
		{"reserved bit 3", false, raw(0x92, "a", false), CloseProtocol},
		{"reserved bit of a control frame", false, raw(0xc9, "", false), CloseProtocol},
		{"opcode 3", false, raw(0x83, "", false), CloseProtocol},
		{"opcode 7", false, raw(0x87, "a", false), CloseProtocol},
		{"opcode 11", false, raw(0x8b, "", false), CloseProtocol},
		{"opcode 15", false, raw(0x8f, "", false), CloseProtocol},
		{"ping in fragments", false, raw(0x09, "", false), CloseProtocol},
		{"ping of 126 bytes", false, raw(0x89, text(126), false), CloseProtocol},
		{"close of one byte", false, raw(0x88, "a", false), CloseProtocol},
		{"continuation of nothing", false, raw(0x80, "a", false), CloseProtocol},
		{"continuation of what has ended", false, join2(raw(0x82, "", false), raw(0x00, "", false)), CloseProtocol},
		{"text within a message", false, join2(raw(0x02, "a", false), raw(0x81, "b", false)), CloseProtocol},
		{"not masked", true, raw(0x82, "a", false), CloseProtocol},
		{"masked", false, raw(0x82, "a", true), CloseProtocol},
		{"125 in two bytes", false, []byte{0x82, 126, 0, 125}, CloseProtocol},
		{"65535 in eight bytes", false, eight(65535), CloseProtocol},
		{"a length below zero", false, eight(1 << 63), CloseProtocol},
		{"too large", false, eight(1<<20 + 1), CloseTooBig},
	} {
		for _, size := range []int{len(c.wire), 1} {
			_, _, _, err := found(c.masked, c.wire, size)
			wrong, ok := errors.AsType[*ProtocolError](err)
			if !ok || wrong.Code != c.code {
				t.Errorf("%s, in pieces of %d: got %v, want an error with code %d", c.name, size, err, c.code)
			}
		}
	}
}

func TestCloseFrames(t *testing.T) {
	for payload, want := range map[string]int{
		"": 0, "\x03\xe8": 1000, "\x03\xe9bye": 1001, "\x03\xf0": 1008, "\x03\xf6": 1014, "\x0b\xb8": 3000,
		"\x13\x87": 4999, "\x03\xe8\xc3\xa4": 1000,
	} {
		if code, err := parseClose([]byte(payload)); code != want || err != nil {
			t.Errorf("%q: got %d (%v), want %d", payload, code, err, want)
		}
	}
	for _, payload := range []string{
		"\x00\x00", "\x03\xe7", "\x03\xec", "\x03\xed", "\x03\xee", "\x03\xf7", "\x03\xf8", "\x07\xcf", "\x0b\xb7",
		"\x13\x88", "\xff\xff", "\x03\xe8\xff", "\x03\xe8\xed\xa0\x80",
	} {
		if code, err := parseClose([]byte(payload)); err == nil {
			t.Errorf("%q: got the code %d, want an error", payload, code)
		}
	}
}

// Whatever comes, in whatever pieces: all bytes up to an error pass unchanged, and the frames are the same.
func FuzzFrames(f *testing.F) {
	f.Add(raw(0x82, "abc", false), false, 1)
	f.Add(join2(raw(0x02, text(126), true), raw(0x89, "p", true), raw(0x80, "", true)), true, 3)
	f.Add([]byte{0x82, 126, 0, 125}, false, 2)
	f.Add(raw(0x88, "\x03\xe8bye", true), true, 5)
	f.Fuzz(func(t *testing.T, b []byte, masked bool, size int) {
		size = min(max(size, 1), 1<<12)
		frames, passed, _, err := found(masked, b, size)
		whole, passedWhole, _, errWhole := found(masked, b, max(len(b), 1))
		if frames != whole || !bytes.Equal(passed, passedWhole) || (err == nil) != (errWhole == nil) {
			t.Fatalf("in pieces of %d: got %s(%v), want %s(%v) as in one", size, frames, err, whole, errWhole)
		}
		if !bytes.HasPrefix(b, passed) {
			t.Fatal("got other bytes than came")
		}
		if len(b)-len(passed) >= maxHeader && err == nil {
			t.Fatalf("got %d bytes kept back, want less than a header", len(b)-len(passed))
		}
	})
}
