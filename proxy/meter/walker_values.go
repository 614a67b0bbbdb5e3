package meter

import "strconv"

// escaped reads one byte of an escape.
func (w *walker) escaped(c byte) {
	w.countEscape(c)
	if w.at == inHex {
		w.hex = w.hex<<4 | rune(hexValue(c))
		if w.hexLeft--; w.hexLeft > 0 {
			return
		}
		w.at = inString
		if w.hex < 0x80 {
			w.size++
			w.put(byte(w.hex))
			return
		}
		w.size += 3 // two or three
		w.put(0x80) // no name and no status has such a letter
		return
	}
	if c == 'u' {
		w.at, w.hexLeft, w.hex = inHex, 4, 0
		return
	}
	w.at = inString
	w.size++
	w.put(unescaped(c))
}

// countEscape counts one byte of an escape, as far as the text is counted.
func (w *walker) countEscape(c byte) {
	if w.counter != nil {
		w.escape[0] = c
		w.counter.JSON(w.escape[:])
	}
}

func hexValue(c byte) byte {
	switch {
	case c-'0' < 10:
		return c - '0'
	case c-'a' < 6:
		return c - 'a' + 10
	case c-'A' < 6:
		return c - 'A' + 10
	}
	return 0
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

func (w *walker) put(c byte) {
	if w.n == len(w.buf) {
		w.long = true
		return
	}
	w.buf[w.n] = c
	w.n++
}

func (w *walker) puts(p []byte) {
	n := copy(w.buf[w.n:], p)
	w.n += n
	w.long = w.long || n < len(p)
}

func (w *walker) endString() {
	w.at = w.back
	s := w.buf[:w.n]
	if w.long {
		s = nil
	}
	switch {
	case w.back == wantColon:
		w.path = memberOf(w.stack[w.depth-1], s)
	case w.keep:
		w.visitor.text(w.path, w.size, s)
	}
	if w.back == afterValue && w.depth == 0 {
		w.at = done
	}
}

func (w *walker) endNumber() {
	if w.long {
		return
	}
	if v, ok := figure(w.buf[:w.n]); ok {
		w.visitor.number(w.path, v)
	}
}

// maxFigure is the largest number that counts.
const maxFigure = 1e12

// figure reads a JSON number. One that is negative, absurd or malformed counts as absent.
func figure(b []byte) (v float64, ok bool) {
	if len(b) <= 12 { // nearly all of them are a few digits
		n := 0
		for _, c := range b {
			if c-'0' > 9 {
				n = -1
				break
			}
			n = n*10 + int(c-'0')
		}
		if n >= 0 {
			return float64(n), true
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil && v >= 0 && v <= maxFigure
}

// numeric marks the bytes of a number, scalar those of any value that is neither a string nor a container.
var (
	numeric = indexBytes("0123456789+-.eE")
	scalar  = indexBytes("0123456789+-.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
)

func indexBytes(set string) (marked [256]bool) {
	for i := range len(set) {
		marked[set[i]] = true
	}
	return marked
}
