// Made texts: kind → a function of a random source. Each text is some 500 characters.
import { words } from 'popular-english-words';

const english = words.getMostPopular(8000).filter((w) => /^[a-z]{2,}$/.test(w));
const lower = 'abcdefghijklmnopqrstuvwxyz';
const upper = lower.toUpperCase();
const digits = '0123456789';
const signs = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const base64 = upper + lower + digits + '+/';

export function random(seed) {
	let a = seed >>> 0;
	const r = () => {
		a = (a + 0x6d2b79f5) | 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	r.int = (n) => Math.floor(r() * n);
	r.of = (from) => from[r.int(from.length)];
	r.string = (alphabet, n) => Array.from({ length: n }, () => r.of(alphabet)).join('');
	r.list = (n, f, by = ' ') => Array.from({ length: n }, f).join(by);
	r.word = () => english[Math.floor(r() ** 2 * english.length)];
	r.range = (from, to, n) => Array.from({ length: n }, () => String.fromCodePoint(from + r.int(to - from + 1))).join('');
	return r;
}

const title = (w) => w[0].toUpperCase() + w.slice(1);
const roots = ['versicherung', 'gesellschaft', 'schutz', 'recht', 'bundes', 'kraft', 'wagen', 'haft', 'pflicht', 'donau', 'dampf',
	'schiff', 'fahrt', 'kapitän', 'steuer', 'prüfung', 'verordnung', 'straßen', 'verkehr', 'arbeit', 'nehmer', 'über', 'lassung', 'gesetz',
	'kranken', 'kasse', 'beitrag', 'bemessung', 'grenze', 'lebens', 'mittel', 'überwachung', 'zeit', 'grund', 'stück', 'verwaltung'];

// A chain over the letters of common words: each run of `order` letters is followed as it is somewhere in English.
function chain(r, order, n) {
	const source = r.list(4000, r.word);
	let out = source.slice(0, order);
	while (out.length < n) {
		const key = out.slice(-order);
		const places = [];
		for (let i = source.indexOf(key); i >= 0 && places.length < 40; i = source.indexOf(key, i + 1)) places.push(i);
		out += source[r.of(places) + order] || ' ';
	}
	return out;
}

const byDashes = (s) => [s.slice(0, 8), s.slice(8, 12), s.slice(12, 16), s.slice(16, 20), s.slice(20)].join('-');
const hex = digits + 'abcdef';
const json = (r, deep) => {
	const n = 2 + r.int(4);
	if (!deep) return r.of([r.int(10 ** (1 + r.int(8))), r.word(), r() < 0.5, null, +r().toFixed(4), r.list(4, r.word), r.string(hex, 12)]);
	if (r() < 0.3) return Array.from({ length: n }, () => json(r, deep - 1));
	return Object.fromEntries(Array.from({ length: n }, () => [r.of([r.word(), r.word() + title(r.word()), r.word() + '_' + r.word()]), json(r, deep - 1)]));
};
const fill = (r, f, by = '\n', n = 500) => { let s = ''; while (s.length < n) s += f(r) + by; return s; };

export const kinds = {
	hex: (r) => r.string(hex, 500), hexUpper: (r) => r.string(digits + 'ABCDEF', 500),
	hashes: (r) => fill(r, () => r.string(hex, 64) + '  ' + r.word() + '.go'),
	base64: (r) => r.string(base64, 500), base64Url: (r) => r.string(base64.slice(0, 62) + '-_', 500),
	base64Lines: (r) => fill(r, () => r.string(base64, 76)), base58: (r) => fill(r, () => r.string(base64.slice(0, 61).replace(/[IlO]/g, ''), 44)),
	base32: (r) => r.string(upper + '234567', 500), uuids: (r) => fill(r, () => byDashes(r.string(hex, 32))),
	digits: (r) => r.string(digits, 500), numbers: (r) => r.list(110, () => r.int(10 ** (1 + r.int(6))), r.of([' ', ',', '\n', ', '])),
	decimals: (r) => r.list(70, () => ((r() - 0.5) * 10 ** r.int(5)).toFixed(r.int(6)), r.of([' ', ',', ', ', '\n'])),
	counting: (r) => { let i = r.int(1000); return r.list(130, () => i++, r.of([' ', ' ', '\n', ','])); },
	singleDigits: (r) => r.list(250, () => r.int(10), r.of([' ', ',', '\n', '.'])),
	dates: (r) => fill(r, () => new Date(r.int(2e9) * 1000).toISOString()), addresses: (r) => r.list(45, () => r.list(4, () => r.int(256), '.')),
	randomLower: (r) => r.string(lower, 500), randomUpper: (r) => r.string(upper, 500), randomLetters: (r) => r.string(lower + upper, 500),
	randomAlnum: (r) => r.string(lower + upper + digits, 500), lowerAlnum: (r) => r.string(lower + digits, 500),
	randomWords: (r) => r.list(90, () => r.string(lower, 1 + r.int(9))), upperWords: (r) => r.list(90, () => r.string(upper, 1 + r.int(9))),
	titleNoise: (r) => r.list(90, () => r.string(upper, 1) + r.string(lower, r.int(8))), letterAndBlank: (r) => r.list(250, () => r.of(lower + upper)),
	consonants: (r) => r.list(80, () => r.string('bcdfghjklmnpqrstvwxz', 1 + r.int(9))),
	syllables: (r) => r.list(80, () => r.list(1 + r.int(4), () => r.of('bcdfghjklmnprstvwz') + r.of('aeiou'), '')),
	syllablesUpper: (r) => r.list(80, () => r.list(1 + r.int(4), () => r.of('BCDFGHJKLMNPRSTVWZ') + r.of('AEIOU'), '')),
	printable: (r) => r.range(32, 126, 500), signs: (r) => r.string(signs, 500), signsAndBlanks: (r) => r.string(signs + '    ', 500),
	signsAndLetters: (r) => r.list(250, () => r.of(signs) + r.of(lower), ''), wordsAndSigns: (r) => r.list(80, () => r.word() + r.of(signs), ''),
	signBlank: (r) => r.list(250, () => r.of(signs)), controls: (r) => r.range(0, 31, 400), controlsAndWords: (r) => r.list(80, () => r.word() + r.range(0, 31, 1), ''),
	runs: (r) => fill(r, () => r.of(signs + lower + upper + ' \n\t').repeat(1 + r.int(60)), ''),
	longRun: (r) => r.of(signs + lower + upper + digits + ' \n\t').repeat(500), pairRun: (r) => r.string(signs + lower + upper + ' ', 2).repeat(250),
	tripleRun: (r) => r.string(signs + lower + upper + ' \n', 3).repeat(170), shortRuns: (r) => fill(r, () => r.of(signs + lower + upper + ' \n').repeat(2 + r.int(3)), ''),
	blanks: (r) => r.string('  \t\n', 400), blankRuns: (r) => fill(r, () => r.of([' ', '\n', '\t', '\r\n', ' \n']).repeat(1 + r.int(30)), ''),
	blanksAndLetters: (r) => r.list(100, () => r.of(lower) + r.string(' \n\t', 1 + r.int(5)), ''), indented: (r) => fill(r, () => ' '.repeat(r.int(20)) + r.word() + '\n', '\n'),
	camelCase: (r) => r.list(50, () => r.word() + title(r.word()) + title(r.word())), pascalRun: (r) => r.list(80, () => title(r.word()), ''),
	snakeCase: (r) => r.list(50, () => r.word() + '_' + r.word() + '_' + r.word(), r.of([' ', '\n', ','])), kebabCase: (r) => r.list(50, () => r.word() + '-' + r.word() + '-' + r.word()),
	screaming: (r) => r.list(50, () => (r.word() + '_' + r.word()).toUpperCase()), capitals: (r) => r.list(90, () => r.word().toUpperCase()),
	titled: (r) => r.list(90, () => title(r.word())), wordList: (r) => r.list(90, r.word, r.of(['\n', ', ', '","', '|'])), glued: (r) => r.list(90, r.word, ''),
	rareWords: (r) => r.list(80, () => r.of(english.slice(5000))), mixedCase: (r) => r.list(90, () => [...r.word()].map((c) => (r() < 0.5 ? c.toUpperCase() : c)).join('')),
	reversed: (r) => [...r.list(90, r.word)].reverse().join(''), shuffled: (r) => r.list(90, () => [...r.word()].sort(() => r() - 0.5).join('')),
	compounds: (r) => r.list(12, () => title(r.list(3 + r.int(6), () => r.of(roots), ''))), chain3: (r) => chain(r, 3, 500), chain4: (r) => chain(r, 4, 500),
	jsonCompact: (r) => fill(r, () => JSON.stringify(json(r, 3))), jsonIndented: (r) => fill(r, () => JSON.stringify(json(r, 3), null, r.of([2, 4, '\t']))),
	jsonNumbers: (r) => JSON.stringify(Array.from({ length: 80 }, () => +((r() - 0.5) * 100).toFixed(1 + r.int(6)))),
	csv: (r) => fill(r, () => [r.word(), r.int(1e5), r().toFixed(3), title(r.word()), r.string(upper, 3)].join(',')),
	logs: (r) => fill(r, () => `${new Date(r.int(2e9) * 1000).toISOString()} ${r.of(['INFO', 'WARN', 'ERROR'])} [${r.word()}-${r.int(99)}] ${r.word()}=${r.int(9999)} id=${r.string(hex, 16)} ${r.list(5, r.word)}`),
	urls: (r) => fill(r, () => `https://${r.word()}.${r.of(['com', 'org', 'dev', 'io'])}/${r.word()}/${r.string(lower + digits, 8)}?${r.word()}=${r.int(1e6)}&q=${r.word()}%20${r.word()}`),
	emails: (r) => r.list(25, () => `${r.word()}.${r.word()}${r.int(99)}@${r.word()}.com`), regexes: (r) => fill(r, () => `^(?:[${r.string(lower, 2)}-z]+|\\${r.of('dwsb')}{${r.int(9)},})${r.of('*+?')}\\.${r.of(lower)}$`, r.of(['', '\n'])),
	minified: (r) => fill(r, () => `function ${r.of(lower)}(${r.of(lower)},${r.of(lower)}){return ${r.of(lower)}.${r.word()}&&!${r.of(lower)}?${r.of(lower)}[${r.int(99)}]:void 0}var ${r.string(lower, 2)}=${r.of(lower)}(${r.int(999)}),${r.of(upper)}=[];`, ''),
	xml: (r) => fill(r, () => { const w = r.word(); return `<${w} id="${r.string(lower + digits, 6)}" class="${r.word()}-${r.word()}">${r.list(3, r.word)}</${w}>`; }),
	sql: (r) => fill(r, () => `SELECT ${r.word()}.${r.word()}, COUNT(*) FROM ${r.word()}_${r.word()} WHERE ${r.word()} >= ${r.int(1e4)} AND ${r.word()} LIKE '%${r.word()}%';`),
	latex: (r) => fill(r, () => `\\frac{${r.of(lower)}_{${r.int(20)}}^{${r.int(9)}}}{\\sqrt{${r.of(upper)}+\\${r.of(['alpha', 'beta', 'gamma', 'infty', 'partial'])}}} \\leq \\sum_{${r.of('ijk')}=${r.int(3)}}^{n}`, '\n'),
	table: (r) => fill(r, () => `| ${r.word()} | ${r.int(1e4)} | ${r.word()} ${r.word()} | ${r.of(['yes', 'no', '---'])} |`), assembly: (r) => fill(r, () => `${r.string(hex, 8)}:\t${r.list(4, () => r.string(hex, 2))}\t${r.of(['mov', 'lea', 'xor', 'cmp'])} %r${r.of(['ax', 'bx', '12'])},0x${r.string(hex, 3)}(%rsp)`),
	genome: (r) => r.string('ACGT', 500), protein: (r) => r.string('ACDEFGHIKLMNPQRSTVWY', 500), binary: (r) => r.string('01', 500), morse: (r) => r.string('.-- /', 500),
	percent: (r) => r.list(170, () => '%' + r.string(digits + 'ABCDEF', 2), ''), escapes: (r) => r.list(90, () => '\\u' + r.string(hex, 4), ''), entities: (r) => r.list(80, () => `&#${r.int(9999)};`, ''),
	emoji: (r) => r.range(0x1f300, 0x1f64f, 120), emojiWords: (r) => r.list(50, () => r.word() + ' ' + r.range(0x1f600, 0x1f64f, 1)), emojiNew: (r) => r.range(0x1f900, 0x1faff, 120),
	joined: (r) => r.list(25, () => r.list(3, () => String.fromCodePoint(r.of([0x1f468, 0x1f469, 0x1f466, 0x1f467]), 0x1f3fb + r.int(5)), '\u200d'), ''), flags: (r) => r.range(0x1f1e6, 0x1f1ff, 120),
	zalgo: (r) => r.list(80, () => r.of(lower) + r.range(0x300, 0x36f, 4), ''), privateUse: (r) => r.range(0xe000, 0xf8ff, 150), privatePlanes: (r) => r.range(0xf0000, 0xffffd, 100),
	anyRune: (r) => r.list(150, () => String.fromCodePoint(r.of([r.int(0xd800), 0xe000 + r.int(0x2000), 0x10000 + r.int(0x20000)])), ''),
	mathLetters: (r) => r.range(0x1d400, 0x1d6a3, 120), hanB: (r) => r.range(0x20000, 0x2a6d0, 120), hanA: (r) => r.range(0x3400, 0x4db5, 150), han: (r) => r.range(0x4e00, 0x9fa5, 150),
	hangul: (r) => r.range(0xac00, 0xd7a3, 150), kana: (r) => r.range(0x3041, 0x30fe, 150), halfKana: (r) => r.range(0xff66, 0xff9d, 150), fullWidth: (r) => r.range(0xff01, 0xff5e, 150),
	mixedHan: (r) => r.list(60, () => r.word() + r.range(0x4e00, 0x9fa5, 1 + r.int(3)), r.of(['', ' '])),
	...Object.fromEntries(Object.entries({ latin1: [0xa1, 0xff], latinExtended: [0x100, 0x24f], phonetic: [0x250, 0x2af], greek: [0x391, 0x3c9], cyrillic: [0x410, 0x44f], cyrillicRare: [0x460, 0x4ff],
		armenian: [0x561, 0x586], hebrew: [0x5d0, 0x5ea], arabic: [0x621, 0x64a], arabicRare: [0x671, 0x6d3], syriac: [0x710, 0x72f], devanagari: [0x905, 0x94d], bengali: [0x985, 0x9cd], tamil: [0xb85, 0xbcd],
		telugu: [0xc05, 0xc4d], malayalam: [0xd05, 0xd4d], sinhala: [0xd85, 0xdc6], thai: [0xe01, 0xe4e], lao: [0xe81, 0xecd], tibetan: [0xf40, 0xfb9], burmese: [0x1000, 0x103f], georgian: [0x10d0, 0x10f0],
		ethiopic: [0x1200, 0x135a], cherokee: [0x13a0, 0x13f4], canadian: [0x1401, 0x166c], khmer: [0x1780, 0x17d3], mongolian: [0x1820, 0x1877], vietnamese: [0x1ea0, 0x1ef9], greekOld: [0x1f00, 0x1fff],
		punctuation: [0x2010, 0x205e], superscripts: [0x2070, 0x209c], arrows: [0x2190, 0x21ff], mathSigns: [0x2200, 0x22ff], boxes: [0x2500, 0x257f], dingbats: [0x2700, 0x27bf], braille: [0x2800, 0x28ff],
	}).map(([name, [from, to]]) => [name, (r) => (r() < 0.5 ? r.range(from, to, 200) : r.list(50, () => r.range(from, to, 1 + r.int(6))))])),
	boxDrawing: (r) => fill(r, () => r.of('─═│║┌┐└┘█░▒•…').repeat(1 + r.int(20)), r.of(['', '\n'])),
	accents: (r) => r.list(80, () => [...r.word()].map((c) => (r() < 0.3 ? c + r.range(0x300, 0x304, 1) : c)).join('')),
};
