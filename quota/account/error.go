package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Kind says why a request failed.
type Kind uint8

// The kinds.
const (
	Garbled     Kind = iota // the answer was not understood
	NoToken                 // there is no token
	BadToken                // the token is not accepted: wrong, expired, turned off
	Forbidden               // the token lacks a permission, or is for another account
	NoAccount               // there is no such account
	RateLimited             // too many requests; RetryAfter may say when to try again
	Unavailable             // Cloudflare failed
	Unreachable             // no answer came
	Canceled                // the caller's context ended
)

var kinds = [...]string{
	Garbled: "the answer was not understood", NoToken: "no token", BadToken: "the token is not accepted",
	Forbidden: "not permitted", NoAccount: "no such account", RateLimited: "rate limited",
	Unavailable: "Cloudflare failed", Unreachable: "no answer", Canceled: "canceled",
}

// String returns the kind in words.
func (k Kind) String() string { return kinds[k] }

// An Error is why a request failed. It holds no token.
type Error struct {
	Kind       Kind
	Path       string        // below the API
	Needs      string        // permission that is missing, such as "Account Analytics: Read"; "": not known
	Status     int           // HTTP status; 0: no answer
	Code       int           // Cloudflare's; 0: none
	Message    string        // Cloudflare's words, at most 300 bytes, or what happened instead of an answer
	RetryAfter time.Duration // how long Cloudflare asks to wait; 0: it does not say
	Err        error         // of Unreachable and Canceled
}

// Error returns the path, what came back, and which permission to grant where one
// is missing.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Path, e.Kind)
	if e.Status != 0 || e.Code != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		if e.Code != 0 {
			fmt.Fprintf(&b, ", code %d", e.Code)
		}
		b.WriteString(")")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Needs != "" {
		b.WriteString("; grant " + e.Needs)
	}
	return b.String()
}

// Unwrap returns why no answer came.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an *Error in err, Garbled for any other.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Garbled
}

// garbled returns the error of an answer that was not understood.
func (a answer) garbled(path, message string) *Error {
	return &Error{Kind: Garbled, Path: path, Status: a.status, Message: message}
}

// refused returns the error of an answer that is no success; messages are those
// in the answer.
func (a answer) refused(path string, messages []message) *Error {
	e := &Error{Path: path, Status: a.status, RetryAfter: a.retryAfter}
	if len(messages) > 0 {
		e.Code, _ = strconv.Atoi(string(messages[0].Code))
		e.Message = clip(messages[0].Message)
	}
	e.Kind = kindOf(a.status, e.Code)
	if e.Message == "" {
		e.Message = strings.TrimSpace(http.StatusText(a.status))
	}
	return e
}

// Codes of Cloudflare's API. 10000 stands for a bad token and for a missing
// permission; the status tells them apart. 971 is the rate limit of the whole API.
var (
	badTokenCodes = []int{1000, 6003, 6111, 9106}
	noRouteCodes  = []int{7000, 7003}
)

func kindOf(status, code int) Kind {
	switch {
	case status == http.StatusTooManyRequests || code == 971:
		return RateLimited
	case status >= 500:
		return Unavailable
	case status >= 300 && status < 400:
		return Garbled
	case slices.Contains(badTokenCodes, code), status == http.StatusUnauthorized:
		return BadToken
	case status == http.StatusForbidden, code == 10000, code == 9109:
		return Forbidden
	case slices.Contains(noRouteCodes, code), status == http.StatusNotFound:
		return NoAccount
	}
	return Garbled
}

// unreachable returns the error of a request without an answer. It leaves out the
// URL that a *url.Error repeats.
func unreachable(ctx context.Context, path string, err error) *Error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	e := &Error{Kind: Unreachable, Path: path, Message: clip(err.Error()), Err: err}
	if ctx.Err() != nil {
		e.Kind, e.Err = Canceled, ctx.Err()
	}
	return e
}

// clip bounds a text of Cloudflare's.
func clip(text string) string {
	const maxBytes = 300
	if len(text) <= maxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxBytes], "") + "…"
}

// retryAfter reads a Retry-After header: seconds, or a date; 0: there is none.
func retryAfter(text string, now time.Time) time.Duration {
	const maxWait = 24 * time.Hour
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(maxWait/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxWait)
	}
	return 0
}
