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
	if !ok || again.Code != f.Code || !bytes.Equal(again.Append(nil), body) {
		t.Fatalf("does not come back: %s", body)
	}
	if s := f.HTTPStatus(); s < 400 || s > 599 {
		t.Fatalf("status %d", s)
	}
	checkSchema(t, body)
	h := http.Header{}
	f.SetHeader(h, maxWait)
	for name, values := range h {
		if strings.ContainsAny(values[0], "\r\n\x00") {
			t.Fatalf("%s: %q", name, values[0])
		}
	}
	f.Redact(fuzzSecret)
	if bytes.Contains(f.Append(nil), []byte(fuzzSecret)) {
		t.Fatalf("a secret leaves in %s", f.Append(nil))
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
			t.Fatalf("wait %v", got.RetryAfter)
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
			t.Fatal("the event is changed")
		}
		if got != nil {
			checkFuzzed(t, got)
		}
	})
}
