// Looks for texts with more tokens than their estimate by climbing: from cheap walks over what the table knows, by changes
// of them that are cheaper: node climb.mjs ascii|beyond|all SECONDS SEED [FOUND]. With FOUND, a file of lines, it appends
// what it finds beyond 1.03 and raises the weights in memory, so that what it finds next is another text.
import { appendFileSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { random } from './kinds.mjs';
import { estimate, pairKey, quarter, read, unit, visit, weigh } from './table.mjs';
import { counts } from './tokenizers.mjs';

const [what, seconds, seed, found] = process.argv.slice(2);
const t = read('../weights.bin'), r = random(+seed);

// How often real text has each place, and four characters of ASCII that follow each other in it.
const often = new Map();
const grams = new Set();
for (const line of gunzipSync(readFileSync('../testdata/texts.gz')).toString().split('\n')) {
	const { kind, text } = JSON.parse(line);
	if (!/^(english|rights|go|markdown|yaml|shell|wordList|jsonIndented)$/.test(kind)) continue;
	visit(t, text, (p) => often.set(p.id, (often.get(p.id) || 0) + 1));
	for (let i = 0; i + 4 <= text.length; i++) { const g = text.slice(i, i + 4); if (/^[\x20-\x7e\n\t]{4}$/.test(g)) grams.add(g); }
}
const known = [...grams];
const after = new Map();
for (const g of known) { const k = g.slice(0, 3); (after.get(k) ?? after.set(k, []).get(k)).push(g[3]); }
const next = new Map();
for (const [key, w] of t.pairs) { const b = Math.floor(key / 0x200000); (next.get(b) ?? next.set(b, []).get(b)).push([key % 0x200000, w]); }
const starts = [...next.keys()];

// Raises weights, those first that real text has least, until the text counts its tokens.
function repair(text, real) {
	let missing = Math.round((real - weigh(t, text)) * unit);
	const uses = new Map();
	visit(t, text, (p) => { if (uses.has(p.id)) uses.get(p.id).n++; else uses.set(p.id, { ...p, n: 1 }); });
	const price = (p) => ((often.get(p.id) || 0) + 0.5) / p.n / p.scale;
	for (const p of [...uses.values()].sort((a, b) => price(a) - price(b))) {
		if (missing <= 0) return;
		const up = Math.min(Math.ceil(missing / p.n / p.scale), Math.max(0, p.most - p.get()));
		p.set(p.get() + up);
		missing -= up * p.n * p.scale;
	}
}
const size = 64;
let asked = 0;
const worst = [];
const ask = (text) => { asked++; const real = Math.max(...Object.values(counts(text))); return { text, real, ratio: real / Math.max(1, estimate(t, text)) }; };
function report(s) {
	const ratio = s.real / Math.max(1, estimate(t, s.text));
	worst.push([ratio, s.text]);
	if (ratio <= 1.03 || !found) return;
	appendFileSync(found, JSON.stringify({ text: s.text, max: s.real }) + '\n');
	repair(s.text, s.real);
}
const grow = (u) => { const out = []; while (out.length < size) out.push(...u); return out.slice(0, size); };
const signs = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const plain = 'abcdefghijklmnopqrstuvwxyz   \n0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ' + signs;
function walkAscii(n) {
	let u = [...r.of(known)];
	while (u.length < n) {
		const o = after.get(u.slice(-3).join(''));
		if (o && r() < 0.93) u.push(r.of(o)); else if (r() < 0.5) u.push(...r.of(known)); else u.push(r.of([...plain]));
	}
	return u.slice(0, n);
}
const ranges = [[0xa1, 0x24f], [0x250, 0x36f], [0x370, 0x52f], [0x530, 0x5ff], [0x600, 0x6ff], [0x900, 0x97f], [0x980, 0xdff], [0xe00, 0xe7f], [0xe80, 0x109f], [0x10a0, 0x1dff], [0x1e00, 0x1eff], [0x2000, 0x206f], [0x2070, 0x2e7f], [0x3000, 0x30ff], [0x3400, 0x9fff], [0xac00, 0xd7a3], [0xff00, 0xffef], [0x1f300, 0x1faff]];
function walkBeyond(n) {
	let at = r.of(starts);
	const u = at ? [String.fromCodePoint(at)] : [];
	while (u.length < n) {
		const o = next.get(at);
		if (o && r() < 0.93) { const a = r.of(o), b = r.of(o); at = a[1] < b[1] ? a[0] : b[0]; }
		else if (r() < 0.6) { at = r.of(starts) || 32; }
		else if (r() < 0.5) { const [a, b] = r.of(ranges); at = a + r.int(b - a + 1); } else at = r.of([32, 10, 97 + r.int(26), 46, 49]);
		u.push(String.fromCodePoint(at));
	}
	return u.slice(0, n);
}
const walks = { ascii: walkAscii, beyond: walkBeyond, all: (n) => (r() < 0.4 ? walkAscii(n) : r() < 0.7 ? walkBeyond(n) : [...walkAscii(n >> 1), ...walkBeyond(n - (n >> 1))]) };
const walk = walks[what];
const price = (u) => { const text = grow(u).join(''); return weigh(t, text) / (what === 'ascii' ? size : Math.sqrt(Buffer.byteLength(text) * size)); };
const end = Date.now() + seconds * 1000;
const going = () => Date.now() < end;

for (; going();) {
	const n = r.of([2, 3, 3, 4, 5, 6, 7, 8, 10, 12, size, size]);
	const pool = Array.from({ length: 300 }, () => { const u = walk(n); return [price(u), u]; }).sort((a, b) => a[0] - b[0]).slice(0, 25);
	const tried = pool.map(([, u]) => ({ u, ...ask(grow(u).join('')) })).sort((a, b) => b.ratio - a.ratio);
	for (const first of tried.slice(0, 2)) {
		let top = first;
		for (let step = 0, bad = 0; bad < 14 && step < 60 && going(); step++) {
			const tries = Array.from({ length: 8 }, () => {
				const u = [...top.u];
				for (let k = 1 + r.int(2); k > 0; k--) {
					const at = r.int(u.length);
					if (r() < 0.4) u[at] = walk(2)[1]; else { const s = r() < 0.5 ? walk(2 + r.int(4)) : top.u.slice(r.int(u.length)).slice(0, 2 + r.int(6)); s.forEach((c, i) => { u[(at + i) % u.length] = c; }); }
				}
				return [price(u), u];
			}).sort((a, b) => a[0] - b[0]);
			const u = tries[0][1], s = { u, ...ask(grow(u).join('')) };
			if (s.ratio > top.ratio) { top = s; bad = 0; } else bad++;
		}
		report(top);
	}
	if (found) tried.forEach(report);
}
worst.sort((a, b) => b[0] - a[0]);
console.log(`${asked} texts asked about, ${worst.length} tops: the worst has ${worst[0][0].toFixed(2)} times its estimate, the median ${worst[worst.length >> 1][0].toFixed(2)}`);
for (const [ratio, text] of worst.slice(0, 8)) console.log(' ', ratio.toFixed(3), JSON.stringify(text).slice(0, 100));
