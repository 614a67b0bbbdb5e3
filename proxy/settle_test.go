package proxy

import (
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/price"
)

// A stream that is cut off before anybody said what its prompt came to is
// settled by what was sent.
func TestPromptOfABrokenStream(t *testing.T) {
	const llama, vision = testModel, "@cf/meta/llama-3.2-11b-vision-instruct"
	content := func(text string) string { return `[{"role":"user","content":` + text + `}]` }
	cjk := strings.Repeat("神经元", 500) // 4,500 bytes
	for _, c := range []struct {
		name, model, messages string
		least, most           int64 // input tokens
	}{
		{"plain text", llama, content(`"` + strings.Repeat("some words ", 300) + `"`), 600, 900},
		{"another script", llama, content(`"` + cjk + `"`), 1500, 3000},
		{
			"another script in escapes", llama,
			content(`"` + strings.Repeat(`\u795e\u7ecf\u5143`, 500) + `"`), 1500, 3000,
		},
		{"a picture", vision, content(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
			mediatest.Base64Of(30_000) + `"}}]`), 6404, 6504},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				g := newGuarded(t, quota.Options{Limit: 100_000 * neuron}, workersai.Options{})
				g.post(chatPath, `{"model":"`+c.model+`","max_tokens":5000,"stream":true,"messages":`+c.messages+`}`,
					"X-Simulate", "midstream=3040; after=1")
				used := g.close().Account.Used
				model := price.Embedded().Resolve(c.model)
				if low, high := model.Tokens(c.least, 0, 0), model.Tokens(c.most, 0, 20); used < low || used > high {
					t.Errorf("used %v, want %v to %v\n%s", used, low, high, g.log)
				}
			})
		})
	}
}
