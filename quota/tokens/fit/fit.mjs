// Fits the weights to what texts.mjs has made, and writes ../weights.bin.
import { readFileSync } from 'node:fs';
import loadHighs from 'highs';
import { bytesOf, kindOf, places, runePlace, script } from './model.mjs';
import { placeFours, placePairs, unit, write } from './table.mjs';

const read = (file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const natural = read('natural.ndjson').filter((t) => t.starts);
const training = natural.filter((t) => !t.held);
const made = [...read('made1.ndjson').filter((t) => !t.held), ...read('made2.ndjson'), ...read('runs.ndjson')];
const solo = readFileSync('solo.bin');

// 1. What real tokenizers make of each triple of ASCII classes and of each rune after another: tokens begun, of the worst one.
const seen = { four: new Map(), three: new Map(), two: new Map(), pair: new Map(), rune: new Map() };
const add = (map, key, tokens) => { const e = map.get(key) || map.set(key, [0, 0]).get(key); e[0]++; e[1] += tokens; };
for (const { text, starts } of training) {
	const begun = new Uint8Array(Buffer.byteLength(text) + 1);
	let at = 0;
	for (const length of starts) { begun[at] = 1; at += length; }
	at = 0;
	places(text, (index) => {
		add(seen.four, index, begun[at]);
		add(seen.three, index & 0x3ffff, begun[at]);
		add(seen.two, index & 0xfff, begun[at++]);
	}, (before, rune) => {
		let tokens = 0;
		for (let i = bytesOf(rune); i > 0; i--) tokens += begun[at++];
		add(seen.rune, rune, tokens);
		add(seen.pair, before * 0x200000 + rune, tokens);
	});
}
const smooth = (e, prior) => (e[1] + 2 * prior) / (e[0] + 2);

// 2. Buckets: places that cost about the same share a weight.
const names = [];
const bounds = [];
const ids = new Map();
const bucket = (name, most) => {
	let id = ids.get(name);
	if (id === undefined) { id = names.length; ids.set(name, id); names.push(name); bounds.push(most); }
	return id;
};
const steps = [0.006, 0.012, 0.02, 0.035, 0.06, 0.1, 0.15, 0.21, 0.28, 0.36, 0.45, 0.55, 0.66, 0.78, 0.9];
const level = (v) => { let i = 0; while (i < steps.length && v > steps[i]) i++; return i; };
const minFour = 8, minThree = 25, minPair = 5;
const often = (n) => 'abcdefgh'[[3000, 1500, 800, 400, 200, 80, 30].filter((most) => n < most).length];
const role = (index) => {
	const last = kindOf(index & 63), before = kindOf((index >> 6) & 63);
	if (last === 2) return before === 2 ? 'w' : before === 8 ? 'x' : before === 3 ? 'y' : 'v';
	return last === 3 ? 'u' : last !== 8 ? 'b' : before === 2 ? 's' : before === 8 ? 't' : 'z';
};
function ascii(index) {
	const four = seen.four.get(index), three = seen.three.get(index & 0x3ffff);
	if (four && four[0] >= minFour && (index >> 12) !== (index & 0xfff) && (index & 63) !== 32 && (index & 63) > 1 && index >= 1 << 18) {
		const v = smooth(four, smooth(three, 0.5)), l = level(v);
		if (v < smooth(three, 0.5) + 0.02) {
						return bucket('q' + often(four[0]) + role(index) + l, 1.5);
		}
	}
	return asciiThree(index & 0x3ffff);
}
function asciiThree(index) {
	const two = seen.two.get(index & 0xfff);
	const three = seen.three.get(index);
	const prior = two ? smooth(two, 0.8) : 0.9;
	const last = index & 63, before = (index >> 6) & 63;
	if (last === before && before === index >> 12) return bucket('run' + last, 1.5);
	if (last === index >> 12 && index >> 12 > 1) return bucket(`alternate${kindOf(before)}${kindOf(last)}`, 1.5);
	if (three && three[0] >= minThree) {
		const often = three[0] >= 2000 ? 'o' : three[0] >= 250 ? 'c' : 'r';
		return bucket('a' + often + role(index) + level(smooth(three, prior)), 1.5);
	}
	const letters = kindOf(last) === 2 && kindOf(before) === 2;
	return bucket(`f${kindOf(before)}${kindOf(last)}` + (letters ? (three ? 's' : 'n') + Math.min(3, Math.floor(prior * 5)) : before === last ? '=' : ''), 1.55);
}
const big = (rune) => (rune < 0x300 ? 'l' : rune < 0x800 ? 'a' : rune < 0x2000 ? 'i' : rune >= 0x4e00 && rune < 0xa000 ? 'h' : rune >= 0x3040 && rune < 0xd7b0 ? 'k' : 's');
function other(before, rune) {
	const pair = seen.pair.get(before * 0x200000 + rune);
	if (pair && pair[0] >= minPair) return bucket('p' + big(rune) + level(smooth(pair, smooth(seen.rune.get(rune), 1)) * 1.8 / bytesOf(rune)), 1.4 * bytesOf(rune));
	return single(rune);
}
function single(rune) {
	const count = seen.rune.get(rune);
	const most = Math.min(solo[runePlace(rune)], bytesOf(rune));
	return bucket(`r${script(rune)}:${most}${count && count[0] >= 8 ? 'v' + level(smooth(count, 1) * 1.8 / bytesOf(rune)) : ''}`, 1.4 * bytesOf(rune));
}

// 3. The least weights with which no text is counted below the worst tokenizer. Prose and code matter most.
const margin = 1.02, madeMargin = 1.035;
const prose = /^(english|go|markdown|javascript|typescript|json|html|yaml|shell|python|c|words|ts-|udhr-(eng|deu|fra|spa|por|ita|rus|cmn|jpn|kor|nld|pol|tur|vie|ukr|ces|swe|arb|hin|tha))/;
const under = new Set(); // a known sequence weighs no more than its end alone
const texts = [...training.filter((t, i) => prose.test(t.kind) ? i % 2 === 0 : true), ...made];
const rows = texts.map(({ text, max, kind }) => {
	const row = new Map();
	const up = (id) => row.set(id, (row.get(id) || 0) + 1);
	places(text, (index) => {
		const id = ascii(index);
		up(id);
		if (names[id][0] === 'q') under.add(id * 4096 + asciiThree(index & 0x3ffff));
	}, (before, rune) => {
		const id = other(before, rune);
		up(id);
		if (names[id][0] === 'p') under.add(id * 4096 + single(rune));
	});
	return { row, max, kind, bytes: Buffer.byteLength(text) };
});
const cost = new Float64Array(names.length);
const perKind = {};
for (const { kind } of rows) perKind[kind] = (perKind[kind] || 0) + 1;
for (const { row, max, kind } of rows) {
	const weight = (kind === 'english' ? 90 : prose.test(kind) ? 12 : kind.startsWith('udhr') ? 0.7 : 1) / perKind[kind] / max;
	for (const [id, n] of row) cost[id] += n * weight;
}
const term = (n, id) => `+ ${+n.toFixed(7)} w${id}`;
const cap = ({ kind, max, bytes }) => Math.min(max * (kind === 'chain3' ? 0.955 : prose.test(kind) ? margin : madeMargin), bytes * 1.01);
const least = (name) => { const m = /^[aq]\w\w(\d+)$/.exec(name); return m ? [0.003, ...steps][m[1]] * 0.8 : /^(run|alt)/.test(name) ? 0.05 : name[0] === 'f' ? 0.25 : name[0] === 'p' ? 0.03 : /^r(old|far|math|emoji):\d$/.test(name) ? +name.slice(-1) : 0.3; };
let problem = 'Minimize\n obj: ' + names.map((_, id) => term(Math.max(cost[id], 1e-6), id)).join('\n ') + '\nSubject To\n';
rows.forEach((r, i) => { problem += ` t${i}: ${[...r.row].map(([id, n]) => term(n, id)).join('\n ')} >= ${cap(r).toFixed(4)}\n`; });
// A dearer level never weighs less.
for (const [name, id] of ids) {
	const m = /^([aq]\w\w|p\w)(\d+)$/.exec(name);
	const below = m && ids.get(m[1] + (m[2] - 1));
	if (below !== undefined && below !== null) problem += ` m${id}: w${id} - w${below} >= 0\n`;
}
for (const pair of under) problem += ` u${pair}: w${pair % 4096} - w${Math.floor(pair / 4096)} >= 0\n`;
problem += 'Bounds\n' + names.map((name, id) => ` ${least(names[id])} <= w${id} <= ${bounds[id]}`).join('\n') + '\nEnd\n';
const highs = await loadHighs({});
const solution = highs.solve(problem, { solver: 'ipm', run_crossover: 'off', time_limit: 200 });
console.log(solution.Status, rows.length, 'texts', names.length, 'buckets');
const weights = names.map((_, id) => Math.min(bounds[id], Math.max(least(names[id]), solution.Columns['w' + id].Primal)));
// 4. The table. A bucket that no text has weighs as much as it may.
const of = (id) => (id < weights.length ? weights[id] : bounds[id]);
const three = new Uint8Array(1 << 18);
for (let index = 0; index < three.length; index++) three[index] = Math.ceil(of(asciiThree(index)) * unit - 0.3);
for (let index = 0; index < three.length; index++) {
	const c1 = (index >> 6) & 63, c2 = index >> 12;
	if (c2 > 0 && c1 > 0) { const s = index & 0xfff, z = index & 63; if (three[s] < three[index]) three[s] = three[index]; if (three[z] < three[index]) three[z] = three[index]; }
}
for (let c = 0; c < 64; c++) for (let c2 = 1; c2 < 64; c2++) three[(c2 << 12) | c] = three[c]; // cannot occur
const runes = new Uint8Array(0x10000 + 0x4000);
for (let i = 0; i < runes.length; i++) {
	const rune = i < 0x10000 ? i : 0x10000 + (i - 0x10000) * 64;
	runes[i] = rune < 0x80 ? 0 : rune > 0x10ffff ? 160 : Math.ceil(of(single(rune)) * 40 - 0.1);
}
for (const rune of seen.rune.keys()) if (rune > 0xffff) runes[runePlace(rune)] = Math.max(runes[runePlace(rune)], Math.ceil(of(single(rune)) * 40 - 0.1));
// No character by itself weighs less than what it has alone, whatever texts say: nobody knows all that it may stand after.
for (let i = 0x80; i < runes.length; i++) runes[i] = Math.min(255, Math.max(runes[i], 40 * solo[i]));
const pairs = [];
for (const [key, [n]] of seen.pair) {
	if (n < minPair) continue;
	const before = Math.floor(key / 0x200000), rune = key % 0x200000;
	const w = Math.max(8, Math.ceil(of(other(before, rune)) * 40 - 0.1)); // a fifth of a token at least
	pairs.push([key, w, (runes[runePlace(rune)] - w) * n]);
}
const fours = [];
for (const [index, [n]] of seen.four) {
	const id = ascii(index);
	if (names[id][0] !== 'q') continue;
	const w = Math.ceil(of(id) * unit - 0.3);
	fours.push([index, w, (three[index & 0x3ffff] - w) * n]);
}
const table = { three, runes, fours: placeFours(fours), pairs: placePairs(pairs) };
console.log('fours kept', table.fours.size, 'of', fours.length, 'pairs kept', table.pairs.size, 'of', pairs.length);
write('../weights.bin', table);
