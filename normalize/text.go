package normalize

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain makes s one line of valid UTF-8 without control or formatting characters.
func plain(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range s {
		if ' ' < r && r < 0x7f { // nearly every one
			if gap {
				b.WriteByte(' ')
				gap = false
			}
			b.WriteByte(byte(r))
			continue
		}
		if unicode.IsSpace(r) || unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			gap = b.Len() > 0
			continue
		}
		if unicode.Is(unicode.Cf, r) {
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxMessage is how many bytes of a message are kept.
const maxMessage = 2 << 10

// shorten cuts s to at most n bytes between two runes and marks the cut.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const mark = "…"
	n -= len(mark)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimRight(s[:n], " ") + mark
}

// sentence makes one of s: a capital in front where s begins with a plain word, a full stop behind where
// nothing ends it.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if end := strings.IndexFunc(s, func(r rune) bool { return r < 'a' || r > 'z' }); end != 0 &&
		(end < 0 || strings.IndexByte(" ,.!?", s[end]) >= 0) {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if strings.Contains(s[strings.LastIndexByte(s, ' ')+1:], "://") {
		return s // a full stop would become part of the address
	}
	if r, _ := utf8.DecodeLastRuneInString(s); unicode.IsLetter(r) || unicode.IsDigit(r) ||
		strings.ContainsRune("\"'`)]}>_", r) {
		s += "."
	}
	return s
}
