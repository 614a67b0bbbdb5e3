package measure

import (
	"bufio"
	"encoding/base64"
	"io"
)

// base64Reader decodes base64 of either alphabet that lies in a JSON string, up to its first error.
func base64Reader(text io.Reader) io.Reader {
	return base64.NewDecoder(base64.RawStdEncoding, &lettersReader{text: bufio.NewReader(text)})
}

// A lettersReader reads base64 of either alphabet in JSON as plain base64, without padding.
type lettersReader struct {
	text   *bufio.Reader
	padded bool // the end was reached
}

// Read implements io.Reader.
func (r *lettersReader) Read(b []byte) (n int, err error) {
	for n < len(b) && !r.padded {
		c, err := r.text.ReadByte()
		if c == '\\' && err == nil {
			// It is a slash, or else a line break, which base64 ignores.
			if c, err = r.text.ReadByte(); c != '/' && err == nil {
				continue
			}
		}
		if err != nil {
			break
		}
		switch c {
		case '=':
			r.padded = true
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
		return 0, io.EOF
	}
	return n, nil
}

// listReader reads a JSON list of numbers as bytes.
func listReader(list io.Reader) io.Reader { return &numbersReader{list: bufio.NewReader(list)} }

type numbersReader struct {
	list   *bufio.Reader
	value  int
	digits bool
}

// Read implements io.Reader.
func (r *numbersReader) Read(b []byte) (n int, err error) {
	for n < len(b) {
		c, err := r.list.ReadByte()
		switch {
		case err != nil:
			if n == 0 {
				return 0, io.EOF
			}
			return n, nil
		case c-'0' < 10:
			r.value, r.digits = (r.value*10+int(c-'0'))&0xffff, true
		case c == ',' || c == ']':
			if r.digits {
				b[n] = byte(r.value)
				n++
			}
			r.value, r.digits = 0, false
		}
	}
	return n, nil
}
