package tokens

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// An escape is what a piece of a JSON string ended with: a part of an escape, or the first half of a surrogate pair.
type escape struct {
	length int  // of the part: 0 for none, 1 for a backslash, 2 and more for \u and its digits
	value  rune // of the digits
	high   rune // the first half of a pair, 0 for none
}

// unfinished returns how many tokens the escape counts if nothing follows.
func (e *escape) unfinished() int64 {
	n := int64(e.length)
	if e.high != 0 {
		n += utf8.UTFMax - 1
	}
	return n
}

// JSON counts the next piece of what stands between the quotes of a JSON string: an escape counts as the character that
// it stands for. What is no valid escape counts as it is written.
func (c *Counter) JSON(piece []byte) {
	for len(piece) > 0 {
		if c.escape.length > 0 {
			c.unescape(piece[0])
			piece = piece[1:]
			continue
		}
		n := bytes.IndexByte(piece, '\\')
		if n < 0 {
			n = len(piece)
		}
		if n > 0 {
			c.loneHigh()
			c.Text(piece[:n])
		} else {
			c.escape.length = 1
			n = 1
		}
		piece = piece[n:]
	}
}

// Plain is JSON for a piece that has no backslash.
func (c *Counter) Plain(piece []byte) {
	if c.escape != (escape{}) {
		c.JSON(piece)
		return
	}
	c.Text(piece)
}

// unescape reads the next byte of an escape.
func (c *Counter) unescape(b byte) {
	e := &c.escape
	switch {
	case e.length == 1 && b == 'u':
		e.length, e.value = 2, 0
		return
	case e.length > 1:
		digit := hexDigit(b)
		if digit < 0 { // no escape: as it is written, the digits as zeros
			written := [6]byte{'\\', 'u', '0', '0', '0', '0'}
			n := e.length
			e.length = 0
			c.loneHigh()
			c.Text(written[:n])
			c.JSON([]byte{b})
			return
		}
		e.value = e.value<<4 | digit
		if e.length++; e.length == 6 {
			e.length = 0
			c.unit16(e.value)
		}
		return
	}
	e.length = 0
	c.loneHigh()
	if at := bytes.IndexByte([]byte(`"\/bfnrt`), b); at >= 0 {
		c.Text([]byte("\"\\/\b\f\n\r\t")[at : at+1])
		return
	}
	c.Text([]byte{'\\', b})
}

// unit16 counts what an escape of four digits stands for.
func (c *Counter) unit16(v rune) {
	high := c.escape.high
	if pair := utf16.DecodeRune(high, v); high != 0 && pair != utf8.RuneError {
		c.escape.high = 0
		c.text(pair)
		return
	}
	c.loneHigh()
	if v >= 0xd800 && v < 0xdc00 {
		c.escape.high = v
		return
	}
	c.text(v)
}

// loneHigh counts the first half of a pair whose second half did not come.
func (c *Counter) loneHigh() {
	if c.escape.high != 0 {
		c.escape.high = 0
		c.text(utf8.RuneError)
	}
}

func (c *Counter) text(r rune) {
	var b [utf8.UTFMax]byte
	c.Text(b[:utf8.EncodeRune(b[:], r)])
}

func hexDigit(b byte) rune {
	switch {
	case b >= '0' && b <= '9':
		return rune(b - '0')
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return rune(b|0x20-'a') + 10
	}
	return -1
}
