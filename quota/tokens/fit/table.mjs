// The table of weights, as ../weights.gz has it and as package tokens looks it up.
import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { bytesOf, classes, fourSlot, fourSlots, pairSlot, pairSlots, places, runePlace } from './model.mjs';

export const unit = 160, quarter = 4;
export const pairKey = (before, rune) => before * 0x200000 + rune;
const numThree = 1 << 18, numRune = 0x10000 + 0x4000, fourBytes = 3, pairBytes = 6;

// A list is its length, then each byte of its sorted keys, the upper ones first, then its weights.
function list(weights, bytes) {
	const keys = [...weights.keys()].sort((a, b) => a - b);
	const out = Buffer.alloc(4 + keys.length * (bytes + 1));
	out.writeUInt32LE(keys.length);
	for (let b = 0; b < bytes; b++) keys.forEach((key, i) => { out[4 + b * keys.length + i] = Math.floor(key / 256 ** (bytes - 1 - b)) & 0xff; });
	keys.forEach((key, i) => { out[4 + bytes * keys.length + i] = weights.get(key); });
	return out;
}

export function write(file, { three, fours, runes, pairs }) {
	writeFileSync(file, gzipSync(Buffer.concat([classes, three, runes, list(fours, fourBytes), list(pairs, pairBytes)]), { level: 9 }));
}

export function read(file) {
	let raw = gunzipSync(readFileSync(file)).subarray(128);
	const take = (n) => { const part = Buffer.from(raw.subarray(0, n)); raw = raw.subarray(n); return part; };
	const map = (bytes) => {
		const n = take(4).readUInt32LE();
		const columns = Array.from({ length: bytes + 1 }, () => take(n)), weights = new Map();
		for (let i = 0; i < n; i++) weights.set(columns.slice(0, bytes).reduce((key, c) => key * 256 + c[i], 0), columns[bytes][i]);
		return weights;
	};
	return { three: take(numThree), runes: take(numRune), fours: map(fourBytes), pairs: map(pairBytes) };
}

// At most one sequence has a slot: the one that saves most. all: [key, weight, what it saves].
export function place(all, slotOf, slots) {
	const best = new Array(slots);
	for (const entry of all) {
		const slot = slotOf(entry[0]);
		if (entry[2] > 0 && !(best[slot] && best[slot][2] >= entry[2])) best[slot] = entry;
	}
	return new Map(best.filter(Boolean));
}
export const placeFours = (all) => place(all, fourSlot, fourSlots);
export const placePairs = (all) => place(all, (key) => pairSlot(Math.floor(key / 0x200000), key % 0x200000), pairSlots);

// What a text counts, not rounded.
export function weigh(t, text) {
	let weight = 0;
	places(text, (index) => { weight += t.fours.get(index) ?? t.three[index & 0x3ffff]; },
		(before, rune) => { weight += quarter * (t.pairs.get(pairKey(before, rune)) ?? t.runes[runePlace(rune)]); });
	return weight / unit;
}
export const estimate = (t, text) => Math.min(Math.ceil(weigh(t, text) - 1e-9), Buffer.byteLength(text));

// Calls f with each place of a text: what the table has there, how many units of weight one of it is, and the most that
// it may be.
export function visit(t, text, f) {
	const map = (name, weights, key, scale, most) => f({ id: name + key, scale, most, get: () => weights.get(key), set: (w) => weights.set(key, w) });
	const array = (name, weights, key, scale, most) => f({ id: name + key, scale, most, get: () => weights[key], set: (w) => { weights[key] = w; } });
	places(text, (index) => (t.fours.has(index) ? map('four', t.fours, index, 1, unit) : array('three', t.three, index & 0x3ffff, 1, unit)), (before, rune) => {
		const key = pairKey(before, rune), most = Math.min(255, bytesOf(rune) * unit / quarter);
		if (t.pairs.has(key)) map('pair', t.pairs, key, quarter, most); else array('rune', t.runes, runePlace(rune), quarter, most);
	});
}
