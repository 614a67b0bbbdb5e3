package schema

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compilePattern compiles a pattern of JavaScript. Of what Go's expressions do not have, it holds to conditions at the
// beginning, (?=…) and (?!…), and leaves out other conditions. What is still not understood matches everything.
func compilePattern(pattern string) (jsonschema.Regexp, error) {
	p := conditional{pattern: pattern}
	rest, anchored := strings.CutPrefix(pattern, "^")
	for anchored && (strings.HasPrefix(rest, "(?=") || strings.HasPrefix(rest, "(?!")) {
		n := groupLength(rest)
		inner, closed := strings.CutSuffix(rest[:n], ")")
		if !closed {
			return anyText(pattern), nil
		}
		re, err := regexp.Compile(goForm("^(?:" + withoutConditions(inner[len("(?="):]) + ")"))
		if err != nil {
			return anyText(pattern), nil //nolint:nilerr // a pattern that is not understood is no failure
		}
		if rest[len("(?")] == '=' {
			p.holds = append(p.holds, re)
		} else {
			p.fails = append(p.fails, re)
		}
		rest = rest[n:]
	}
	if anchored {
		rest = "^" + rest
	}
	var err error
	for _, form := range []string{rest, withoutConditions(rest)} {
		if p.Regexp, err = regexp.Compile(goForm(form)); err == nil {
			return &p, nil
		}
	}
	return anyText(pattern), nil
}

// conditional is a pattern with conditions on all of the text. The validator has pointers to it as keys.
type conditional struct {
	*regexp.Regexp

	pattern      string
	holds, fails []*regexp.Regexp
}

func (p conditional) String() string { return p.pattern }

func (p conditional) MatchString(text string) bool {
	matches := func(re *regexp.Regexp) bool { return re.MatchString(text) }
	return p.Regexp.MatchString(text) && !slices.ContainsFunc(p.fails, matches) &&
		!slices.ContainsFunc(p.holds, func(re *regexp.Regexp) bool { return !matches(re) })
}

// anyText is a pattern that is not understood.
type anyText string

func (anyText) MatchString(string) bool { return true }
func (p anyText) String() string        { return string(p) }

var (
	unicodeEscape = regexp.MustCompile(`\\u\{?([0-9A-Fa-f]{4,6})\}?`)
	repetition    = regexp.MustCompile(`\{(\d{4,}|\d+,\d{4,})\}`)
)

// goForm writes what JavaScript has in another way as Go has it, and repetitions of more than 1,000 times, which Go has
// not, without their upper bound.
func goForm(pattern string) string {
	pattern = repetition.ReplaceAllStringFunc(pattern, func(times string) string {
		low, _, _ := strings.Cut(strings.Trim(times, "{}"), ",")
		if len(low) > len("999") {
			low = "1000"
		}
		return "{" + low + ",}"
	})
	return unicodeEscape.ReplaceAllString(pattern, `\x{$1}`)
}

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
// more once there are limit bytes; false where the pattern is not understood.
func (m *maker) matching(pattern jsonschema.Regexp, more, limit int) (string, bool) {
	p, ok := pattern.(*conditional)
	if !ok {
		return "", false
	}
	re, err := syntax.Parse(p.Regexp.String(), syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	m.match(&b, re, more, limit)
	return b.String(), true
}

// characters are what stands for any character: letters more often than digits, and these more often than signs.
const characters = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@#$%&*-_."

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
		b.WriteByte(characters[m.rnd.IntN(len(characters))])
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

// charOf returns a character of a class, given as pairs: a letter or digit most often, if there is one.
func (m *maker) charOf(pairs []rune) rune {
	var plain, signs, all []rune
	for i := 0; i+1 < len(pairs); i += 2 {
		for r := pairs[i]; r <= min(pairs[i+1], pairs[i]+200); r++ {
			switch {
			case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
				plain = append(plain, r)
			case r < unicode.MaxASCII && unicode.IsPrint(r) && r != ' ':
				signs = append(signs, r)
			default:
				all = append(all, r)
			}
		}
	}
	lists := [][]rune{plain, signs, all}
	if m.rnd.IntN(8) == 0 {
		lists = [][]rune{signs, plain, all}
	}
	for _, list := range lists {
		if len(list) > 0 {
			return list[m.rnd.IntN(len(list))]
		}
	}
	return 'x'
}
