package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// words are what texts are made of.
var words = []string{
	"amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kestrel", "lagoon",
	"maple", "nectar", "orchid", "pebble", "quartz", "river", "saffron", "thistle", "umbra", "violet", "willow",
}

// moreFormats are formats that the validator lets pass, whatever is in them.
var moreFormats = []string{"idn-email", "idn-hostname"}

func (m *maker) text(all []*jsonschema.Schema, name string) (value, bool) {
	low, high := 0, maxLength
	var patterns []jsonschema.Regexp
	var formats []string
	for _, s := range all {
		if s.MinLength != nil {
			low = max(low, *s.MinLength)
		}
		if s.MaxLength != nil {
			high = min(high, *s.MaxLength)
		}
		if s.Pattern != nil {
			patterns = append(patterns, s.Pattern)
		}
		if s.Format != nil {
			formats = append(formats, s.Format.Name)
		}
	}
	if low > high {
		return value{}, false
	}
	fits := func(text string) bool {
		n := utf8.RuneCountInString(text)
		return low <= n && n <= high &&
			!slices.ContainsFunc(patterns, func(p jsonschema.Regexp) bool { return !p.MatchString(text) })
	}
	for _, format := range formats {
		for range 4 {
			if text := m.formatted(format, low); text != "" && fits(text) {
				return valueOf(text), true
			}
		}
	}
	for i := 0; i < 32 && len(patterns) > 0; i++ {
		these := patterns[i%len(patterns):][:1]
		if i%2 == 1 { // one behind the other, as what begins with this and ends with that
			these = patterns
		}
		text, known := "", true
		for _, p := range these {
			one, ok := m.matching(p, 1+low*i/16+i/4, 2*low+200)
			text, known = text+one, known && ok
		}
		if known && fits(text) {
			return valueOf(text), true
		}
	}
	text := m.phrase(name, low, high)
	return valueOf(text), fits(text)
}

// phrase is a text of low to high characters that begins with the name of what it is for.
func (m *maker) phrase(name string, low, high int) string {
	text := m.word()
	if name != "" {
		text = name + " " + text
	}
	for utf8.RuneCountInString(text) < low {
		text += " " + m.word()
	}
	if runes := []rune(text); len(runes) > high {
		text = string(runes[:high])
		if cut := strings.TrimRight(text, " "); len(cut) >= low {
			text = cut
		}
	}
	return text
}

func (m *maker) word() string { return words[m.rnd.IntN(len(words))] }

// formatted returns a text of a format, with low characters where the format has room; "" where it is not known.
func (m *maker) formatted(format string, low int) string {
	n := m.rnd.IntN
	date := fmt.Sprintf("20%02d-%02d-%02d", 20+n(10), 1+n(12), 1+n(28))
	clock := fmt.Sprintf("%02d:%02d:%02dZ", n(24), n(60), n(60))
	filler := func(rest string) string {
		return m.word() + strings.Repeat("x", min(max(0, low-len(rest)-3), maxLength))
	}
	switch format {
	case "date-time":
		return date + "T" + clock
	case "date":
		return date
	case "time":
		return clock
	case "duration":
		return fmt.Sprintf("P%dDT%dH", 1+n(9), 1+n(23))
	case "period":
		return date + "T" + clock + "/P1D"
	case "email", "idn-email":
		return m.word() + "." + m.word() + "@example.com"
	case "hostname", "idn-hostname":
		return m.word() + ".example.com"
	case "ipv4":
		return fmt.Sprintf("192.0.2.%d", 1+n(254))
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", 1+n(0xfffe))
	case "uri", "iri", "uri-reference", "iri-reference", "uri-template":
		return "https://example.com/" + filler("https://example.com/")
	case "uuid":
		const digits3, digits4 = 1 << 12, 1 << 16
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", m.rnd.Uint32(), n(digits4), n(digits3), n(digits3),
			m.rnd.Uint64()>>16)
	case "json-pointer":
		return "/" + filler("/")
	case "relative-json-pointer":
		return "0/" + filler("0/")
	case "regex":
		return "^" + filler("^") + "$"
	case "semver":
		return fmt.Sprintf("%d.%d.%d", n(9), n(20), n(20))
	}
	return ""
}
