package normalize

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// evidence is what a failed answer says about itself, gathered from wherever it says it.
type evidence struct {
	empty   bool
	page    *page    // the answer is HTML
	codes   []int    // numbers that may be Workers AI's, the most telling first
	nested  []int    // numbers inside JSON that is a string in a message
	raw     any      // the first code as received: int, string or nil
	hint    int      // an HTTP status that the body names
	edge    int      // the number of "error code: NNNN"
	words   []string // codes and types that are words
	texts   []text   // messages without their grammar
	said    string   // the first message as received
	gateway bool     // an AI Gateway speaks
	array   bool     // error is an array, as an AI Gateway writes it, and hardly anybody else
	relayed bool     // the text tells of a failure behind the one who says it: InferenceUpstreamError
	payment bool     // the answer asks for a payment (x402)
	id      string   // upstream's request id
	param   string
	wait    time.Duration // that the body asks for
}

// A text is a message without its grammar; inner ones stood in JSON inside another message.
type text struct {
	string
	folded string // as rules are written
	inner  bool
}

// Bounds of what is gathered: nothing beyond them was ever seen.
const (
	maxTexts  = 6
	maxItems  = 8
	maxNested = 3
)

// read gathers the evidence of a body.
func read(header http.Header, body []byte) *evidence {
	e := &evidence{payment: header.Get("Payment-Required") != ""}
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff")))
	if data, ok := sseData(body); ok {
		body = bytes.TrimSpace(data)
	}
	switch {
	case len(body) == 0 || string(body) == "[DONE]":
		e.empty, e.gateway = true, header.Get("Cf-Aig-Event-Id") != ""
	case isHTML(body), strings.HasPrefix(header.Get("Content-Type"), "text/html") && body[0] != '{' && body[0] != '"' &&
		!failureText(body):
		p := readPage(body)
		e.page, e.said = &p, p.text
	default:
		e.body(body)
	}
	return e
}

func (e *evidence) body(body []byte) {
	switch body[0] {
	case '{', '[':
		n := tree(body)
		e.gather(&n, 0, 0)
		if len(e.texts) == 0 && len(e.codes) == 0 && len(e.words) == 0 && n.kind == kindArray && len(n.kids) > 0 &&
			n.kids[0].kind == kindBare {
			e.message(string(body), 0) // "[object Object]" and the like
		}
	case '"':
		s := scanner{b: body}
		e.message(unescape(s.text()), 0)
	default:
		e.message(string(body), 0)
	}
}

// gather reads one value of an error body: an object of any of the shapes, an array of them, or a message.
// level counts messages that were JSON themselves.
func (e *evidence) gather(n *node, depth, level int) {
	switch {
	case depth > 4:
	case n.kind == kindString:
		e.message(n.text, level)
	case n.kind == kindArray:
		for i := range n.kids[:min(len(n.kids), maxItems)] {
			e.gather(&n.kids[i], depth+1, level)
		}
	case n.kind == kindObject:
		e.object(n, depth, level)
	}
}

func (e *evidence) object(n *node, depth, level int) {
	e.gather(n.get("errors"), depth+1, level)
	problem := n.get("error")
	e.array = e.array || problem.kind == kindArray
	if problem.kind != kindString {
		e.gather(problem, depth+1, level)
	}
	if response := n.get("response"); response.kind == kindObject {
		e.gather(response.get("error"), depth+1, level)
	}
	if n.get("name").text == "AiGatewayError" {
		e.gateway = true
	}
	if n.get("cloudflare_error").text == "true" { // problem details (RFC 9457) of the edge
		e.edge = edgeNumber(n.get("error_code").text)
	}
	e.code(n.get("error_code"), level)
	e.code(n.get("internalCode"), level)
	e.code(n.get("code"), level)
	for _, key := range []string{"httpCode", "status", "statusCode", "status_code"} {
		if s := statusCode(n.get(key).text); s != 0 && e.hint == 0 {
			e.hint = s
		}
	}
	for _, key := range []string{"type", "status", "reason"} {
		if w := n.get(key); w.kind == kindString && w.text != "error" && isWord(w.text) {
			e.words = append(e.words, w.text)
		}
	}
	e.messages(n, problem, level)
	e.waits(n)
	for _, key := range []string{"requestId", "request_id"} {
		if id := n.get(key).text; e.id == "" && isUUID(id) {
			e.id = id
		}
	}
	if p := n.get("param"); p.kind == kindString && e.param == "" {
		e.param = shorten(redact(plain(p.text)), 200)
	}
}

// messages takes the texts of an object: of the fields that hold the message, else of those that may hold one.
func (e *evidence) messages(n, problem *node, level int) {
	before := len(e.texts)
	for _, key := range [...]string{"message", "description", "detail", "msg", "error_description"} {
		if m := n.get(key); m.kind == kindString {
			e.message(m.text, level)
		}
	}
	if problem.kind == kindString {
		e.message(problem.text, level)
	}
	for _, key := range [...]string{"reason", "title", "detail", "details", "messages"} {
		if m := n.get(key); len(e.texts) == before && len(e.codes) == 0 && !isWord(m.text) {
			e.gather(m, 1, level)
		}
	}
}

// waits reads how long the body says to wait: problem details in seconds, Google's RetryInfo as a duration.
func (e *evidence) waits(n *node) {
	if s := n.get("retry_after").text; e.wait == 0 && s != "" {
		e.wait = resetHeader(s)
	}
	details := n.get("details")
	for i := range details.kids {
		if s := details.kids[i].get("retryDelay").text; e.wait == 0 && s != "" {
			e.wait = resetHeader(s)
		}
	}
}

// isWord reports whether s is a word as programs use them: RESOURCE_EXHAUSTED, rate_limit_error.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; !letter(c) && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// edgeNumber reads the number of an error of Cloudflare's edge; 0 where s is none.
func edgeNumber(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 600 {
		return 0
	}
	return n
}

// code takes a code of a field: a Workers AI number, an HTTP status that an engine put there, or a word.
func (e *evidence) code(n *node, level int) {
	if n.kind != kindBare && n.kind != kindString || n.text == "" {
		return
	}
	number, err := strconv.Atoi(n.text)
	if err != nil {
		if f, ferr := strconv.ParseFloat(n.text, 64); ferr == nil && f == float64(int32(f)) {
			number, err = int(f), nil
		}
	}
	if err != nil {
		if n.kind == kindString {
			e.words = append(e.words, n.text)
			e.came(shorten(redact(plain(n.text)), 200))
		}
		return
	}
	if n.kind == kindString {
		e.came(n.text)
	} else {
		e.came(number)
	}
	e.number(number, level)
}

func (e *evidence) came(raw any) {
	if e.raw == nil {
		e.raw = raw
	}
}

func (e *evidence) number(n, level int) {
	switch {
	case 400 <= n && n <= 599:
		if e.hint == 0 {
			e.hint = n
		}
	case n < 600 || n > 1<<31-1:
	case level > 0:
		e.nested = append(e.nested, n)
	default:
		e.codes = append(e.codes, n)
	}
}

// message takes a message apart. Where JSON begins its text, that is read in its stead.
func (e *evidence) message(s string, level int) {
	if strings.TrimSpace(s) == "" || len(e.texts) >= maxTexts {
		return
	}
	if e.said == "" {
		e.said = s
	}
	p := readPhrase(s)
	e.relayed = e.relayed || p.relayed
	if p.id != "" && e.id == "" {
		e.id = p.id
	}
	if p.hint != 0 && e.hint == 0 {
		e.hint = p.hint
	}
	if p.code != 0 {
		e.came(p.code)
		e.number(p.code, level)
	}
	if p.edge {
		e.edge = p.code
	}
	if strings.HasPrefix(p.text, "{") && level < maxNested {
		n := tree([]byte(p.text))
		before := len(e.texts)
		e.gather(&n, 0, level+1)
		if len(e.texts) > before {
			return
		}
	}
	if p.text != "" {
		e.texts = append(e.texts, text{p.text, fold(p.text), level > 0})
	}
}

// numbers returns the numbers that count: those inside a message only where nothing outside it has one.
func (e *evidence) numbers() []int {
	if len(e.codes) > 0 {
		return e.codes
	}
	return e.nested
}
