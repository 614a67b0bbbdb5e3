// The table of weights, as ../weights.bin has it and as package tokens looks it up.
import { readFileSync, writeFileSync } from 'node:fs';
import { bytesOf, classes, fourSlot, fourSlots, pairSlot, pairSlots, places, runePlace } from './model.mjs';

export const unit = 160, quarter = 4;
export const pairKey = (before, rune) => before * 0x200000 + rune;
const numThree = 1 << 18, numRune = 0x10000 + 0x4000;

// A sequence of four classes is mixed by a multiplication modulo 1 << 24, which unmixed undoes.
const mixed = (four) => Math.imul(four, 0x9e3779b1) & 0xffffff;
const unmixed = (mixed) => Math.imul(mixed, 0x8b2f51) & 0xffffff;

// The file has the classes of ASCII, the weights of three classes, those of runes, and both hash tables. A slot for four
// classes has their weight and the lower byte of what they are mixed to, one for a pair its weight and its key.
export function write(file, { three, fours, runes, pairs }) {
	const fourTable = Buffer.alloc(2 * fourSlots), pairTable = Buffer.alloc(8 * pairSlots);
	// No slot for four classes is empty: one that nothing has a place in has a sequence and what its end weighs alone.
	for (let slot = 0; slot < fourSlots; slot++) fourTable[2 * slot] = three[unmixed(slot << 8) & (numThree - 1)];
	for (const [four, weight] of fours) fourTable.writeUInt16LE((mixed(four) & 0xff) << 8 | weight, 2 * fourSlot(four));
	for (const [key, weight] of pairs) {
		const slot = pairSlot(Math.floor(key / 0x200000), key % 0x200000);
		pairTable.writeBigUInt64LE(BigInt(key) << 8n | BigInt(weight), 8 * slot);
	}
	writeFileSync(file, Buffer.concat([classes, three, runes, fourTable, pairTable]));
}

export function read(file) {
	let raw = readFileSync(file).subarray(128);
	const take = (n) => { const part = Buffer.from(raw.subarray(0, n)); raw = raw.subarray(n); return part; };
	const three = take(numThree), runes = take(numRune), fourTable = take(2 * fourSlots), pairTable = take(8 * pairSlots);
	const fours = new Map(), pairs = new Map();
	for (let slot = 0; slot < fourSlots; slot++) {
		const weight = fourTable[2 * slot], low = fourTable[2 * slot + 1], four = unmixed(slot << 8 | low);
		if (low !== 0 || weight !== three[four & (numThree - 1)]) fours.set(four, weight);
	}
	for (let slot = 0; slot < pairSlots; slot++) {
		const entry = pairTable.readBigUInt64LE(8 * slot);
		if (entry !== 0n) pairs.set(Number(entry >> 8n), Number(entry & 0xffn));
	}
	return { three, runes, fours, pairs };
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
