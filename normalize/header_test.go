package normalize

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A header that asks for no wait at all does not hide the next one.
func TestUpstreamWaitPassesOverNothing(t *testing.T) {
	const date = "Sun, 22 Nov 2026 10:00:00 GMT"
	for name, tt := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"no milliseconds": {http.Header{"Retry-After-Ms": {"0"}, "Retry-After": {"7"}}, 7 * time.Second},
		"no seconds":      {http.Header{"Retry-After": {"0"}, "Ratelimit-Reset": {"12"}}, 12 * time.Second},
		"this very moment": {
			http.Header{"Retry-After": {date}, "Date": {date}, "Ratelimit-Reset": {"12"}},
			12 * time.Second,
		},
		"no reset": {
			http.Header{"Ratelimit-Reset": {"0"}, "X-Ratelimit-Reset": {"3"}},
			3 * time.Second,
		},
		"no reset as a duration": {
			http.Header{"Ratelimit-Reset": {"0s"}, "X-Ratelimit-Reset": {"3"}},
			3 * time.Second,
		},
		"a reset that has passed": {
			http.Header{"Ratelimit-Reset": {"-5s"}, "X-Ratelimit-Reset": {"3"}},
			3 * time.Second,
		},
		"a whole day":             {http.Header{"Ratelimit-Reset": {"86400"}}, maxWait},
		"a second more is a date": {http.Header{"Ratelimit-Reset": {"86401"}}, 0},
		"two policies, both spent": {
			http.Header{"Ratelimit": {`"rpm";r=0;t=20, "day";r=0;t=900, "month";r=0;t=30`}},
			900 * time.Second,
		},
		"nothing spent": {http.Header{"Ratelimit": {`"rpm";r=1;t=20`}}, 0},
	} {
		if got := upstreamWait(tt.header); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestHeaderID(t *testing.T) {
	for id, want := range map[string]bool{
		"0c7f8a3e-5b7d-4e2a-9f61-2d0c7b4e9a15": true, "azAZ09-_.:": true, strings.Repeat("9", 128): true,
		strings.Repeat("9", 129): false,
		"a/b":                    false, "a;b": false, "a b": false, "a\nb": false, "a@b": false, "a[b": false,
		"ä": false,
	} {
		got := headerID(http.Header{"Cf-Ray": {" " + id + " "}}, "Cf-Ray")
		if (got == id) != want || !want && got != "" {
			t.Errorf("%q: got %q, want kept: %v", id, got, want)
		}
	}
}

// An id that holds a control character in place of a digit is none: it would become a header.
func TestControlCharacterInARequestID(t *testing.T) {
	f := Classify(500, nil, []byte(`{"message":"odd","requestId":"\u0010`+fakeID[1:]+`"}`))
	if f.Upstream.RequestID != "" {
		t.Errorf("got request id %q, want none", f.Upstream.RequestID)
	}
}
