package measure

import (
	"testing"

	"github.com/neuronward/neuronward/quota/workload"
)

// What upstream fetches or remembers is found in each form of each protocol; what only looks like it is not.
func TestWhatUpstreamFetchesOrRemembers(t *testing.T) {
	const chatPath, responses, messages, run = "v1/chat/completions", "v1/responses", "v1/messages", "run/@cf/a/b"
	for _, c := range []struct {
		name, path, body string
		want             int64
	}{
		{"chat: file_id", chatPath, `{"messages":[{"content":[{"type":"file","file":{"file_id":"f"}}]}]}`, 1},
		{"chat: file_url", chatPath, `{"messages":[{"content":[{"type":"file","file":{"file_url":"u"}}]}]}`, 1},
		{"chat: video_url", chatPath, `{"messages":[{"content":[{"type":"video_url","video_url":{"url":"u"}}]}]}`, 1},
		{"chat: video_url, a text", chatPath, `{"messages":[{"content":[{"video_url":"u"}]}]}`, 1},
		{"chat: escaped", chatPath, `{"messages":[{"content":[{"\u0066ile":{"file\u005fid":"f"}}]}]}`, 1},
		{"chat: one part", chatPath, `{"messages":[{"content":{"type":"file","file":{"file_id":"f"}}}]}`, 1},
		{"chat: two files", chatPath, `{"messages":[{"content":[{"file_id":"f"}]},{"content":[{"file_id":"g"}]}]}`, 2},
		{"chat: previous_response_id", chatPath, `{"previous_response_id":"r","messages":[]}`, 1},

		{"responses: previous_response_id", responses, `{"input":"x","previous_response_id":"r"}`, 1},
		{"responses: conversation", responses, `{"input":"x","conversation":"c"}`, 1},
		{"responses: conversation, an object", responses, `{"input":"x","conversation":{"id":"c"}}`, 1},
		{"responses: a stored prompt", responses, `{"prompt":{"id":"p"}}`, 1},
		{"responses: file_id", responses, `{"input":[{"content":[{"type":"input_file","file_id":"f"}]}]}`, 1},
		{"responses: file_url", responses, `{"input":[{"content":[{"type":"input_file","file_url":"u"}]}]}`, 1},
		{"responses: video_url", responses, `{"input":[{"content":[{"video_url":"u"}]}]}`, 1},
		{
			"responses: a picture by its id", responses,
			`{"input":[{"content":[{"type":"input_image","file_id":"f"}]}]}`, 1,
		},
		{"responses: an item that is a file", responses, `{"input":[{"type":"input_file","file_id":"f"}]}`, 1},
		{"responses: an item of before", responses, `{"input":[{"type":"item_reference","id":"i"}]}`, 1},
		{"responses: escaped", responses, `{"input":[{"type":"item\u005freference","id":"i"}]}`, 1},
		{
			"responses: what a function gave", responses,
			`{"input":[{"output":[{"type":"input_file","file_id":"f"}]}]}`, 1,
		},

		{
			"anthropic: a document by its URL", messages,
			`{"messages":[{"content":[{"type":"document","source":{"type":"url","url":"u"}}]}]}`, 1,
		},
		{
			"anthropic: the source before the type", messages,
			`{"messages":[{"content":[{"source":{"type":"url","url":"u"},"type":"document"}]}]}`, 1,
		},
		{
			"anthropic: a document by its file", messages,
			`{"messages":[{"content":[{"type":"document","source":{"type":"file","file_id":"f"}}]}]}`, 1,
		},
		{
			"anthropic: a picture by its file", messages,
			`{"messages":[{"content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}`, 1,
		},
		{
			"anthropic: in a tool's result", messages,
			`{"messages":[{"content":[{"type":"tool_result","content":[{"type":"document","source":{"url":"u"}}]}]}]}`,
			1,
		},
		{
			"anthropic: in a document of parts", messages,
			`{"messages":[{"content":[{"source":{"type":"content","content":[{"source":{"file_id":"f"}}]}}]}]}`, 1,
		},
		{"anthropic: in the system prompt", messages, `{"system":[{"file_id":"f"}]}`, 1},
		{"anthropic: a file for a container", messages, `{"messages":[{"content":[{"file_id":"f"}]}]}`, 1},

		{"native: file_id", run, `{"messages":[{"content":[{"file":{"file_id":"f"}}]}]}`, 1},
		{"native: file_url", run, `{"prompt":"x","file_url":"u"}`, 1},
		{"native: video_url", run, `{"prompt":"x","video_url":"u"}`, 1},
		{"native: a file", run, `{"prompt":"x","file":{"file_id":"f"}}`, 1},
		{"native: previous_response_id", run, `{"input":"x","previous_response_id":"r"}`, 1},
		{"native: conversation", run, `{"input":[],"conversation":"c"}`, 1},
		{"native: in input", "run", `{"model":"m","input":{"prompt":"x","previous_response_id":"r"}}`, 1},
		{"native: messages in input", "run", `{"model":"m","input":{"messages":[{"content":[{"file_id":"f"}]}]}}`, 1},
		{"native: a state", run, `{"state":{"content":[{"type":"video_url","video_url":{"url":"u"}}]}}`, 1},

		{"null", responses, `{"input":"x","previous_response_id":null,"conversation":null}`, 0},
		{"empty", responses, `{"input":"x","previous_response_id":"","conversation":{}}`, 0},
		{"a picture by its URL", messages, `{"messages":[{"content":[{"type":"image","source":{"url":"u"}}]}]}`, 0},
		{
			"what a tool was called with", messages,
			`{"messages":[{"content":[{"type":"tool_use","input":{"file_id":"f","video_url":"u"}}]}]}`, 0,
		},
		{"a tool's parameters", chatPath, `{"tools":[{"function":{"parameters":{"file_id":{}}}}],"messages":[]}`, 0},
		{"a text", chatPath, `{"messages":[{"content":"file_id"},{"content":[{"type":"text","text":"file_id"}]}]}`, 0},
		{"metadata", responses, `{"input":"x","metadata":{"conversation":"c"}}`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := requestOf(protocolOf(t, c.path), workload.TextGeneration, []byte(c.body))
			if got.Unseen != c.want {
				t.Errorf("got %d, want %d of %s", got.Unseen, c.want, c.body)
			}
		})
	}
}
