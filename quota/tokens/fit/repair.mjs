// Raises the weights of ../weights.bin by a linear program until every text of testdata/repeats.gz and testdata/found.gz
// counts its tokens; it costs real text as little as it can: node repair.mjs [FROM TO FOUND REPEATS]
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import loadHighs from 'highs';
import { read, unit, visit, weigh, write } from './table.mjs';

const [from = '../weights.bin', to = '../weights.bin', found = '../testdata/found.gz', repeats = '../testdata/repeats.gz'] = process.argv.slice(2);
const t = read(from);
const lines = (file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const facts = (file) => gunzipSync(readFileSync(file)).toString().split('\n').filter(Boolean).map((line) => line.split('\t'));

// What a unit more costs real text, English first.
const cost = new Map();
const usual = /^(go|markdown|javascript|typescript|json|html|yaml|shell|python|c|ts-)/;
for (const { kind, text, max } of lines('natural.ndjson')) {
	const n = (kind === 'english' ? 40 : kind === 'words' ? 2 : usual.test(kind) ? 3 : 1) / max;
	visit(t, text, (p) => cost.set(p.id, (cost.get(p.id) || 0) + n * p.scale));
}
const ids = new Map();
const rows = [];
const need = (text, tokens) => {
	const missing = Math.round((Math.min(tokens, Buffer.byteLength(text)) - weigh(t, text)) * unit);
	if (missing <= 0) return;
	const uses = new Map();
	visit(t, text, (p) => {
		if (!ids.has(p.id)) ids.set(p.id, { ...p, name: 'x' + ids.size, up: Math.max(0, p.most - p.get()) });
		uses.set(p.id, (uses.get(p.id) || 0) + p.scale);
	});
	const possible = [...uses].reduce((all, [id, n]) => all + n * ids.get(id).up, 0);
	rows.push([uses, Math.min(missing, possible * 0.999)]);
};
for (const [u, n] of facts(repeats)) need(u.repeat(300 / [...u].length), +n);
const slack = 1.15; // of ASCII: without it, English would be dearer
for (const [text, n] of facts(found)) need(JSON.parse(text), /[^\x00-\x7f]/.test(text) ? +n : n / slack);
for (const { text, max } of lines('made1.ndjson')) need(text, max / 1.01);
let problem = 'Minimize\n obj: ' + [...ids].map(([id, v]) => `+ ${((cost.get(id) || 0) + 1e-4 * v.scale).toFixed(6)} ${v.name}`).join('\n ') + '\nSubject To\n';
rows.forEach(([uses, missing], i) => { problem += ` t${i}: ${[...uses].map(([id, n]) => `+ ${n} ${ids.get(id).name}`).join('\n ')} >= ${missing.toFixed(2)}\n`; });
problem += 'Bounds\n' + [...ids.values()].map((v) => ` 0 <= ${v.name} <= ${v.up}`).join('\n') + '\nEnd\n';
const solution = (await loadHighs({})).solve(problem, { solver: 'ipm', run_crossover: 'off', time_limit: 120 });
let raised = 0;
for (const v of ids.values()) {
	const up = Math.ceil(solution.Columns[v.name].Primal - 0.05);
	if (up > 0) { v.set(Math.min(255, v.get() + up)); raised++; }
}
write(to, t);
console.log(solution.Status, rows.length, 'texts', ids.size, 'places', raised, 'raised');
