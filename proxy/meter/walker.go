package meter

import (
	"bytes"

	"github.com/neuronward/neuronward/normalize/numbers"
	"github.com/neuronward/neuronward/quota/tokens"
)

// maxNested is how deep the known paths nest. Of whatever else nests, only the depth is counted.
const maxNested = 8

// step is where a walk stands between two bytes.
type step uint8

const (
	wantValue step = iota
	wantName       // or the end of the object
	wantColon
	afterValue
	inString // a name, a text, or a string without meaning: walker.back says what follows
	inEscape
	inHex
	inNumber
	inScalar // a literal, or a number at no known path
	skipping // inside a container at no known path
	done
)

// A walker reads JSON as it comes, in any split, and finds the values at known paths. It allocates nothing and keeps
// nothing but the name, the number or the short string that it is reading; text is measured, not kept. It does not
// check what it reads: the caller does.
type walker struct {
	visitor visitor

	at, back step
	path     path // of the value that comes next
	stack    [maxNested]path
	depth    int   // of stack
	lists    uint8 // which of the stack are lists
	skipped  int   // containers that are open while skipping

	counter *tokens.Counter // of the present string; nil: its tokens do not matter
	escape  [1]byte         // a byte of an escape that is being counted
	keep    bool            // the present string is kept in buf
	long    bool            // it does not fit
	size    int             // bytes of the string, unescaped
	hexLeft uint8
	hex     rune
	n       int
	buf     [64]byte
}

// A visitor receives what a walker finds.
type visitor interface {
	opened(p path)            // an object or a list begins
	skipped(p path)           // one begins where a text was expected, and is not read
	number(p path, v float64) // neither negative nor absurd
	// counter returns what counts the tokens of the text that begins at a path; nil: they do not matter.
	counter(p path) *tokens.Counter
	text(p path, size int, s []byte)
}

// begin makes the walker ready for one JSON value that stands at p.
func (w *walker) begin(p path) {
	w.at, w.path, w.depth, w.n = wantValue, p, 0, 0
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
				w.endNumber()
				w.at = afterValue
			}
		case inScalar:
			for i < len(p) && scalar[p[i]] {
				i++
			}
			if i < len(p) {
				w.at = afterValue
			}
		case done:
			return
		default:
			w.token(p[i])
			i++
		}
	}
}

// end ends the value, which may be a number.
func (w *walker) end() {
	if w.at == inNumber {
		w.endNumber()
	}
	w.at = done
}

// token reads one byte between values.
func (w *walker) token(c byte) {
	if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
		return
	}
	if w.depth == 0 && w.at != wantValue {
		w.at = done
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
			w.at = done
		}
	case wantColon:
		w.at = wantValue
		if c != ':' {
			w.at = done
		}
	case afterValue:
		switch c {
		case ',':
			if top := w.stack[w.depth-1]; w.lists&(1<<(w.depth-1)) != 0 {
				w.path, w.at = elementOf(top), wantValue
			} else {
				w.at = wantName
			}
		case '}', ']':
			w.close()
		default:
			w.at = done
		}
	}
}

// value begins a value.
func (w *walker) value(c byte) {
	kind := kinds[w.path]
	switch {
	case c == '"':
		w.open(afterValue, kind&aText != 0)
	case c == '{' || c == '[':
		list := c == '['
		if list && kind&aList == 0 || !list && kind&anObject == 0 || w.depth == maxNested {
			if kind&aText != 0 {
				w.visitor.skipped(w.path)
			}
			w.at, w.skipped = skipping, 1
			return
		}
		w.visitor.opened(w.path)
		w.stack[w.depth], w.at = w.path, wantName
		w.lists &^= 1 << w.depth
		if list {
			w.lists |= 1 << w.depth
			w.path, w.at = elementOf(w.path), wantValue
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
		w.at = done
	}
}

// open begins a string.
func (w *walker) open(back step, keep bool) {
	w.at, w.back, w.keep, w.long, w.size, w.n = inString, back, keep, false, 0, 0
	w.counter = nil
	if keep && back == afterValue {
		w.counter = w.visitor.counter(w.path)
	}
}

// inside reads on in a string and returns where it stopped.
func (w *walker) inside(p []byte, i int) int {
	// Most strings are short; a picture is long. The distance that is searched doubles, so that each escape in a long
	// text does not cost a search to its end.
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
	switch {
	case w.counter != nil: // whose visitor needs its size alone
		w.counter.Plain(p[i:end])
	case w.keep:
		w.puts(p[i:end])
	}
	if end == len(p) {
		return end
	}
	if p[end] == '"' {
		w.endString()
	} else {
		w.at = inEscape
		w.countEscape('\\')
	}
	return end + 1
}

// skip reads on in a container at no known path, to its end.
func (w *walker) skip(p []byte, i int) int {
	for ; i < len(p); i++ {
		switch p[i] {
		case '"':
			w.open(skipping, false)
			return i + 1
		case ',':
			i += numbers.Length(p[i+1:])
		case '{', '[':
			w.skipped++
		case '}', ']':
			if w.skipped--; w.skipped == 0 {
				w.at = afterValue
				if w.depth == 0 {
					w.at = done
				}
				return i + 1
			}
		}
	}
	return i
}
