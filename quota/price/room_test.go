package price

import (
	"testing"

	"github.com/neuronward/neuronward/quota"
)

func TestRoom(t *testing.T) {
	window := Row{Task: quota.TextGeneration, ContextWindow: 10_000}
	small := window
	small.SmallVocabulary = true
	for _, c := range []struct {
		name    string
		row     Row
		request quota.Request
		most    int64
		counted int64 // -1: nobody may count
		want    int64
	}{
		{"no window is known", Row{}, quota.Request{PromptBytes: 1e9}, 5000, -1, 5000},
		{"a small prompt", window, quota.Request{PromptBytes: 1000}, 5000, -1, 5000},
		{"exactly enough, a token a byte", window, quota.Request{PromptBytes: 4936}, 5000, -1, 5000},
		{"enough by its tokens", window, quota.Request{PromptBytes: 20_000}, 5000, 4000, 5000},
		{"a large prompt", window, quota.Request{PromptBytes: 20_000}, 5000, 6000, 10_000 - templateTokens - 6900},
		{"too large", window, quota.Request{PromptBytes: 60_000}, 5000, 20_000, 10_000 - templateTokens - 23_000},
		{"at most its bytes", window, quota.Request{PromptBytes: 6000}, 5000, 6000, 10_000 - templateTokens - 6000},
		{"a small vocabulary", small, quota.Request{PromptBytes: 8000}, 5000, 10, 10_000 - templateTokens - 8000},
		{"what upstream remembers", window, quota.Request{PromptBytes: 100, Unseen: 1}, 5000, -1, 5000},
		{
			"a picture", window,
			quota.Request{PromptBytes: 100, Images: 1},
			9000, 100,
			10_000 - templateTokens - imageTokens - 100,
		},
		{
			"a batch", window, quota.Request{Parts: []quota.Request{
				{PromptBytes: 100}, {PromptBytes: 7000}, {PromptBytes: 50_000, Calls: 100},
			}}, 5000, -1, 10_000 - templateTokens - 7000,
		},
		{"a batch of small ones", window, quota.Request{Parts: []quota.Request{{PromptBytes: 100}}}, 5000, -1, 5000},
	} {
		got := c.row.Room(c.request, c.most, func() int64 {
			if c.counted < 0 {
				t.Errorf("%s: got the tokens counted, want no need for them", c.name)
			}
			return c.counted
		})
		if got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
