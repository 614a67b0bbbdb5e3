package price

import (
	"testing"

	"github.com/neuronward/neuronward/quota/workload"
)

func TestRoom(t *testing.T) {
	const free = 10_000 - templateTokens
	window := Row{Task: workload.TextGeneration, ContextWindow: 10_000}
	small := window
	small.SmallVocabulary = true
	for _, c := range []struct {
		name    string
		row     Row
		request workload.Request
		most    int64
		want    int64
	}{
		{"no window is known", Row{}, workload.Request{PromptBytes: 1e9}, 5000, 5000},
		{"a small prompt", window, workload.Request{PromptBytes: 1000, PromptTokens: 250}, 5000, 5000},
		{"exactly enough, a token a byte", window, workload.Request{PromptBytes: free - 5000}, 5000, 5000},
		{"a byte too many", window, workload.Request{PromptBytes: free - 4999}, 5000, 4999},
		{"enough by its tokens", window, workload.Request{PromptBytes: 20_000, PromptTokens: 4000}, 5000, 5000},
		{"a large prompt", window, workload.Request{PromptBytes: 20_000, PromptTokens: 6000}, 5000, free - 6900},
		{"too large", window, workload.Request{PromptBytes: 60_000, PromptTokens: 20_000}, 5000, free - 23_000},
		{"at most its bytes", window, workload.Request{PromptBytes: 6000, PromptTokens: 6000}, 5000, free - 6000},
		{"a small vocabulary", small, workload.Request{PromptBytes: 8000, PromptTokens: 10}, 5000, free - 8000},
		{"what upstream remembers", window, workload.Request{PromptBytes: 100, Unseen: 1}, 5000, 5000},
		{"a picture", window, workload.Request{PromptBytes: 100, Images: 1}, 9000, free - imageTokens - 100},
		{
			"a batch", window, workload.Request{Parts: []workload.Request{
				{PromptBytes: 100}, {PromptBytes: 7000}, {PromptBytes: 50_000, Calls: 100},
			}}, 5000, free - 7000,
		},
		{"a batch of small ones", window, workload.Request{Parts: []workload.Request{{PromptBytes: 100}}}, 5000, 5000},
	} {
		if got := c.row.Room(c.request, c.most); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
