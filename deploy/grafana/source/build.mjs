// Writes dashboards/*.json. With --check nothing is written: the exit status says whether they are what the source makes.
import { readFileSync, writeFileSync } from 'node:fs';

const names = ['errors', 'quota', 'cost', 'traffic', 'fleet'];
const check = process.argv.includes('--check');

for (const name of names) {
  const file = new URL(`../dashboards/${name}.json`, import.meta.url);
  const { default: model } = await import(`./${name}.mjs`);
  const text = `${JSON.stringify(model, null, 2)}\n`;
  if (!check) {
    writeFileSync(file, text);
  } else if (readFileSync(file, 'utf8') !== text) {
    console.error(`dashboards/${name}.json is not what its source makes: bash .ci/dashboards -update`);
    process.exitCode = 1;
  }
}
