package proxy

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// messages measures a list of messages, of any protocol, or a plain text.
func (m *measurement) messages() error {
	if m.first() != '[' {
		raw, err := m.raw()
		if err == nil {
			m.text(raw)
		}
		return err
	}
	var n int64
	err := m.items(func() error {
		n++
		if m.first() != '{' {
			return m.s.value(3)
		}
		return m.part(true)
	})
	m.Texts = max(m.Texts, n)
	return err
}

// part measures a message, a part of its content, or a part of that. Pictures
// and sound only count as such where a protocol has them: elsewhere the same
// text would become tokens.
func (m *measurement) part(message bool) error {
	return m.s.members(func(rawName []byte) error {
		name, err := unquote(rawName)
		if err != nil {
			return err
		}
		switch {
		case name == "content" && m.first() == '[':
			return m.items(func() error {
				if m.first() != '{' {
					return m.s.value(4)
				}
				return m.part(false)
			})
		case message:
		case name == "image_url" || name == "image":
			return m.picture()
		case name == "source" && m.first() == '{':
			return m.source()
		case name == "input_audio" || name == "audio":
			return m.audio()
		}
		return m.s.value(3)
	})
}

// source measures Anthropic's {"type":"base64","media_type":"image/png","data":…}.
func (m *measurement) source() error {
	m.Images++
	var data int64
	picture := false
	err := m.s.members(func(rawName []byte) error {
		name, err := unquote(rawName)
		if err != nil {
			return err
		}
		raw, err := m.raw()
		if err != nil {
			return err
		}
		switch name {
		case "media_type":
			kind, err := unquoteText(raw)
			picture = err == nil && strings.HasPrefix(kind, "image/")
		case "data":
			if _, ok := payload(raw, "image/"); ok {
				data += int64(len(raw))
			}
		}
		return nil
	})
	if picture {
		m.media += data
	}
	return err
}

func unquoteText(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", nil
	}
	return unquote(raw)
}

// picture measures an image: base64, a data URL, a URL, a list of bytes, a list
// of any of these, or an object with one in "url".
func (m *measurement) picture() error {
	start := m.s.i
	switch m.first() {
	case '"':
		raw, err := m.raw()
		m.Images++
		if _, ok := payload(raw, "image/"); ok && err == nil {
			m.media += int64(len(raw))
		}
		return err
	case '[':
		if m.numbers() > 0 {
			m.Images++
			m.media += int64(m.s.i - start)
			return nil
		}
		return m.items(m.picture)
	case '{':
		m.Images++
		return m.s.members(func(rawName []byte) error {
			name, err := unquote(rawName)
			if err != nil {
				return err
			}
			raw, err := m.raw()
			if _, ok := payload(raw, "image/"); ok && err == nil && (name == "url" || name == "data" || name == "body") {
				m.media += int64(len(raw))
			}
			return err
		})
	}
	return m.s.value(3)
}

// audio measures a recording: base64, a data URL, a list of bytes, or an object
// with one of these in "body" or "data".
func (m *measurement) audio() error {
	start := m.s.i
	switch m.first() {
	case '"':
		raw, err := m.raw()
		if err != nil {
			return err
		}
		text, ok := payload(raw, "")
		if !ok {
			m.seconds += fetchedSeconds
			return nil
		}
		m.media += int64(len(raw))
		m.heard(decodeHead(text), int64(len(text))*3/4)
		return nil
	case '[':
		if n := m.numbers(); n > 0 {
			m.media += int64(m.s.i - start)
			m.heard(listedBytes(m.s.b[start:m.s.i]), n)
			return nil
		}
		return m.items(m.audio)
	case '{':
		if m.depth++; m.depth > maxDepth {
			return errTooDeep
		}
		defer func() { m.depth-- }()
		return m.s.members(func(rawName []byte) error {
			name, err := unquote(rawName)
			if err != nil {
				return err
			}
			if name == "body" || name == "data" || name == "url" {
				return m.audio()
			}
			return m.s.value(3)
		})
	}
	return m.s.value(3)
}

// heard counts a recording of that many bytes.
func (m *measurement) heard(head []byte, total int64) {
	if seconds, ok := audioSeconds(head, total); ok {
		m.seconds += seconds
	} else {
		m.unheard += total
	}
}

// numbers reads a list of nothing but numbers, which may have millions, and
// returns how many there are; 0, and nothing read, for any other list.
func (m *measurement) numbers() int64 {
	b := m.s.b
	n := int64(1)
	digits := false
	for i := m.s.i + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c-'0' < 10:
			digits = true
		case c == ',':
			n++
		case c == ']':
			if !digits {
				return 0
			}
			m.s.i = i + 1
			return n
		case !numeric[c] && c != ' ' && c != '\n' && c != '\r' && c != '\t':
			return 0
		}
	}
	return 0
}

// listedBytes returns the first bytes of a list of numbers.
func listedBytes(list []byte) []byte {
	var head []byte
	v, digits := 0, false
	for _, c := range list {
		switch {
		case c-'0' < 10:
			v, digits = (v*10+int(c-'0'))&0xffff, true
		case c == ',' || c == ']':
			if digits {
				head = append(head, byte(v))
			}
			v, digits = 0, false
			if len(head) == audioHeader {
				return head
			}
		}
	}
	return head
}

// payload returns the base64 in a raw string, which may be a data URL of the
// given kind ("image/"). ok is false for anything else: a URL, or text.
func payload(raw []byte, kind string) (base64Text []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	inner := raw[1 : len(raw)-1]
	if rest, isURL := bytes.CutPrefix(inner, []byte("data:")); isURL {
		const far = 256
		end := bytes.Index(rest[:min(far, len(rest))], []byte(";base64,"))
		head := bytes.ReplaceAll(rest[:max(end, 0)], []byte(`\/`), []byte("/"))
		if !bytes.HasPrefix(head, []byte(kind)) {
			return nil, false
		}
		inner = rest[end+len(";base64,"):]
	}
	for i := 0; i < len(inner); i++ {
		if c := inner[i]; !base64Byte[c] {
			if c != '\\' || i+1 == len(inner) || bytes.IndexByte([]byte(`/nr`), inner[i+1]) < 0 {
				return nil, false
			}
			i++
		}
	}
	return inner, true
}

var base64Byte = indexBytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")

// decodeHead decodes the beginning of base64 that payload returned.
func decodeHead(text []byte) []byte {
	text = bytes.ReplaceAll(text[:min(len(text), audioHeader)], []byte(`\/`), []byte("/"))
	if i := bytes.IndexAny(text, `\=`); i >= 0 {
		text = text[:i]
	}
	for i, c := range text {
		switch c {
		case '-':
			text[i] = '+'
		case '_':
			text[i] = '/'
		}
	}
	head := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, _ := base64.RawStdEncoding.Decode(head, text) // what is decoded before an error counts
	return head[:n]
}
