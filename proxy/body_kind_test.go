package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// What stands in front of a JSON body switches the inspection off in no way: not a byte order mark, nor any
// amount of space. A model of text takes nothing but JSON.
func TestWhatStandsInFrontOfABody(t *testing.T) {
	const recording = "@cf/openai/whisper"
	for _, c := range []struct {
		name, path, prefix string
		status             int
	}{
		{"a byte order mark", "/run/" + testModel, "\xef\xbb\xbf", 200},
		{"space and a byte order mark", "/run/" + testModel, " \r\n\xef\xbb\xbf\t", 200},
		{"much space", "/run/" + testModel, strings.Repeat(" ", 100_000), 200},
		{"a mark and a model in the body", "/v1/chat/completions", "\xef\xbb\xbf", 200},
		{"UTF-16", "/run/" + testModel, "\xff\xfe", 400},
		{"another byte", "/run/" + testModel, "\x00", 400},
		{"a comment", "/run/" + testModel, "//\n", 400},
		{"what is a recording for another model", "/run/" + recording, "\x00", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got string
			b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got = string(sent)
				answerJSON(200, chatAnswer)(w, r)
			}))
			sent := c.prefix + `{"model":"` + testModel + `","prompt":"hi","max_tokens":7,"stream":false}`
			res, body := b.do("POST", c.path, sent, "Content-Type", "application/octet-stream")
			if res.StatusCode != c.status {
				t.Fatalf("got %d %s, want %d", res.StatusCode, body, c.status)
			}
			if c.status != 200 {
				if e := b.envelope(body); e.Error.Name != "incomplete_request" || got != "" {
					t.Errorf("got %s and %q upstream, want incomplete_request and nothing", e.Error.Name, got)
				}
				return
			}
			if got != sent {
				t.Errorf("got %d bytes %.60q upstream, want the %d bytes %.60q unchanged", len(got), got, len(sent),
					sent)
			}
		})
	}
}

// A recording in MP4 begins with zeros, which are no space: it streams through, whatever its Content-Type.
func TestARecordingThatBeginsWithZeros(t *testing.T) {
	sent := "\x00\x00\x00\x18ftypM4A " + strings.Repeat("\x01", 100_000)
	received := 0
	b := newBench(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		received = len(body)
		answerJSON(200, `{"result":{"text":"x"},"success":true}`)(w, r)
	}))
	res, body := b.do("POST", "/run/"+testSpeechModel, sent, "Content-Type", "application/x-www-form-urlencoded")
	if res.StatusCode != 200 || received != len(sent) {
		t.Errorf("got %d %s and %d bytes upstream, want 200 and %d", res.StatusCode, body, received, len(sent))
	}
}
