// A demo of the binary on ports of its own, and what a test may ask of it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

export const model = '@cf/meta/llama-3.1-8b-instruct-fp8';
export const embedding = '@cf/baai/bge-base-en-v1.5';

const patience = 60_000; // ms; only an overloaded machine needs as much

/** Waits until look returns something that is true, and returns it. */
export async function eventually(what, look) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `never: ${what}`);
    await pause(50);
  }
}

/** Starts a demo with these variables besides; stop ends it. */
export async function start(environment = {}) {
  const child = spawn(process.env.NEURONWARD, ['demo'], {
    env: {
      NEURONWARD_LISTEN: '127.0.0.1:0', NEURONWARD_ADMIN_LISTEN: '127.0.0.1:0', NEURONWARD_LOG_FORMAT: 'json', NEURONWARD_DRAIN: '1s', ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((done) => child.once('exit', done));
  const log = [];
  const at = await new Promise((listening, failed) => {
    child.once('error', failed);
    child.once('exit', () => failed(new Error(`it ended: ${log.join('\n')}`)));
    createInterface(child.stderr).on('line', (line) => {
      log.push(line);
      if (line.startsWith('{"') && line.includes('"msg":"listening"')) {
        listening(JSON.parse(line));
      }
    });
  });
  const app = `http://${at.listen}`;
  const admin = `http://${at.admin_listen}`;
  return {
    app,
    admin,
    log,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
      await ended;
      clearTimeout(late);
    },
    status: async () => (await fetch(`${admin}/status`)).json(),
    metrics: async () => series(await (await fetch(`${admin}/metrics`)).text()),

    /** Makes a call and reads its answer to the end, or to where it breaks. */
    async call(path, body, headers = {}) {
      try {
        const response = await fetch(app + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });
        return { status: response.status, text: await response.text() };
      } catch (error) {
        return { error };
      }
    },
    chat(content, headers, more) {
      return this.call('/v1/chat/completions', { model, messages: [{ role: 'user', content }], ...more }, headers);
    },
  };
}

/** Reads a scrape: name, labels and value of each sample. */
function series(text) {
  return text.split('\n').filter((line) => line && !line.startsWith('#')).map((line) => {
    const [, name, labels = '', value] = line.match(/^([a-z0-9_]+)(?:\{(.*)\})? (\S+)/);
    return { name, value: Number(value), labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, of]) => [key, of])) };
  });
}

/** Adds up the samples of one name whose labels are these. */
export function sum(samples, name, labels = {}) {
  return samples.filter((s) => s.name === name && Object.entries(labels).every(([key, of]) => s.labels[key] === of)).reduce((all, s) => all + s.value, 0);
}
