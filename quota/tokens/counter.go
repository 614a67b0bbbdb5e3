package tokens

import (
	"unicode/utf8"
)

// Count returns the tokens of a text in UTF-8.
func Count(text []byte) int64 {
	var c Counter
	c.Text(text)
	return c.Tokens()
}

// A Counter counts the tokens of a text that comes in pieces. The zero value is ready to use. Where the text is cut
// makes no difference. It allocates nothing and is not safe for concurrent use.
type Counter struct {
	weight int64  // of what was counted, in units
	bytes  int64  // its length
	recent uint32 // the classes of the last characters, six bits each
	before rune   // the last character

	part    [utf8.UTFMax]byte // the beginning of a character whose rest is to come
	partLen int

	escape escape
}

// Tokens returns the count so far. What is unfinished at the end, a part of a character or of an escape, counts a token
// a byte. Text that comes in pieces needs one Counter: counts of its pieces do not add up to the count of the whole.
func (c *Counter) Tokens() int64 {
	unfinished := int64(c.partLen) + c.escape.unfinished()
	return min((c.weight+unit-1)/unit, c.bytes) + unfinished
}

// Text counts the next piece of a text in UTF-8. A byte that belongs to no character counts one token.
func (c *Counter) Text(piece []byte) {
	t := weights
	for c.partLen > 0 && len(piece) > 0 {
		piece = c.finish(t, piece)
	}
	for len(piece) > 0 {
		n := c.ascii(t, piece)
		piece = piece[n:]
		if len(piece) == 0 {
			return
		}
		r, size := utf8.DecodeRune(piece)
		if r == utf8.RuneError && size == 1 {
			if !utf8.FullRune(piece) {
				c.partLen = copy(c.part[:], piece)
				return
			}
			c.invalid()
		} else {
			c.character(t, r, size)
		}
		piece = piece[size:]
	}
}

// ascii counts the ASCII that a piece begins with and returns its length.
func (c *Counter) ascii(t *table, piece []byte) int {
	recent, weight := c.recent, 0
	classes, three, four := t.classes, t.three, t.four
	i := 0
	for ; i < len(piece) && piece[i] < utf8.RuneSelf; i++ {
		recent = recent<<6 | uint32(classes[piece[i]])
		weight += ascii(three, four, recent)
	}
	if i > 0 {
		c.recent, c.before = recent, rune(piece[i-1])
		c.weight += int64(weight)
		c.bytes += int64(i)
	}
	return i
}

// character counts a character beyond ASCII.
func (c *Counter) character(t *table, r rune, size int) {
	c.weight += int64(t.other(c.before, r))
	c.bytes += int64(size)
	c.recent, c.before = c.recent<<6|1, r
}

// invalid counts a byte that belongs to no character.
func (c *Counter) invalid() {
	c.weight += unit
	c.bytes++
	c.recent, c.before = c.recent<<6|1, utf8.RuneError
}

// finish adds bytes to the part of a character that an earlier piece ended with, and returns what is left of the piece.
func (c *Counter) finish(t *table, piece []byte) []byte {
	had := c.partLen
	c.partLen += copy(c.part[c.partLen:], piece)
	r, size := utf8.DecodeRune(c.part[:c.partLen])
	switch {
	case r != utf8.RuneError || size != 1:
		c.partLen = 0
		c.character(t, r, size)
		return piece[size-had:]
	case !utf8.FullRune(c.part[:c.partLen]):
		return nil
	}
	// It never was a character: its first byte counts by itself, then the rest is looked at again.
	c.invalid()
	c.partLen = copy(c.part[:], c.part[1:had])
	return piece
}
