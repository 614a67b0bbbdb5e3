package schema

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compilePattern compiles a pattern of JavaScript. What Go's expressions do not have is not looked at: conditions on
// what stands before or behind are left out, and a pattern that is still not understood matches everything.
func compilePattern(pattern string) (jsonschema.Regexp, error) {
	for _, form := range []string{pattern, withoutConditions(pattern)} {
		if re, err := regexp.Compile(goForm(form)); err == nil {
			return re, nil
		}
	}
	return anyText(pattern), nil
}

// anyText is a pattern that is not understood.
type anyText string

func (anyText) MatchString(string) bool { return true }
func (p anyText) String() string        { return string(p) }

var unicodeEscape = regexp.MustCompile(`\\u\{?([0-9A-Fa-f]{4,6})\}?`)

// goForm writes the escapes of JavaScript as Go has them.
func goForm(pattern string) string { return unicodeEscape.ReplaceAllString(pattern, `\x{$1}`) }

// withoutConditions returns pattern without (?=…), (?!…), (?<=…) and (?<!…).
func withoutConditions(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		rest := pattern[i:]
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteString(rest[:2])
			i += 2
		case strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!") ||
			strings.HasPrefix(rest, "(?<=") || strings.HasPrefix(rest, "(?<!"):
			i += groupLength(rest)
		default:
			b.WriteByte(rest[0])
			i++
		}
	}
	return b.String()
}

// groupLength returns the length of the group that text begins with.
func groupLength(text string) int {
	depth, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// matching returns a text for a pattern, in which what may repeat does so up to more times beyond the fewest, but no
// more once there are limit bytes; "" where the pattern is not understood.
func (m *maker) matching(pattern jsonschema.Regexp, more, limit int) string {
	compiled, ok := pattern.(*regexp.Regexp)
	if !ok {
		return ""
	}
	re, err := syntax.Parse(compiled.String(), syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	m.match(&b, re, more, limit)
	return b.String()
}

func (m *maker) match(b *strings.Builder, re *syntax.Regexp, more, limit int) {
	repeat := func(low, high int) {
		n := low + m.rnd.IntN(more+1)
		if high >= 0 {
			n = min(n, high)
		}
		for range n {
			if b.Len() > limit {
				return
			}
			m.match(b, re.Sub[0], more, limit)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			b.WriteRune(r)
		}
	case syntax.OpCharClass:
		b.WriteRune(m.charOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("abcdefghijklmnopqrstuvwxyz"[m.rnd.IntN(26)])
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	case syntax.OpAlternate:
		m.match(b, re.Sub[m.rnd.IntN(len(re.Sub))], more, limit)
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			m.match(b, sub, more, limit)
		}
	}
}

// charOf returns a character of a class, given as pairs: a letter or digit if there is one.
func (m *maker) charOf(pairs []rune) rune {
	var good, fair, all []rune
	for i := 0; i+1 < len(pairs); i += 2 {
		for r := pairs[i]; r <= min(pairs[i+1], pairs[i]+200); r++ {
			switch {
			case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
				good = append(good, r)
			case unicode.IsPrint(r):
				fair = append(fair, r)
			default:
				all = append(all, r)
			}
		}
	}
	for _, list := range [][]rune{good, fair, all} {
		if len(list) > 0 {
			return list[m.rnd.IntN(len(list))]
		}
	}
	return 'x'
}
