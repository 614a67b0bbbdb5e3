// What somebody on call may find. Each situation is made in front of a demo of its own; because is what the page must say
// first, and others what its further lines say. make is given the function that starts the demo, and one that takes what is to be
// done once it has ended.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { embedding, eventually } from './demo.js';

const run = promisify(execFile);
const usual = { NEURONWARD_RECONCILE: '0', NEURONWARD_RATE_LIMITS: 'text-generation=3000' };
const many = (n, make) => Promise.all(Array.from({ length: n }, (_, i) => make(i)));
const spend = (demo, tokens, headers) => demo.chat('Hello', { 'x-simulate': `tokens=${tokens}`, ...headers }, { max_tokens: tokens });

/** Pictures of 3,120 neurons each, one after the other. */
export async function draw(demo, n) {
  for (let i = 0; i < n; i++) {
    await demo.call('/run/@cf/leonardo/phoenix-1.0', { prompt: 'A lighthouse', width: 1024, height: 1024 });
  }
}

const limited = (start, neurons, more) => start({ ...usual, NEURONWARD_DAILY_NEURONS: String(neurons), ...more });

export const situations = [
  {
    name: 'quiet', state: 'ok', because: /^0 of 10,000 neurons spent\.$/, others: { Failures: /^No call in the last 5 minutes\.$/ },
    make: (start) => start(usual),
  },
  {
    name: 'busy', state: 'ok', because: /^3,1\d\d of 10,000 neurons spent\.$/,
    others: { Failures: /^None of 62 calls failed in the last 5 minutes\. 2 more failed by the caller's own fault\.$/ },
    async make(start) {
      const demo = await start(usual);
      await draw(demo, 1);
      await many(40, (i) => spend(demo, 20 + i));
      await many(20, () => demo.call('/v1/embeddings', { model: embedding, input: 'Hello' }));
      await demo.chat('Hello', { 'x-simulate': '3040; times=1' });
      await many(2, () => demo.chat('Hello', { 'x-simulate': '5006' }));
      return demo;
    },
  },
  {
    name: 'nearly spent', state: 'warning', because: /^Nearly spent: 4\d\d of 9,950 neurons are left\.$/,
    others: { Failures: /^None of 13 calls failed in the last 5 minutes\.$/ },
    async make(start) {
      const demo = await limited(start, 9950);
      await draw(demo, 3);
      await many(10, () => spend(demo, 20));
      return demo;
    },
  },
  {
    name: 'spent', state: 'critical', because: /^The day's 9,500 neurons are spent since \d\d:\d\d UTC\.$/,
    others: { Failures: /^8 of 11 calls were refused by a limit in the last 5 minutes\./ },
    async make(start) {
      const demo = await limited(start, 9500);
      await draw(demo, 3);
      await many(8, () => spend(demo, 2000));
      return demo;
    },
  },
  {
    name: 'quota block', state: 'critical', because: /^Workers AI says that the day's neurons are spent \(quota block\)\.$/,
    others: { Failures: /were refused by a limit/ },
    async make(start) {
      const demo = await limited(start, 20_000);
      await draw(demo, 5);
      await many(6, () => spend(demo, 30));
      return demo;
    },
  },
  {
    name: 'provider failing', state: 'critical', because: /^13 of 23 calls failed in the last 5 minutes \(57 %\)\.$/,
    others: { Quota: /of 10,000 neurons spent/ },
    async make(start) {
      const demo = await start({ ...usual, NEURONWARD_RETRIES: '0' });
      await many(10, () => spend(demo, 30));
      for (const simulate of ['3043', '7009', 'html-502', '3007']) {
        await many(simulate === '3043' ? 10 : 1, () => demo.chat('Hello', { 'x-simulate': simulate }));
      }
      await many(4, () => demo.chat('Hello', { 'x-simulate': '5006' }));
      return demo;
    },
  },
  {
    name: 'one client over', state: 'warning', because: /^notebooks is refused: too little is left of its own limit\.$/, others: { Quota: /of 10,000 neurons spent/ },
    async make(start, after) {
      const directory = await mkdtemp(join(tmpdir(), 'neuronward-page-'));
      const clients = [];
      for (const [name, limit] of [['support-bot', 500], ['notebooks', 6]]) {
        const { key, key_sha256: hash } = JSON.parse((await run(process.env.NEURONWARD, ['client', 'new', name, '--json'])).stdout);
        clients.push({ entry: `  - name: ${name}\n    key_sha256: ${hash}\n    daily_neurons: ${limit}\n`, headers: { authorization: `Bearer ${key}` } });
      }
      const file = join(directory, 'clients.yaml');
      await writeFile(file, `clients:\n${clients.map((c) => c.entry).join('')}`);
      const demo = await start({ ...usual, NEURONWARD_CLIENTS_FILE: file });
      after(() => rm(directory, { recursive: true }));
      const [bot, notebooks] = clients.map((c) => c.headers);
      await many(12, () => spend(demo, 60, bot));
      for (let i = 0; i < 12; i++) {
        await spend(demo, 60, notebooks);
      }
      return demo;
    },
  },
  {
    name: 'store gone', state: 'critical', because: /^The store \(file\) does not answer; calls are refused\.$/,
    others: { Failures: /more were refused for lack of the store\.$/ },
    async make(start, after) {
      const directory = await mkdtemp(join(tmpdir(), 'neuronward-page-'));
      const inner = join(directory, 'store');
      await mkdir(inner);
      const demo = await start({ ...usual, NEURONWARD_STORE: `file:${join(inner, 'usage')}` });
      after(() => rm(directory, { recursive: true }));
      await many(10, () => spend(demo, 30));
      await rename(inner, join(directory, 'elsewhere')); // in one step: the store writes to it meanwhile
      await eventually('the store fails', async () => {
        await spend(demo, 30);
        return !(await demo.status()).store.healthy;
      });
      await many(3, () => spend(demo, 30));
      return demo;
    },
  },
  {
    name: 'observe', state: 'warning', because: /^The day's 6,000 neurons are spent since \d\d:\d\d UTC\.$/,
    others: { Failures: /^None of 8 calls failed in the last 5 minutes\.$/ },
    async make(start) {
      const demo = await limited(start, 6000, { NEURONWARD_QUOTA_MODE: 'observe' });
      await draw(demo, 3);
      await many(5, () => spend(demo, 40));
      return demo;
    },
  },
];
