package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize/sse"
)

// FuzzResponses: of a stream of /v1/responses, the caller gets what upstream sent to the end of an event, and behind it
// our failure if it failed, however the bytes are split across reads.
func FuzzResponses(f *testing.F) {
	const (
		created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\"," +
			"\"tools\":[{\"sequence_number\":9}]},\"sequence_number\":0}\n\n"
		delta  = "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,\"delta\":\"a\"}\n\n"
		failed = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":" +
			"{\"code\":\"server_error\",\"message\":\"boom\"},\"usage\":{\"neurons\":1}}}\n\n"
	)
	for _, text := range []string{
		created + delta + responseEnd, created + delta + failed, created + responseEnd + failed, failed,
		created + "data: {\"type\":\"response.comp", created + event3040, responseEnd + ": c\n\n",
		"data: {\n\n" + delta,
		created + strings.ReplaceAll(delta, "\n", "\r\n") + strings.TrimSpace(responseEnd),
	} {
		f.Add(text, []byte{0}, true)
		f.Add(text, []byte{3, 200, 17}, false)
	}
	b := newBench(f, http.NotFoundHandler())
	f.Fuzz(func(t *testing.T, text string, sizes []byte, clean bool) {
		if len(text) >= maxEventBuffer {
			return // what is out of an event when it breaks depends on the reads
		}
		end := io.EOF
		if !clean {
			end = io.ErrUnexpectedEOF
		}
		got, failure, err := play(b.proxy, "/v1/responses", text, []byte{255}, end)
		split, failure2, err2 := play(b.proxy, "/v1/responses", text, sizes, end)
		if got != split {
			t.Fatalf("got in pieces: %q\nwant as at once: %q", split, got)
		}
		if failure != failure2 || (err == nil) != (err2 == nil) {
			t.Fatalf("got in pieces: %v, %v\nwant as at once: %v, %v", failure2, err2, failure, err)
		}
		if err != nil {
			return // it was a failure from the beginning
		}
		before := got
		if !strings.HasPrefix(text, got) { // it failed
			const ours = "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":"
			at := strings.LastIndex(got, ours)
			if at < 0 {
				t.Fatalf("got %q, want our failure in it", got)
			}
			before = got[:at]
			if e, rest := sse.Cut([]byte(got[at:])); len(rest) > 0 || !json.Valid(sse.Parse(e).Data) {
				t.Fatalf("got %q, want one event of JSON", got[at:])
			}
			if at > 0 && !strings.HasSuffix(before, "\n\n") && !strings.HasSuffix(before, "\n\r\n") {
				t.Fatalf("got %q before our failure, want whole events", before)
			}
		}
		if !strings.HasPrefix(text, before) {
			t.Fatalf("got %q, want a beginning of %q", before, text)
		}
	})
}
