package normalize

import (
	"net/http"
	"strconv"
	"strings"
)

// A phrase is a message of upstream taken apart by its grammar: error classes, codes and ids around the text
// that a person wrote.
type phrase struct {
	text    string
	code    int    // the number in front of or behind the text; 0 when there is none
	edge    bool   // the code is one of "error code: NNNN", which number the edge's own errors
	hint    int    // an HTTP status in front of the text
	id      string // the request id behind the text
	relayed bool   // InferenceUpstreamError stood in front: it tells of a failure behind it
}

// classes stand in front of a message, repeated and in any case. Those of strict need a colon behind them: they
// are words too.
var classes = []struct {
	name    string
	strict  bool
	relayed bool
}{
	{name: "inferenceupstreamerror", relayed: true},
	{name: "aigatewayerror"},
	{name: "aierror"},
	{name: "ai", strict: true},
	{name: "error", strict: true},
	{name: "uncaught"},
	{name: "(in promise)"},
}

// readPhrase takes message apart. What it strips stands at the very ends, so a caller's input that a message
// echoes stays text.
func readPhrase(message string) phrase {
	p := phrase{text: strings.TrimSpace(message)}
	p.relay()
	for range 16 {
		if !p.class() && !p.leadingCode() {
			break
		}
	}
	for range 4 {
		if !p.trailing() {
			break
		}
	}
	p.text = once(p.text)
	return p
}

// relay strips what a client or worker in between puts in front: "408 AiError: …", "CF Whisper 400: AiError: …",
// "Bad Request: AiError: …", "Cloudflare image HTTP 400: {…}", "Error code: 429 - {…}".
func (p *phrase) relay() {
	if rest, ok := cutFold(p.text, "error code: "); ok && len(rest) > 6 && rest[3:6] == " - " &&
		statusCode(rest[:3]) != 0 {
		p.hint, p.text = statusCode(rest[:3]), strings.TrimSpace(rest[6:])
		return
	}
	if len(p.text) > 4 && p.text[3] == ' ' && statusCode(p.text[:3]) != 0 {
		p.hint, p.text = statusCode(p.text[:3]), strings.TrimSpace(p.text[4:])
		return
	}
	head, rest, ok := strings.Cut(p.text, ":")
	if !ok || len(head) > 48 {
		return
	}
	rest = strings.TrimSpace(rest)
	for status := 400; status < 512; status++ {
		if name := http.StatusText(status); name != "" && strings.EqualFold(name, head) && classAhead(rest) {
			p.hint, p.text = status, rest
			return
		}
	}
	cut := strings.LastIndexByte(head, ' ')
	status := statusCode(head[cut+1:])
	if status == 0 || cut < 0 || strings.ContainsAny(head, "\"'`{/@") {
		return
	}
	before := strings.ToLower(head[strings.LastIndexByte(head[:cut], ' ')+1 : cut])
	if classAhead(rest) || strings.HasPrefix(rest, "{") || before == "http" || before == "status" {
		p.hint, p.text = status, rest
	}
}

func classAhead(s string) bool {
	p := phrase{text: s}
	return p.class() || p.leadingCode()
}

func (p *phrase) class() bool {
	for _, c := range classes {
		rest, ok := cutFold(p.text, c.name)
		if !ok {
			continue
		}
		if r, ok := cutFold(strings.TrimLeft(rest, " "), "[aierror]"); ok {
			rest = r
		}
		switch {
		case strings.HasPrefix(rest, ":"):
			rest = rest[1:]
		case rest == "" && !c.strict:
		case c.strict || !strings.HasPrefix(rest, " "):
			continue
		}
		p.text, p.relayed = strings.TrimSpace(rest), p.relayed || c.relayed
		return true
	}
	return false
}

// leadingCode strips "5007: ", "ERROR 3036: " and "error code: 1031". A number that is an HTTP status is a
// hint, no code.
func (p *phrase) leadingCode() bool {
	s := p.text
	if rest, ok := cutFold(s, "error code:"); ok {
		n, rest := digits(strings.TrimSpace(rest))
		if n == 0 || rest != "" && !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, ".") {
			return false
		}
		p.number(n)
		p.edge, p.text = p.code == n, strings.TrimLeft(rest, " .")
		return true
	}
	if rest, ok := cutFold(s, "error "); ok {
		s = rest
	}
	n, rest := digits(s)
	rest = strings.TrimLeft(rest, " ")
	switch {
	case n == 0:
		return false
	case rest == "" && known(n):
		rest = ":"
	case strings.HasPrefix(rest, ":"):
	case strings.HasPrefix(rest, "- ") && known(n):
	default:
		return false
	}
	p.number(n)
	p.text = strings.TrimSpace(rest[1:])
	return true
}

func (p *phrase) number(n int) {
	switch {
	case 100 <= n && n <= 599:
		if p.hint == 0 && n >= 400 {
			p.hint = n
		}
	case p.code == 0:
		p.code = n
	}
}

// trailing strips one " (…)": a uuid, the first eight digits of one, a placeholder for it, or a code. In a
// message that was cut short the parenthesis need not be closed.
func (p *phrase) trailing() bool {
	s := strings.TrimRight(p.text, " ")
	open := strings.LastIndexByte(s, '(')
	if open < 0 {
		return false
	}
	in, closed := strings.CutSuffix(s[open+1:], ")")
	switch {
	case !closed:
		if len(in) < 9 || len(in) > 36 || !hexDashes(in) {
			return false
		}
	case isUUID(in):
		p.id = in
	case len(in) == 8 && hexDashes(in):
	case strings.HasPrefix(in, "<") && strings.HasSuffix(in, ">"):
	default:
		n, rest := digits(in)
		if rest != "" || !known(n) {
			if n, rest = digits(codeWord(in)); n == 0 || rest != "" {
				return false
			}
		}
		p.number(n)
	}
	p.text = strings.TrimSpace(s[:open])
	return true
}

// codeWord returns what follows "code" or "error" in such a parenthesis.
func codeWord(s string) string {
	for _, w := range []string{"error code", "internalcode", "code", "error"} {
		if rest, ok := cutFold(s, w); ok {
			return strings.TrimLeft(rest, ": =")
		}
	}
	return ""
}

// once turns "No such model: No such model x" into "No such model x".
func once(s string) string {
	for i := 0; i < len(s); {
		n := strings.Index(s[i:], ": ")
		if n < 0 || i+n == 0 {
			return s
		}
		i += n
		if rest := s[i+2:]; strings.HasPrefix(rest, s[:i]) {
			return rest
		}
		i += 2
		if i > 200 {
			return s
		}
	}
	return s
}

// digits reads a number of three to five digits that s begins with; 0 when it does not.
func digits(s string) (n int, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if i < 3 || i > 5 {
		return 0, s
	}
	n, _ = strconv.Atoi(s[:i])
	return n, s[i:]
}

// statusCode returns the HTTP error status that s is, else 0.
func statusCode(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) != 3 || n < 400 || n > 599 {
		return 0
	}
	return n
}

func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' && hexDashes(s)
}

func hexDashes(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// cutFold cuts prefix, which is lower case, off s in whatever case it stands there.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
