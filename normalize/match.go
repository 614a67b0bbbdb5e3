package normalize

import (
	"slices"
	"strings"
)

// match reports whether text, folded, fits the rule.
func (r *rule) match(text string) bool {
	led := len(r.lead) == 0 || slices.ContainsFunc(r.lead, func(l string) bool { return leads(text, l) })
	return led && hasOne(text, r.has)
}

// hasOne reports whether one of the parts stands in text, or there are none.
func hasOne(text string, parts []string) bool {
	return len(parts) == 0 || slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}

func leads(text, lead string) bool {
	if whole, ok := strings.CutPrefix(lead, "="); ok {
		return strings.TrimRight(text, ".! ") == whole
	}
	if word, ok := strings.CutSuffix(lead, "$"); ok {
		rest, ok := strings.CutPrefix(text, word)
		return ok && (rest == "" || !letter(rest[0]) && rest[0] != '_')
	}
	return strings.HasPrefix(text, lead)
}

// hasWord reports whether word stands in s on its own.
func hasWord(s, word string) bool {
	for i := 0; ; {
		n := strings.Index(s[i:], word)
		if n < 0 {
			return false
		}
		i += n + len(word)
		if (i == len(s) || !letter(s[i]) && s[i] != '_') &&
			(i == len(word) || !letter(s[i-len(word)-1]) && s[i-len(word)-1] != '_') {
			return true
		}
	}
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// fold brings the beginning of a message into the form that rules are written in.
func fold(s string) string {
	const enough = 400
	if len(s) > enough {
		s = s[:enough]
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "’", "'"), "‘", "'")
	return strings.ToLower(plain(s))
}

// matchText finds the entry of a folded text that has no code, or one that says little.
func matchText(text string, entries []Entry) (Code, bool) {
	for i := range texts {
		if texts[i].match(text) {
			return texts[i].code, true
		}
	}
	for i := range entries {
		if e := &entries[i]; len(e.Texts) > 0 && (&rule{lead: e.Texts}).match(text) {
			return e.Code, true
		}
	}
	return Unclassified, false
}

// byDominantText finds what a folded text says whatever the code; the daily allocation is asked for apart.
func byDominantText(text string) (Code, bool) {
	for i := range dominant {
		if dominant[i].match(text) {
			return dominant[i].code, true
		}
	}
	if flagged(text) {
		return ContentFlagged, true
	}
	return Unclassified, false
}
