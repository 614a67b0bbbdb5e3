package price_test

import (
	"testing"

	"github.com/neuronward/neuronward/quota/price"
	"github.com/neuronward/neuronward/quota/workload"
)

func TestSmallVocabulary(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]bool{
		"@cf/meta/llama-2-7b-chat-fp16":                true,
		"@cf/meta-llama/llama-2-7b-chat-hf-lora":       true,
		"@hf/thebloke/llama-2-13b-chat-awq":            true,
		"@cf/mistral/mistral-7b-instruct-v0.1":         true,
		"@hf/mistral/mistral-7b-instruct-v0.2":         true,
		"@cf/mistral/mistral-7b-instruct-v0.2-lora":    true,
		"@hf/nousresearch/hermes-2-pro-mistral-7b":     true,
		"@hf/thebloke/openhermes-2.5-mistral-7b-awq":   true,
		"@hf/thebloke/zephyr-7b-beta-awq":              true,
		"@hf/thebloke/neural-chat-7b-v3-1-awq":         true,
		"@hf/thebloke/llamaguard-7b-awq":               true,
		"@cf/tinyllama/tinyllama-1.1b-chat-v1.0":       true,
		"@cf/openchat/openchat-3.5-0106":               true,
		"@hf/nexusflow/starling-lm-7b-beta":            true,
		"@cf/thebloke/discolm-german-7b-v1-awq":        true,
		"@cf/defog/sqlcoder-7b-2":                      true,
		"@cf/llava-hf/llava-1.5-7b-hf":                 true,
		"@hf/thebloke/deepseek-coder-6.7b-base-awq":    true,
		"@cf/baai/bge-base-en-v1.5":                    true,
		"@hf/TheBloke/Mistral-7B-of-no-table":          true,
		"@cf/meta/llama-3.1-8b-instruct":               false,
		"@cf/meta/llama-guard-3-8b":                    false,
		"@cf/meta/llama-4-scout-17b-16e-instruct":      false,
		"@cf/mistralai/mistral-small-3.1-24b-instruct": false,
		"@cf/openai/gpt-oss-20b":                       false,
		"@cf/qwen/qwen3-30b-a3b-fp8":                   false,
		"@cf/deepseek-ai/deepseek-v4-flash-0731":       false,
		"@cf/google/gemma-3-12b-it":                    false,
		"@cf/baai/bge-m3":                              false,
	} {
		m := price.Embedded().Resolve(model)
		if m.SmallVocabulary != want {
			t.Errorf("%s: SmallVocabulary = %v, want %v", model, m.SmallVocabulary, want)
		}
		tokens := int64(100)
		if want {
			tokens = 300
		}
		if got := m.SentTokens(workload.Request{PromptBytes: 300, PromptTokens: 100}); got != tokens {
			t.Errorf("%s: SentTokens() of 300 bytes, counted as 100, = %d, want %d", model, got, tokens)
		}
	}
}
