package price

import (
	"slices"
	"strings"
)

// smallVocabularies are parts of the names of models whose tokenizers know some 32,000 tokens. What package tokens
// counts was measured with vocabularies of 100,000 tokens and more; these need up to 1.8 times as many tokens, for
// Korean, and 1.2 times for some English. The catalog says nothing of a vocabulary, and a model may be called that no
// table has, so that the name decides.
var smallVocabularies = []string{
	"llama-2-", "codellama", "tinyllama", "llamaguard-7b", "llava-1.5", "vicuna", "sqlcoder-7b", // Llama 2: 32,000
	"mistral-7b", "hermes-2-pro-mistral", "openhermes", "zephyr-7b", "neural-chat-7b", "openchat-3.5", "starling-lm-7b",
	"una-cybertron-7b", "discolm-german-7b", // Mistral 7B: 32,000, 32,768 since v0.3
	"deepseek-coder-6.7b",    // 32,256
	"indictrans2",            // 32,000 for English
	"-en-v1.5", "distilbert", // BERT: 30,522
}

func smallVocabulary(model string) bool {
	model = strings.ToLower(model)
	return slices.ContainsFunc(smallVocabularies, func(part string) bool { return strings.Contains(model, part) })
}
