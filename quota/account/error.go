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

// A Kind says why something was asked in vain.
type Kind uint8

// The kinds.
const (
	Garbled     Kind = iota // the answer was not understood
	NoToken                 // there is none to ask with
	BadToken                // the token is not accepted: wrong, expired, turned off
	Forbidden               // the token lacks a permission, or is for another account
	NoAccount               // there is no such account
	RateLimited             // too much was asked; RetryAfter may say when it is worth asking again
	Unavailable             // Cloudflare failed
	Unreachable             // no answer came
	Canceled                // the caller's context ended
)

var kinds = [...]string{
	Garbled: "the answer was not understood", NoToken: "no token", BadToken: "the token is not accepted", Forbidden: "not permitted",
	NoAccount: "no such account", RateLimited: "rate limited", Unavailable: "Cloudflare failed", Unreachable: "no answer", Canceled: "canceled",
}

// String says the kind in words.
func (k Kind) String() string { return kinds[k] }

// An Error is why something was asked in vain. It holds no token.
type Error struct {
	Kind       Kind
	Asked      string        // path below the API
	Needs      string        // permission that is missing, such as "Account Analytics: Read"; "" where that is not known
	Status     int           // HTTP status; 0: no answer
	Code       int           // Cloudflare's; 0: none
	Message    string        // Cloudflare's words, at most 300 bytes, or what happened instead of an answer
	RetryAfter time.Duration // how long Cloudflare asks to wait; 0: it does not say
	Err        error         // of Unreachable and Canceled
}

// Error says what was asked, what came, and what to grant where a permission is
// missing.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Asked, e.Kind)
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

// Unwrap returns what kept the answer away.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an *Error in err, Garbled for any other.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Garbled
}

// refused makes an error of an answer that is no success.
func (a answer) refused(path string, said []message) *Error {
	e := &Error{Asked: path, Status: a.status, RetryAfter: a.retryAfter}
	if len(said) > 0 {
		e.Code, _ = strconv.Atoi(string(said[0].Code))
		e.Message = clip(said[0].Message)
	}
	e.Kind = kindOf(a.status, e.Code)
	if e.Message == "" {
		e.Message = strings.TrimSpace(http.StatusText(a.status))
	}
	return e
}

// Codes of Cloudflare's API: 10000 is a bad token and a missing permission alike,
// told apart by the status. 971 comes for all of the API at once.
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

// unreachable makes an error of what kept an answer away. A *url.Error repeats
// the URL: nothing secret, and nothing new.
func unreachable(ctx context.Context, path string, err error) *Error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	e := &Error{Kind: Unreachable, Asked: path, Message: clip(err.Error()), Err: err}
	if ctx.Err() != nil {
		e.Kind, e.Err = Canceled, ctx.Err()
	}
	return e
}

// clip bounds words of Cloudflare's.
func clip(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// retryAfter reads a Retry-After header: seconds, or a date. 0 is none.
func retryAfter(text string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(most/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), most)
	}
	return 0
}
