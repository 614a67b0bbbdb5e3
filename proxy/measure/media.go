package measure

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"

	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota"
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
	return m.list(m.Task == quota.TextToSpeech, func() error {
		if m.first() != '{' {
			return m.s.Value(3)
		}
		return m.part(true)
	})
}

// part measures a message, a part of its content, or a part of that. Pictures
// and sound only count as such where a protocol has them: elsewhere the same
// text would become tokens.
func (m *measurement) part(message bool) error {
	return m.s.Members(func(rawName []byte) error {
		name, err := jsonscan.Unquote(rawName)
		if err != nil {
			return err
		}
		switch {
		case name == "content" && m.first() == '[':
			return m.items(func() error {
				if m.first() != '{' {
					return m.s.Value(4)
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
		return m.s.Value(3)
	})
}

// source measures Anthropic's {"type":"base64","media_type":"image/png","data":…}.
func (m *measurement) source() error {
	m.Images++
	var data int64
	picture := false
	err := m.s.Members(func(rawName []byte) error {
		name, err := jsonscan.Unquote(rawName)
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
	return jsonscan.Unquote(raw)
}

// picture measures an image: base64, a data URL, a URL, a list of bytes, a list
// of any of these, or an object with one in "url".
func (m *measurement) picture() error {
	start := m.s.Pos
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
			m.media += int64(m.s.Pos - start)
			return nil
		}
		return m.items(m.picture)
	case '{':
		m.Images++
		return m.s.Members(func(rawName []byte) error {
			name, err := jsonscan.Unquote(rawName)
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
	return m.s.Value(3)
}

// audio measures a recording: base64, a data URL, a list of bytes, or an object
// with one of these in "body" or "data".
func (m *measurement) audio() error {
	start := m.s.Pos
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
		m.heard(int64(len(text))*3/4, func() io.Reader { return base64Reader(text) })
		return nil
	case '[':
		if n := m.numbers(); n > 0 {
			m.media += int64(m.s.Pos - start)
			list := m.s.Data[start:m.s.Pos]
			m.heard(n, func() io.Reader { return &listReader{list} })
			return nil
		}
		return m.items(m.audio)
	case '{':
		if m.depth++; m.depth > jsonscan.MaxDepth {
			return errTooDeep
		}
		defer func() { m.depth-- }()
		return m.s.Members(func(rawName []byte) error {
			name, err := jsonscan.Unquote(rawName)
			if err != nil {
				return err
			}
			if name == "body" || name == "data" || name == "url" {
				return m.audio()
			}
			return m.s.Value(3)
		})
	}
	return m.s.Value(3)
}

// heard counts a recording of that many bytes.
func (m *measurement) heard(total int64, open func() io.Reader) {
	head := make([]byte, min(total, audioHeader))
	n, _ := io.ReadFull(open(), head) // what is decoded before an error counts
	seconds, ok := audioSeconds(head[:n], total)
	if !ok && begins(head[:n], "OggS") { // whose length stands at its end
		seconds = oggSeconds(open(), total)
		ok = seconds > 0
	}
	if ok {
		m.seconds += seconds
	} else {
		m.unheard += total
	}
}

// numbers reads a list of nothing but numbers, which may have millions, and
// returns how many there are; 0, and nothing read, for any other list.
func (m *measurement) numbers() int64 {
	b := m.s.Data
	n := int64(1)
	digits := false
	for i := m.s.Pos + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c-'0' < 10:
			digits = true
		case c == ',':
			n++
		case c == ']':
			if !digits {
				return 0
			}
			m.s.Pos = i + 1
			return n
		case !numeric[c] && c != ' ' && c != '\n' && c != '\r' && c != '\t':
			return 0
		}
	}
	return 0
}

// A listReader reads a list of numbers as the bytes that they stand for.
type listReader struct{ list []byte }

func (r *listReader) Read(b []byte) (n int, err error) {
	v, digits := 0, false
	for i, c := range r.list {
		switch {
		case n == len(b):
			r.list = r.list[i:]
			return n, nil
		case c-'0' < 10:
			v, digits = (v*10+int(c-'0'))&0xffff, true
		case c == ',' || c == ']':
			if digits {
				b[n] = byte(v)
				n++
			}
			v, digits = 0, false
		}
	}
	if r.list = nil; n == 0 {
		err = io.EOF
	}
	return n, err
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
		if end < 0 {
			return nil, false
		}
		head := bytes.ReplaceAll(rest[:end], []byte(`\/`), []byte("/"))
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

var numeric = indexBytes("0123456789+-.eE")

func indexBytes(set string) (marked [256]bool) {
	for i := range len(set) {
		marked[set[i]] = true
	}
	return marked
}

// base64Reader decodes what payload returned, as far as it can be.
func base64Reader(text []byte) io.Reader {
	return base64.NewDecoder(base64.RawStdEncoding, &lettersReader{text})
}

// A lettersReader reads base64 in JSON, of either alphabet, as plain base64.
type lettersReader struct{ text []byte }

func (r *lettersReader) Read(b []byte) (n int, err error) {
	for n < len(b) && len(r.text) > 0 {
		c := r.text[0]
		r.text = r.text[1:]
		if c == '\\' && len(r.text) > 0 {
			c = r.text[0] // payload has let "/", "n" and "r" pass
			r.text = r.text[1:]
			if c != '/' {
				continue
			}
		}
		switch c {
		case '=':
			r.text = nil
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		b[n] = c
		n++
	}
	if n == 0 && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}
