// What is counted of a text: how often each kind of place occurs in it. count.go looks up the same places.

// Classes of an ASCII byte. 0 stands for nothing before, 1 for controls, and, before another byte, for all beyond ASCII.
export const classes = new Uint8Array(128).fill(1);
let next = 2;
const give = (...groups) => groups.forEach((group) => { for (const c of group) classes[c.charCodeAt(0)] = next; next++; });
give(...'abcdefghijklmnopqrstuvwxyz', 'AEIOUY', 'STRNLDCMP', 'BFGHKVW', 'JQXZ', '0123456789', ' ', '\n\r', '\t', '^`~', '!?', '$%@', ...'"#&\'()*+,-./:;<=>[\\]_{|}');

// Kinds of class: 0 start, 1 control, 2 lower, 3 upper, 4 digit, 5 blank, 6 newline, 7 tab, 8 sign
export const kindOf = (c) => (c < 2 ? c : c < 28 ? 2 : c < 32 ? 3 : c < 33 ? 4 : c < 36 ? c - 28 : 8);

export const bytesOf = (rune) => (rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4);

// Where a rune's weight stands: one for each of the Basic Multilingual Plane, one for 64 beyond it.
export const runePlace = (rune) => (rune < 0x10000 ? rune : 0x10000 + ((rune - 0x10000) >> 6));

const scripts = [[0x100, 'latin'], [0x250, 'latin+'], [0x300, 'phonetic'], [0x370, 'marks'], [0x400, 'greek'], [0x460, 'cyrillic'], [0x530, 'cyrillic+'], [0x590, 'armenian'], [0x600, 'hebrew'], [0x670, 'arabic'],
	[0x700, 'arabic+'], [0x900, 'syriac'], [0x980, 'devanagari'], [0xe00, 'indic'], [0xe80, 'thai'], [0xf00, 'lao'], [0x1000, 'tibetan'], [0x10a0, 'burmese'], [0x1100, 'georgian'], [0x1200, 'jamo'], [0x1400, 'ethiopic'], [0x1780, 'canadian'],
	[0x1800, 'khmer'], [0x1e00, 'minor'], [0x1f00, 'vietnamese'], [0x2000, 'greek+'], [0x2070, 'punctuation'], [0x2e80, 'symbols'], [0x3000, 'radicals'], [0x3040, 'cjk signs'], [0x3100, 'kana'], [0x3400, 'cjk other'],
	[0x4e00, 'han a'], [0xa000, 'han'], [0xac00, 'yi'], [0xd7b0, 'hangul'], [0xf900, 'private'], [0xff00, 'forms'], [0x10000, 'wide'], [0x1d000, 'old'], [0x1f000, 'math'], [0x20000, 'emoji'], [0x110000, 'far']];
export const script = (rune) => scripts.find(([end]) => rune < end)[1];

// Calls ascii(classes of it and the three before) for each ASCII byte and other(rune before, rune) for each rune beyond.
export function places(text, ascii, other) {
	let index = 0;
	let before = 0;
	for (const c of text) {
		const rune = c.codePointAt(0);
		if (rune < 128) {
			index = ((index << 6) | classes[rune]) & 0xffffff;
			ascii(index);
		} else {
			other(before, rune);
			index = ((index << 6) | 1) & 0xffffff;
		}
		before = rune;
	}
}

export const pairSlots = 1 << 15;
export const pairSlot = (before, rune) => Math.imul((Math.imul(before, 0x9e3779b1) ^ rune) >>> 0, 0x85ebca6b) >>> 17;

export const fourSlots = 1 << 16;
export const fourSlot = (four) => (Math.imul(four, 0x9e3779b1) & 0xffffff) >>> 8;
