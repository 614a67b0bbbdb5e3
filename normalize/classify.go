package normalize

import (
	"cmp"
	"net/http"
	"strings"
)

// MaxErrorBody is how many bytes of a failed answer are worth reading.
const MaxErrorBody = 64 << 10

// Classify finds the catalog entry of a failed answer from its status, header and body, which may be cut short.
// It never returns nil.
//
// What decides, in this order: a text that beats every code, at the start of the message; the code; the text; a
// word such as "context_length_exceeded"; the status. A status of 200 says nothing, so that failures inside
// successes and streams can be read too.
func Classify(status int, header http.Header, body []byte) *Failure {
	e := read(header, decode(header, body))
	f := e.failure(status)
	f.Upstream = &Upstream{
		Status:    status,
		Code:      e.raw,
		Message:   shorten(redact(plain(bounded(e.said))), maxMessage),
		RequestID: e.id,
		Ray:       headerID(header, "Cf-Ray"),
	}
	if id := headerID(header, "Cf-Ai-Req-Id"); id != "" {
		f.Upstream.RequestID = id
	}
	if e.page != nil && f.Upstream.Ray == "" {
		f.Upstream.Ray = e.page.ray
	}
	if f.Code.Entry().Retry != RetryAtReset {
		f.RetryAfter = cmp.Or(upstreamWait(header), e.wait)
	}
	return f
}

// failure decides.
func (e *evidence) failure(status int) *Failure {
	f := &Failure{Origin: OriginUpstream, Param: e.param}
	f.Code, f.MatchedBy, f.Number = e.decide(status)
	f.Unclassified = f.Number != 0 && !known(f.Number) || f.Code == Unclassified
	if f.Code == Unclassified && 400 <= status && status <= 599 {
		f.Status = status
	}
	if e.page == nil && len(e.texts) > 0 {
		f.Message = message(e.texts[0].string)
	}
	return f
}

// decide returns the entry, how it was found, and the number where it is to be kept: when no entry has it.
func (e *evidence) decide(status int) (c Code, by MatchedBy, kept int) {
	if c := byEdge(e.edge); c != Unclassified && e.numbers()[0] == e.edge {
		return c, codeOrAlias(c, e.edge), 0
	}
	if e.payment && status == http.StatusPaymentRequired {
		return GatewayNoCredits, MatchedStatus, 0
	}
	found, numbered := e.catalogued()
	if len(e.texts) > 0 {
		if e.relayedTimeout(status) {
			return Timeout, byTextOrCode(Timeout, found), 0
		}
		first := e.texts[0]
		if allocation.match(first.folded) && mayLimit(found, numbered, first.inner) {
			return AccountLimited, byTextOrCode(AccountLimited, found), 0
		}
		if c, ok := byDominantText(first.folded); ok {
			return c, byTextOrCode(c, found), 0
		}
	}
	if r, ok := e.byNumberRule(status); ok {
		if r.keeps {
			return r.code, MatchedCode, r.number
		}
		return r.code, byTextOrCode(r.code, r.number), 0
	}
	if numbered && !vague[found] {
		c := byNumber[found]
		return c, codeOrAlias(c, found), 0
	}
	if c, ok := e.byTexts(); ok {
		return c, byTextOrCode(c, found), e.unknown(numbered)
	}
	if numbered {
		c := vagueCode(found)
		return c, codeOrAlias(c, found), 0
	}
	for _, w := range e.words {
		if c, ok := words[strings.ToLower(w)]; ok {
			if c == BadInput && (status == http.StatusTooManyRequests || status >= http.StatusInternalServerError) {
				continue // relays say so whatever failed
			}
			if c == NoSuchRoute && e.namesModel() {
				c = NoSuchModel
			}
			return c, MatchedCode, e.unknown(false)
		}
	}
	return e.byStatus(status), MatchedStatus, e.unknown(false)
}

// catalogued returns the first number that an entry of upstream's has.
func (e *evidence) catalogued() (number int, ok bool) {
	for _, n := range e.numbers() {
		if c, ok := byNumber[n]; ok && c.Entry().Source != SourceOwn && c != Unclassified {
			return n, true
		}
	}
	return 0, false
}

// unknown returns the number that no entry has, so that it is kept. Our own numbers are not upstream's to use.
func (e *evidence) unknown(numbered bool) int {
	if numbered {
		return 0
	}
	for _, n := range e.numbers() {
		if !known(n) {
			return n
		}
	}
	return 0
}

// relayedTimeout reports whether the failure is a time limit of something behind Cloudflare, told in the text of a 502
// or of an InferenceUpstreamError. The call may have run.
func (e *evidence) relayedTimeout(status int) bool {
	if status != http.StatusBadGateway && !e.relayed {
		return false
	}
	for _, t := range e.texts {
		own := t.folded
		for _, says := range []string{"504 gateway time-out", "504 gateway timeout", "status 504", "status code 504"} {
			if strings.Contains(own, says) {
				return true
			}
		}
	}
	return e.relayed && e.hint == http.StatusGatewayTimeout
}

// namesModel reports whether what was not found is a model: "model: claude-9".
func (e *evidence) namesModel() bool {
	return len(e.texts) > 0 && strings.HasPrefix(e.texts[0].folded, "model:")
}

// byTexts tries the rules on each message.
func (e *evidence) byTexts() (Code, bool) {
	for _, t := range e.texts {
		if c, ok := matchText(t.folded, catalog); ok {
			return c, true
		}
	}
	return Unclassified, false
}

// mayLimit reports whether the allocation sentence may be believed: the whole account stops for it. Codes of
// bad input echo what the caller sent, and JSON inside a message is not Workers AI's own.
func mayLimit(number int, numbered, inner bool) bool {
	if !numbered {
		return true
	}
	c := byNumber[number]
	return c == AccountLimited || c != BadInput && !inner
}

// vague are numbers that stand for several failures; the text may say more.
var vague = map[int]bool{3030: true, 8007: true, 3010: true, 1000: true, 1001: true, 8001: true, 8006: true, 7003: true}

// vagueCode returns what a vague number means when the text says no more.
func vagueCode(n int) Code {
	if n == 3030 {
		return BadInput
	}
	return byNumber[n]
}

func codeOrAlias(c Code, number int) MatchedBy {
	if c.Entry().Number == number {
		return MatchedCode
	}
	return MatchedAlias
}

// byTextOrCode says that a text decided, unless the code says the same.
func byTextOrCode(c Code, number int) MatchedBy {
	if found, ok := byNumber[number]; ok && found == c {
		return codeOrAlias(c, number)
	}
	return MatchedText
}

// message makes what the caller reads of a text that has lost its grammar; "" when nothing readable is left.
func message(s string) string {
	s = plain(bounded(s))
	if strings.HasPrefix(s, "undefined") || !readable(s) {
		return ""
	}
	return shorten(sentence(redact(s)), maxMessage)
}

// bounded keeps redaction cheap. What is cut off ends at a space, so that no half of a token is left.
func bounded(s string) string {
	const enough = 4 * maxMessage
	if len(s) <= enough {
		return s
	}
	s = s[:enough]
	if i := strings.LastIndexByte(s, ' '); i > 0 {
		return s[:i]
	}
	return ""
}

// readable reports whether s is text, not bytes of something else.
func readable(s string) bool {
	bad, letters := strings.Count(s, "\ufffd"), 0
	for i := range len(s) {
		if letter(s[i]) || s[i] >= 0x80 {
			letters++
		}
	}
	return letters > 0 && bad*8 <= len(s)
}
