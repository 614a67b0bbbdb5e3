package reference

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/neuronward/neuronward/normalize"
)

// A Finding is what a text names in the catalog.
type Finding struct {
	As    string // what the text was taken for, such as "an HTTP status"; "" where it was taken for nothing
	Codes []normalize.Code
}

// maxText bounds what is read of a text, in bytes.
const maxText = 16 << 10

// Find finds what people have of a failure: a slug, a number or another number for it, a word of error.code or
// error.type, an HTTP status, a line of this proxy's log, an envelope, or the message that upstream sent.
func Find(text string) Finding {
	text = strings.TrimSpace(text[:min(len(text), maxText)])
	if f := findWord(bareWord(text)); f.As != "" {
		return f
	}
	for line := range strings.Lines(text) {
		if f := findLine(strings.TrimSpace(line)); f.As != "" {
			return f
		}
	}
	if !strings.ContainsAny(text, " {") {
		return Finding{}
	}
	f := normalize.Classify(http.StatusOK, nil, []byte(text))
	if f.MatchedBy == normalize.MatchedStatus {
		return Finding{}
	}
	return Finding{Message, []normalize.Code{f.Code}}
}

// fillers stand in front of a number or a word: "error code: 1031", "HTTP 429".
var fillers = []string{"error", "code", "error.code", "error.type", "number", "name", "type", "http", "status"}

// bareWord returns the one word of a text, in lower case; "" where there are more.
func bareWord(text string) string {
	fields := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return strings.ContainsRune(" \t:=\"'`", r)
	})
	switch {
	case strings.Contains(text, "\n"):
		return ""
	case len(fields) > 1 && strings.HasPrefix(fields[0], "http/"):
		return fields[1] // of a status line
	}
	for len(fields) > 1 && slices.Contains(fillers, fields[0]) {
		fields = fields[1:]
	}
	if len(fields) != 1 {
		return ""
	}
	return strings.Trim(fields[0], ".,;()")
}

func findWord(word string) Finding {
	if word == "" {
		return Finding{}
	}
	if number, err := strconv.Atoi(word); err == nil {
		return findNumber(number)
	}
	if c, ok := normalize.Lookup(word); ok {
		return Finding{Name, []normalize.Code{c}}
	}
	for _, by := range []struct {
		as  string
		has func(e *normalize.Entry) bool
	}{
		{"the error.code", func(e *normalize.Entry) bool { return e.Word() == word }},
		{"the error.type", func(e *normalize.Entry) bool { return string(e.Type) == word }},
	} {
		if codes := codesThat(by.has); len(codes) > 0 {
			return Finding{by.as, codes}
		}
	}
	if c, ok := normalize.LookupWord(word); ok {
		return Finding{"another provider's word", []normalize.Code{c}}
	}
	return Finding{}
}

// findNumber finds what a number stands for, or an HTTP status.
func findNumber(number int) Finding {
	codes := normalize.Meanings(number)
	switch {
	case len(codes) == 0:
		return findStatus(number)
	case len(codes) > 1:
		return Finding{"a number", codes}
	case codes[0].Entry().Number != number:
		return Finding{"another number for " + strconv.Itoa(codes[0].Entry().Number), codes}
	}
	return Finding{Number, codes}
}

// findStatus finds the entries that answer with a status, and the one that a bare answer of upstream's with it is.
func findStatus(status int) Finding {
	if status < 400 || status > 599 {
		return Finding{}
	}
	codes := codesThat(func(e *normalize.Entry) bool { return e.Status == status })
	if c := normalize.Classify(status, nil, nil).Code; !slices.Contains(codes, c) {
		codes = append(codes, c)
	}
	return Finding{"an HTTP status", codes}
}

func codesThat(has func(e *normalize.Entry) bool) (codes []normalize.Code) {
	for _, e := range normalize.Catalog() {
		if has(&e) {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

// What Find takes a line of this proxy's log for: one with a failure, and one without.
const (
	LogLine   = "a line of the log"
	NoFailure = "a line of the log that tells of no failure"
)

// What Find takes other texts for.
const (
	Name     = "a name"
	Number   = "the number"
	Envelope = "an envelope"
	Message  = "a message"
)

// findLine reads a line of this proxy's log, in JSON or as text, with whatever stands in front of it, and an envelope.
func findLine(line string) Finding {
	var in struct {
		Time, Msg, Name string
		Number          int
		Error           struct{ Name string }
	}
	if i := strings.IndexByte(line, '{'); i >= 0 && json.Unmarshal([]byte(line[i:]), &in) == nil {
		if c, ok := normalize.Lookup(in.Error.Name); ok && in.Msg == "" {
			return Finding{Envelope, []normalize.Code{c}}
		}
	} else {
		values := logValues(line)
		in.Time, in.Msg, in.Name = values["time"], values["msg"], values["name"]
		in.Number, _ = strconv.Atoi(values["number"])
	}
	if in.Time == "" || in.Msg == "" {
		return Finding{}
	}
	for _, key := range []string{in.Name, strconv.Itoa(in.Number)} {
		if c, ok := normalize.Lookup(key); ok {
			return Finding{LogLine, []normalize.Code{c}}
		}
	}
	return Finding{As: NoFailure}
}

// logValues reads key=value and key="value" pairs. The first value of a key counts.
func logValues(line string) map[string]string {
	values := map[string]string{}
	for line != "" {
		key, rest, ok := strings.Cut(line, "=")
		if !ok {
			return values
		}
		key = key[strings.LastIndexByte(key, ' ')+1:]
		value, quoted := rest, false
		if strings.HasPrefix(rest, `"`) {
			if q, err := strconv.QuotedPrefix(rest); err == nil {
				rest, quoted = rest[len(q):], true
				value, _ = strconv.Unquote(q)
			}
		}
		if !quoted {
			value, rest, _ = strings.Cut(rest, " ")
		}
		if _, ok := values[key]; !ok {
			values[key] = value
		}
		line = rest
	}
	return values
}

// maxFilter bounds a filter, in bytes: the work of a filter grows with its words.
const maxFilter = 4 << 10

// filter returns what a filter shows: what it names, else every entry that has all of its words somewhere.
func filter(all []normalize.Entry, query string) (shown []normalize.Entry, as string) {
	found := Find(query)
	words := strings.Fields(strings.ToLower(query))
	slices.Sort(words)
	words = slices.Compact(words)
	for i := range all {
		wanted := slices.Contains(found.Codes, all[i].Code)
		if len(found.Codes) == 0 {
			wanted = hasAll(searchText(&all[i]), words)
		}
		if wanted {
			shown = append(shown, all[i])
		}
	}
	return shown, found.As
}

func hasAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// searchText is everything that a filter looks for in an entry.
func searchText(e *normalize.Entry) string {
	parts := []string{e.Slug, e.Summary}
	for _, r := range Rows(e) {
		parts = append(parts, r.Text)
	}
	return strings.ToLower(strings.Join(parts, "\n"))
}
