package normalize

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Failure is one failed call in the terms of the catalog. It is an error; the zero value of a field means what
// its comment says.
type Failure struct {
	Code         Code
	Message      string        // for the caller; "" means the entry's Summary
	Action       string        // what to do; "" means the entry's
	Param        string        // the offending field; "" means null
	Number       int           // 0 means the entry's; an unknown upstream code keeps its own here
	Status       int           // HTTP status; 0 means the entry's
	Origin       Origin        // "" means the entry's first
	Fault        Fault         // "" means the entry's
	MatchedBy    MatchedBy     // "" means what the origin suggests
	RetryAfter   time.Duration // what upstream or the proxy knows; 0 means the entry's Delay
	ResetsAt     time.Time     // zero means null
	Model        string        // "" means null
	RequestID    string
	Upstream     *Upstream // nil means null
	Limit        *Limit    // nil leaves the key out
	Unclassified bool      // an unknown code, or nothing fitted
	NoRetry      bool      // SDKs must not repeat the call by themselves now, whatever the entry says
	Err          error     // for the log, never sent

	ours  bool // the proxy's own credentials or settings are at fault
	final bool // Parse: the envelope says that no retry can succeed, whatever the entry says
}

// Upstream is what upstream sent, as received but for secrets and echoed paths.
type Upstream struct {
	Status    int
	Code      any // int, string or nil
	Message   string
	RequestID string
	Ray       string
}

// number returns the code as a number, 0 where it is none.
func (u *Upstream) number() int {
	switch c := u.Code.(type) {
	case int:
		return c
	case string:
		n, _ := strconv.Atoi(c)
		return n
	}
	return 0
}

// Limit is the budget or rate that refused a call, in Unit per Window.
type Limit struct {
	Name, Client          string
	Used, Reserved, Limit float64
	Unit, Window          string
}

// Resolved returns f with Message, Action, Number, Status, Origin, Fault and MatchedBy filled in where f leaves
// them to its entry. It is the only place that knows these defaults. A resolved failure stays as it is.
func (f *Failure) Resolved() Failure {
	r, e := *f, f.Code.Entry()
	r.Message = cmp.Or(r.Message, e.Summary)
	r.Action = cmp.Or(r.Action, e.Action)
	r.Number = cmp.Or(r.Number, e.Number)
	r.Status = cmp.Or(r.Status, e.Status)
	r.Origin = cmp.Or(r.Origin, e.Origins[0])
	r.Fault = cmp.Or(r.Fault, e.Fault)
	r.MatchedBy = cmp.Or(r.MatchedBy, matchedByOrigin[r.Origin], MatchedStatus)
	return r
}

// matchedByOrigin says how a failure was recognized where it does not say so itself.
var matchedByOrigin = map[Origin]MatchedBy{OriginGuard: MatchedRequest, OriginProxy: MatchedTransport}

// Error returns slug, number and message on one line. It never holds Err.
func (f *Failure) Error() string {
	r := f.Resolved()
	return f.Code.String() + " (" + strconv.Itoa(r.Number) + "): " + plain(r.Message)
}

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// HTTPStatus returns the status that the answer carries.
func (f *Failure) HTTPStatus() int {
	return cmp.Or(f.Status, f.Code.Entry().Status)
}

// Retryable reports whether the same call can succeed now or after a short wait, without anybody's doing. It is
// what the body says. Whether an SDK should try that by itself is ShouldRetry.
func (f *Failure) Retryable() bool {
	if f.final {
		return false
	}
	if f.Code.Entry().Code == Unclassified {
		s := f.HTTPStatus()
		return s >= http.StatusInternalServerError || s == http.StatusTooManyRequests
	}
	r := f.Code.Entry().Retry
	return r == RetryAfterDelay || r == RetryOnce
}

// ShouldRetry reports whether an SDK should repeat the call by itself now: the header x-should-retry. It should
// not where NoRetry forbids it, nor where it would have to wait longer than it is told, at most retryAfterMax.
func (f *Failure) ShouldRetry(retryAfterMax time.Duration) bool {
	return f.Retryable() && !f.NoRetry && f.Wait() <= retryAfterMax
}

// Type returns error.type. Refused credentials of the proxy's own are no failed authentication of the caller's.
func (f *Failure) Type() Type {
	if f.ours {
		return TypeAPI
	}
	return f.Code.Entry().Type
}

// Word returns error.code: OpenAI's word where there is one, else the slug.
func (f *Failure) Word() string {
	if f.ours {
		return f.Code.String()
	}
	return f.Code.Entry().Word()
}

// Wait returns how long to wait before the call may be sent again: what is known, else the entry's Delay; 0
// when nothing is known or the call must not be sent again before something changes.
func (f *Failure) Wait() time.Duration {
	e := f.Code.Entry()
	if f.final {
		return f.RetryAfter
	}
	if !f.Retryable() && e.Retry != RetryAtReset {
		return 0
	}
	if f.RetryAfter > 0 {
		return f.RetryAfter
	}
	return e.Delay
}

// WrongUpstream marks a failure of a path that this proxy makes by itself as the operator's: status 502, fault
// operator, error.code the slug. Call it where Unrouted says that Cloudflare has no such path.
func (f *Failure) WrongUpstream() {
	f.ours, f.Status, f.Fault = true, http.StatusBadGateway, FaultOperator
	f.Message = "Cloudflare has no such path where this proxy sends its calls; the call is not at fault. Whoever " +
		"runs this proxy must correct the address of the upstream or the account id."
	f.Action = "Correct {UPSTREAM}, {API} or the account id; `neuronward check` shows what Cloudflare says of them."
}

// Unrouted reports whether Cloudflare's API says that it has no such path, rather than something behind it. A page or
// an empty answer counts where nothing but the API can have said it.
func (f *Failure) Unrouted(alone bool) bool {
	if f.Code != NoSuchRoute || f.Upstream == nil {
		return false
	}
	switch f.Upstream.number() {
	case 7000, 7003:
		return true
	case 0:
		return f.MatchedBy == MatchedText || alone && f.Message == ""
	default:
		return f.MatchedBy == MatchedText // with a number that says less than the text
	}
}

// OursRefused marks a failure about credentials as the operator's: status 502, fault operator, error.code the
// slug. Call it when the credentials that upstream refused were the proxy's own. Other failures stay as they
// are.
func (f *Failure) OursRefused() {
	if f.Code.AboutCredentials() {
		f.ours, f.Status, f.Fault = true, http.StatusBadGateway, FaultOperator
		if f.Code == AuthenticationFailed && (f.Upstream == nil || f.RefusesToken()) {
			f.Message = "Cloudflare refuses this proxy's own API token; the caller's key is not at fault. Whoever " +
				"runs this proxy must replace it."
		}
	}
}

// RefusesToken reports whether Cloudflare says that it does not accept the token of the call: neither a permission that
// is missing nor a provider's key.
func (f *Failure) RefusesToken() bool {
	if f.Code != AuthenticationFailed || f.Upstream == nil {
		return false
	}
	n := f.Upstream.number()
	return n == 10000 || n == 9106 || n == 6003
}

// FromWorkersAI reports whether upstream failed with a code that is Workers AI's own, or said that a token which it
// knows lacks a permission: the token was accepted.
func (f *Failure) FromWorkersAI() bool {
	if f.Upstream == nil {
		return false
	}
	n := f.Upstream.number()
	return 3000 <= n && n < 6000 || f.Code == PermissionDenied
}

// AboutCredentials reports whether c says that upstream refused credentials: the caller's, or the operator's
// after OursRefused.
func (c Code) AboutCredentials() bool {
	switch c {
	case AuthenticationFailed, PermissionDenied, GatewayUnauthorized:
		return true
	}
	return false
}

// Redact removes the literal secrets, also in their percent-encoded form, from everything of f that is sent.
func (f *Failure) Redact(secrets ...string) {
	texts := []*string{&f.Message, &f.Param, &f.Model}
	code := ""
	if u := f.Upstream; u != nil {
		code, _ = u.Code.(string)
		texts = append(texts, &u.Message, &u.RequestID, &u.Ray, &code)
	}
	redactAll(secrets, texts...)
	if code != "" {
		f.Upstream.Code = code
	}
}

// Redact removes the literal secrets, also in their percent-encoded form, from text.
func Redact(text string, secrets ...string) string {
	redactAll(secrets, &text)
	return text
}

func redactAll(secrets []string, texts ...*string) {
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range [...]string{s, url.QueryEscape(s), url.PathEscape(s)} {
			for _, text := range texts {
				*text = strings.ReplaceAll(*text, form, removed)
			}
		}
	}
}
