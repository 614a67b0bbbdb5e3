package normalize

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// SetHeader sets the headers of the answer that carries f: content type, request ids, the retry advice that
// SDKs obey and upstream's ids. A wait of more than retryAfterMax is not sent, since some clients sleep it
// without a limit.
func (f *Failure) SetHeader(h http.Header, retryAfterMax time.Duration) {
	h.Set("Content-Type", "application/json")
	if f.RequestID != "" {
		h.Set("X-Request-Id", f.RequestID)
		h.Set("Request-Id", f.RequestID)
	}
	h.Set("X-Should-Retry", strconv.FormatBool(f.ShouldRetry(retryAfterMax)))
	h.Del("Retry-After")
	h.Del("Retry-After-Ms")
	if wait := f.Wait(); f.Retryable() && wait > 0 && wait <= retryAfterMax {
		h.Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
		h.Set("Retry-After-Ms", strconv.FormatInt(int64((wait+time.Millisecond-1)/time.Millisecond), 10))
	}
	if f.Upstream == nil {
		return
	}
	if f.Upstream.Ray != "" {
		h.Set("Cf-Ray", f.Upstream.Ray)
	}
	if f.Upstream.RequestID != "" {
		h.Set("Cf-Ai-Req-Id", f.Upstream.RequestID)
	}
}

// maxWait bounds what is believed of a wait.
const maxWait = 24 * time.Hour

// upstreamWait returns the wait that upstream's own headers ask for, at most maxWait; 0 when they say nothing.
// A date counts from upstream's own Date, since no clock is at hand here.
func upstreamWait(h http.Header) time.Duration {
	if v, err := strconv.ParseFloat(strings.TrimSpace(h.Get("Retry-After-Ms")), 64); err == nil {
		if d := milliseconds(v); d > 0 {
			return d
		}
	}
	after := strings.TrimSpace(h.Get("Retry-After"))
	if v, err := strconv.ParseFloat(after, 64); err == nil {
		if d := milliseconds(v * 1000); d > 0 {
			return d
		}
	} else if until, err := http.ParseTime(after); err == nil {
		if now, err := http.ParseTime(h.Get("Date")); err == nil {
			if d := min(until.Sub(now), maxWait); d > 0 {
				return d
			}
		}
	}
	for _, name := range []string{"Ratelimit-Reset", "X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset"} {
		if d := resetHeader(h.Get(name)); d > 0 {
			return d
		}
	}
	return rateLimitHeader(h.Get("Ratelimit"))
}

// resetHeader reads seconds or a duration such as "1m30s". A number too large for a wait is a date, of whose
// clock nothing is known.
func resetHeader(s string) time.Duration {
	s = strings.TrimSpace(s)
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		if v > maxWait.Seconds() {
			return 0
		}
		return milliseconds(v * 1000)
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return min(d, maxWait)
	}
	return 0
}

// rateLimitHeader reads the wait of `"name";r=0;t=30`: of the policies with nothing left, the longest.
func rateLimitHeader(s string) (wait time.Duration) {
	for policy := range strings.SplitSeq(s, ",") {
		var left, reset string
		for p := range strings.SplitSeq(policy, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			switch key {
			case "r":
				left = value
			case "t":
				reset = value
			}
		}
		if left == "0" {
			wait = max(wait, resetHeader(reset))
		}
	}
	return wait
}

// headerID returns the id that a header carries when it has the form of one.
func headerID(h http.Header, name string) string {
	id := strings.TrimSpace(h.Get(name))
	if len(id) > 128 {
		return ""
	}
	for i := range len(id) {
		if c := id[i]; !letter(c) && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != ':' {
			return ""
		}
	}
	return id
}
