package measure

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
	"github.com/neuronward/neuronward/proxy/jsonscan"
	"github.com/neuronward/neuronward/quota/workload"
)

// protocolOf returns the protocol of a path below …/ai/.
func protocolOf(t testing.TB, path string) normalize.Protocol {
	t.Helper()
	switch {
	case path == "run", strings.HasPrefix(path, "run/"):
		return normalize.ProtocolNative
	case path == "v1/chat/completions", path == "v1/embeddings":
		return normalize.ProtocolOpenAI
	case path == "v1/responses":
		return normalize.ProtocolResponses
	case path == "v1/messages":
		return normalize.ProtocolAnthropic
	}
	t.Fatalf("got path %q, want one of a protocol", path)
	return 0
}

// requestOf measures a body that is there whole.
func requestOf(protocol normalize.Protocol, task workload.Task, body []byte) workload.Request {
	return requestAs("", protocol, task, body)
}

// requestAs measures a body that is there whole and was sent with a Content-Type.
func requestAs(contentType string, protocol normalize.Protocol, task workload.Task, body []byte) workload.Request {
	if found, err := Scan(pieces(body), Options{Protocol: protocol}); err == nil {
		return found.Request(task)
	}
	return Media(task, contentType, pieces(body), int64(len(body)))
}

// pieces is a text in one piece, if it is not empty.
func pieces(text []byte) jsonscan.Pieces {
	if len(text) == 0 {
		return nil
	}
	return jsonscan.Pieces{text}
}

// batchIDOf returns the batch that a body polls.
func batchIDOf(body []byte) string {
	found, err := Scan(pieces(body), Options{})
	if err != nil {
		return ""
	}
	if !found.Polls() {
		return ""
	}
	return found.RequestID()
}

// scan scans a native body, or one of the route that names the model beside its parameters.
func scan(body []byte, nested bool) (JSON, error) {
	found, err := Scan(pieces(body), Options{Nested: nested})
	if err != nil {
		return JSON{}, err
	}
	return *found, nil
}

// chat is a small call.
const chat = `{"model":"@cf/meta/llama-3.1-8b-instruct-fp8","messages":[{"role":"user","content":"Hello"}]}`
