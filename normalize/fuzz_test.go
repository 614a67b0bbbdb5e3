package normalize

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

const fuzzSecret = "sk-fuzz0123456789abcdefABCDEF"

// checkFuzzed asserts what must hold for any bytes at all.
func checkFuzzed(t *testing.T, f *Failure) {
	checkMessage(t, f)
	f.RequestID = "r"
	body := f.Append(nil)
	again, ok := Parse(body)
	if !ok || again.Code != f.Code {
		t.Fatalf("Parse() = %v, %t, want %s", again, ok, f.Code)
	}
	if got := again.Append(nil); !bytes.Equal(got, body) {
		t.Fatalf("got back\n%s\nwant\n%s", got, body)
	}
	if s := f.HTTPStatus(); s < 400 || s > 599 {
		t.Fatalf("got status %d, want 400 to 599", s)
	}
	checkSchema(t, body)
	h := http.Header{}
	f.SetHeader(h, maxWait)
	for name, values := range h {
		if strings.ContainsAny(values[0], "\r\n\x00") {
			t.Fatalf("%s: got %q, want no control character", name, values[0])
		}
	}
	f.Redact(fuzzSecret)
	if bytes.Contains(f.Append(nil), []byte(fuzzSecret)) {
		t.Fatalf("got a secret in %s, want it removed", f.Append(nil))
	}
}

func FuzzClassify(f *testing.F) {
	for _, c := range captures(f) {
		status := 500
		if c.Status != nil {
			status = *c.Status
		}
		f.Add(status, "application/json", "5", []byte(c.Body))
	}
	for _, s := range shapes {
		f.Add(400, "", "", []byte(s.body("Could not route to /"+fuzzSecret+", perhaps", "7003")))
	}
	f.Fuzz(func(t *testing.T, status int, ctype, after string, body []byte) {
		h := http.Header{
			"Content-Type": {ctype}, "Retry-After": {after}, "Retry-After-Ms": {after},
			"Ratelimit": {after}, "Cf-Ray": {ctype},
		}
		IsFailure(body)
		got := Classify(status, h, body)
		if got.RetryAfter < 0 || got.RetryAfter > maxWait {
			t.Fatalf("got a wait of %v, want 0 to %v", got.RetryAfter, maxWait)
		}
		checkFuzzed(t, got)
	})
}

func FuzzClassifyEvent(f *testing.F) {
	for _, c := range chunks {
		f.Add([]byte(c))
	}
	for _, c := range captures(f) {
		f.Add([]byte("data: " + c.Body + "\n\n"))
	}
	for p := range ProtocolAnthropic + 1 {
		f.Add((&Failure{Code: StreamInterrupted}).AppendEvent(nil, p))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		before := bytes.Clone(event)
		got := ClassifyEvent(event)
		if !bytes.Equal(before, event) {
			t.Fatalf("got the event changed to %q, want %q", event, before)
		}
		if got != nil {
			checkFuzzed(t, got)
		}
	})
}
