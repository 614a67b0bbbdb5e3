// Writes ../testdata/repeats.gz: one or two characters of a script, repeated to 300 characters, and the most tokens of it.
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { random } from './kinds.mjs';
import { counts } from './tokenizers.mjs';

const scripts = { // name: first, last, single characters, pairs
	latin1: [0xa1, 0xff, 95, 60], latin: [0x100, 0x24f, 120, 60], phonetic: [0x250, 0x2af, 40, 30], marks: [0x300, 0x36f, 40, 30], greek: [0x386, 0x3ce, 72, 60],
	cyrillic: [0x400, 0x4ff, 200, 120], armenian: [0x531, 0x586, 60, 40], hebrew: [0x5d0, 0x5ea, 27, 40], arabic: [0x621, 0x6d3, 150, 100], syriac: [0x710, 0x72f, 20, 20],
	devanagari: [0x905, 0x96f, 90, 80], bengali: [0x985, 0x9cd, 40, 30], gurmukhi: [0xa05, 0xa4d, 30, 20], gujarati: [0xa85, 0xacd, 30, 20], tamil: [0xb85, 0xbcd, 40, 30], telugu: [0xc05, 0xc4d, 40, 30],
	kannada: [0xc85, 0xccd, 30, 20], malayalam: [0xd05, 0xd4d, 40, 30], sinhala: [0xd85, 0xdc6, 40, 30], thai: [0xe01, 0xe4e, 78, 80], lao: [0xe81, 0xecd, 40, 30], tibetan: [0xf40, 0xfb9, 60, 40],
	burmese: [0x1000, 0x103f, 60, 40], georgian: [0x10d0, 0x10f0, 33, 30], ethiopic: [0x1200, 0x135a, 80, 40], cherokee: [0x13a0, 0x13f4, 30, 20], canadian: [0x1401, 0x166c, 60, 30], khmer: [0x1780, 0x17d3, 60, 40],
	mongolian: [0x1820, 0x1877, 30, 20], vietnamese: [0x1ea0, 0x1ef9, 90, 60], greekOld: [0x1f00, 0x1fff, 50, 20], punctuation: [0x2010, 0x205e, 70, 60], arrows: [0x2190, 0x22ff, 80, 40], boxes: [0x2500, 0x27bf, 120, 60],
	kana: [0x3001, 0x30fe, 230, 160], han: [0x4e00, 0x9fa5, 700, 200], hanA: [0x3400, 0x4db5, 60, 20], hangul: [0xac00, 0xd7a3, 500, 160], privateUse: [0xe000, 0xf8ff, 20, 10], wide: [0xff01, 0xff9d, 100, 60], emoji: [0x1f300, 0x1faff, 80, 40],
};
const han = [...'的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏夢猫語愛'];
const jamo = [...'가각간감강개거건것게고공과관구국권그기나내년는능다당대도동드들등디라로를리마만말명모무문민바반발방법보부분비사상생서선성세소수스시식신아안어업에여연영오와요용우원위유으은을이인일있자장적전정제조주중지진차체초출치크타통트하학한할해행호화회'];
const r = random(1948);
const out = [];
const take = (unit) => {
	const text = unit.repeat(300 / [...unit].length);
	out.push(`${unit}\t${Math.max(...Object.values(counts(text)))}`);
};
for (const [name, [first, last, singles, pairs]] of Object.entries(scripts)) {
	const usual = name === 'han' ? han : name === 'hangul' ? jamo : null;
	const any = () => (usual && r() < 0.5 ? r.of(usual) : String.fromCodePoint(first + r.int(last - first + 1)));
	const all = new Set(usual ?? []);
	if (last - first < singles * 1.3) for (let c = first; c <= last; c++) all.add(String.fromCodePoint(c));
	while (all.size < singles) all.add(any());
	for (const c of all) take(c);
	for (let i = 0; i < pairs; i++) take(any() + any());
	console.error(name, out.length);
}
writeFileSync('../testdata/repeats.gz', gzipSync(out.join('\n'), { level: 9 }));
