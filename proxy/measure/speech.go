package measure

import (
	"bufio"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/neuronward/neuronward/proxy/jsonscan"
)

// How fast text is spoken at the slowest, in characters a second. A digit or a sign is read out as a word, a character
// of Chinese, Japanese or Korean is a syllable.
const (
	digitsASecond    = 2.8
	syllablesASecond = 4
	lettersASecond   = 8
)

// maxSpoken is how many texts of one object are kept apart.
const maxSpoken = 4

// addSpoken adds a text, or a list of texts, that a model for speech may speak. What comes after maxSpoken of them is
// taken for one with the last, and with what stands between them.
func (r *reader) addSpoken(f *findings, from int64) {
	if n := len(f.spoken); n == maxSpoken {
		f.spoken[n-1].to = r.Offset()
		return
	}
	f.spoken = append(f.spoken, span{from, r.Offset()})
}

// spokenSeconds bounds how long it takes to speak the longest of the texts.
func (f *findings) spokenSeconds(text jsonscan.Pieces) (longest float64) {
	for _, s := range f.spoken {
		longest = max(longest, spokenSeconds(text.Reader(s.from, s.to)))
	}
	return longest
}

// spokenSeconds bounds how long it takes to speak the strings in JSON.
func spokenSeconds(json io.Reader) (seconds float64) {
	r := bufio.NewReader(json)
	high := rune(0) // the first half of a character that is written as two escapes
	for {
		c, _, err := r.ReadRune()
		switch {
		case err != nil:
			return seconds
		case c == '"':
			continue
		case c == '\\':
			c, _, _ = r.ReadRune() // the text was read before
			if c == 'u' {
				c = hexRune(r)
			}
		}
		if utf16.IsSurrogate(c) {
			if c, high = utf16.DecodeRune(high, c), c; c == unicode.ReplacementChar {
				continue // the first half
			}
		}
		seconds += 1 / charactersASecond(c)
	}
}

// hexRune reads the four digits of an escape.
func hexRune(r *bufio.Reader) (c rune) {
	for range 4 {
		b, _ := r.ReadByte() // the text was read before
		c <<= 4
		switch {
		case b <= '9':
			c |= rune(b - '0')
		default:
			c |= rune(b&^0x20-'A') + 10
		}
	}
	return c
}

// charactersASecond returns how many characters of the kind of c are spoken in a second, at the slowest.
func charactersASecond(c rune) float64 {
	switch {
	case c < unicode.MaxASCII:
		if c-'0' < 10 && c >= '0' || strings.ContainsRune("$%&#@+=<>*^~|`", c) {
			return digitsASecond
		}
		return lettersASecond
	case unicode.IsNumber(c), unicode.IsSymbol(c):
		return digitsASecond
	case unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo),
		c == 'ー', c == 'ｰ':
		return syllablesASecond
	}
	return lettersASecond
}
