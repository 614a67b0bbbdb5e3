package measure

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/normalize"
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
	t.Fatalf("no protocol for %q", path)
	return 0
}
