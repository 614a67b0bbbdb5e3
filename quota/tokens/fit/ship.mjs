// Writes testdata/texts.gz: texts that may be shipped, with what each tokenizer counts.
import { execSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { measured } from './tokenizers.mjs';

const read = (file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const out = [];
const per = new Map();
// At most `most` of a kind, of those that the fit saw or of the others.
const take = (text, kind, most) => {
	const key = kind + text.held;
	per.set(key, (per.get(key) || 0) + 1);
	if (per.get(key) <= most) out.push({ kind, held: text.held, text: text.text, tokens: text.tokens, llama2: text.llama2 });
};
for (const t of read('made1.ndjson')) take(t, t.kind, 1);
const languages = new Set();
for (const t of read('natural.ndjson')) {
	if (['yaml', 'shell'].includes(t.kind)) take(t, t.kind, 4);
	if (t.kind === 'english') take(t, t.kind, t.held ? 12 : 2);
	if (t.kind.startsWith('udhr-') && !languages.has(t.kind) && t.text.length > 1000) { languages.add(t.kind); take(t, 'rights', t.held ? 60 : 12); }
}
const top = execSync('git rev-parse --show-toplevel').toString().trim();
for (const file of ['README.md', 'quota/ledger.go', 'proxy/proxy.go', 'quota/store.go']) {
	const text = readFileSync(`${top}/${file}`, 'utf8').slice(1000, 2600);
	take(measured('', true, text), file.endsWith('.go') ? 'go' : 'markdown', 9);
}
writeFileSync('../testdata/texts.gz', gzipSync(out.map((t) => JSON.stringify(t)).join('\n'), { level: 9 }));
console.log(out.length, 'texts', per.size, 'kinds and halves');
