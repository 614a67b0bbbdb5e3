package meter

import "bytes"

// maxNested is how deep the places nest that matter, and with it the walk's stack. What else nests is only counted.
const maxNested = 8

// step is where a walk stands between two bytes.
type step uint8

const (
	wantValue step = iota
	wantName       // or the end of the object
	wantColon
	afterValue
	inString // a name, a text, or a string that does not matter: walker.back says what follows
	inEscape
	inHex
	inNumber
	inScalar // a literal, or a number that does not matter
	skipping // inside a container that does not matter
	ended
)

// A walker reads JSON as it comes, in any split, and finds the values at known places. It allocates nothing and keeps
// nothing but the name, the number or the short string that it is reading; text is measured, not kept. It does not
// check what it reads: whoever gets the answer does.
type walker struct {
	found visitor

	at, back step
	place    place // of the value that comes next
	stack    [maxNested]place
	depth    int   // of stack
	lists    uint8 // which of the stack are lists
	skipped  int   // containers open inside one that does not matter

	keep    bool // the string that is read is kept in buf
	long    bool // it did not fit
	size    int  // bytes of the string, unescaped
	hexLeft uint8
	hex     rune
	n       int
	buf     [64]byte
}

// A visitor is told what a walker finds.
type visitor interface {
	opened(p place)            // an object or array begins
	number(p place, v float64) // neither negative nor absurd
	text(p place, size int, s []byte)
}

// begin makes the walker ready for one JSON value that stands at p.
func (w *walker) begin(p place) {
	w.at, w.place, w.depth, w.n = wantValue, p, 0, 0
}

// walk reads on.
func (w *walker) walk(p []byte) {
	for i := 0; i < len(p); {
		switch w.at {
		case skipping:
			i = w.skip(p, i)
		case inString:
			i = w.inside(p, i)
		case inEscape, inHex:
			w.escaped(p[i])
			i++
		case inNumber:
			start := i
			for i < len(p) && numeric[p[i]] {
				i++
			}
			w.puts(p[start:i])
			if i < len(p) {
				w.numberEnds()
				w.at = afterValue
			}
		case inScalar:
			for i < len(p) && scalar[p[i]] {
				i++
			}
			if i < len(p) {
				w.at = afterValue
			}
		case ended:
			return
		default:
			w.token(p[i])
			i++
		}
	}
}

// end tells the walker that nothing more comes: a number may be the last.
func (w *walker) end() {
	if w.at == inNumber {
		w.numberEnds()
	}
	w.at = ended
}

// token reads one byte between values.
func (w *walker) token(c byte) {
	if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
		return
	}
	if w.depth == 0 && w.at != wantValue {
		w.at = ended
		return
	}
	switch w.at {
	case wantValue:
		w.value(c)
	case wantName:
		switch c {
		case '"':
			w.open(wantColon, true)
		case '}':
			w.close()
		default:
			w.at = ended
		}
	case wantColon:
		w.at = wantValue
		if c != ':' {
			w.at = ended
		}
	case afterValue:
		switch c {
		case ',':
			if top := w.stack[w.depth-1]; w.lists&(1<<(w.depth-1)) != 0 {
				w.place, w.at = elementOf(top), wantValue
			} else {
				w.at = wantName
			}
		case '}', ']':
			w.close()
		default:
			w.at = ended
		}
	}
}

// value begins a value.
func (w *walker) value(c byte) {
	kind := kinds[w.place]
	switch {
	case c == '"':
		w.open(afterValue, kind&aText != 0)
	case c == '{' || c == '[':
		list := c == '['
		if list && kind&aList == 0 || !list && kind&anObject == 0 || w.depth == maxNested {
			w.at, w.skipped = skipping, 1
			return
		}
		w.found.opened(w.place)
		w.stack[w.depth], w.at = w.place, wantName
		w.lists &^= 1 << w.depth
		if list {
			w.lists |= 1 << w.depth
			w.place, w.at = elementOf(w.place), wantValue
		}
		w.depth++
	case c == ']': // of an empty list
		w.close()
	case kind&aNumber != 0 && (c == '-' || c-'0' < 10):
		w.n, w.long, w.at = 0, false, inNumber
		w.put(c)
	default:
		w.at = inScalar
	}
}

// close ends an object or a list.
func (w *walker) close() {
	if w.depth > 0 {
		w.depth--
	}
	w.at = afterValue
	if w.depth == 0 {
		w.at = ended
	}
}

// open begins a string.
func (w *walker) open(back step, keep bool) {
	w.at, w.back, w.keep, w.long, w.size, w.n = inString, back, keep, false, 0, 0
}

// inside reads on in a string and returns how far it came.
func (w *walker) inside(p []byte, i int) int {
	// Most strings are short; a picture is long. What is looked ahead for doubles, so that escapes in a long text do
	// not cost a look to its end each.
	end := i
	for near := min(i+64, len(p)); end < near && p[end] != '"' && p[end] != '\\'; {
		end++
	}
	for ahead := 64; end == i+ahead && end < len(p); ahead *= 2 {
		part := p[end:min(end+ahead, len(p))]
		if quote := bytes.IndexByte(part, '"'); quote >= 0 {
			part = part[:quote]
		}
		if escape := bytes.IndexByte(part, '\\'); escape >= 0 {
			part = part[:escape]
		}
		end += len(part)
	}
	w.size += end - i
	if w.keep {
		w.puts(p[i:end])
	}
	if end == len(p) {
		return end
	}
	if p[end] == '"' {
		w.stringEnds()
	} else {
		w.at = inEscape
	}
	return end + 1
}

// skip reads on in a container that does not matter, to its end.
func (w *walker) skip(p []byte, i int) int {
	for ; i < len(p); i++ {
		switch p[i] {
		case '"':
			w.open(skipping, false)
			return i + 1
		case '{', '[':
			w.skipped++
		case '}', ']':
			if w.skipped--; w.skipped == 0 {
				w.at = afterValue
				if w.depth == 0 {
					w.at = ended
				}
				return i + 1
			}
		}
	}
	return i
}
