// What an app that takes its time with each piece sees of a stream that fails. Node's fetch throws away what the app has
// not read yet when the connection breaks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const { SDKTEST_URL: url } = process.env;
if (!url) {
  throw new Error('run these tests with `go test` in the folder above: it starts the proxy');
}

const model = '@cf/meta/llama-3.1-8b-instruct-fp8';
const messages = [{ role: 'user', content: 'Hello' }];
const calls = {
  '/v1/chat/completions': { model, messages, stream: true },
  '/v1/messages': { model, messages, max_tokens: 100, stream: true },
  '/v1/responses': { model, input: 'Hello', stream: true },
  [`/run/${model}`]: { messages, stream: true },
};

async function read(path, body, wait, events) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-simulate': `midstream=cut; after=${events}; tokens=100` },
    body: JSON.stringify(body),
  });
  let text = '';
  try {
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      text += piece;
      await pause(wait);
    }
    return { text, ended: true };
  } catch {
    return { text, ended: false };
  }
}

for (const [path, body] of Object.entries(calls)) {
  // The events before the failure: those of the last come faster than they are read, and wait in Node.
  for (const [wait, events] of Object.entries({ 0: 8, 5: 8, 20: 8, 50: 40 })) {
    test(`${path}, ${wait} ms a piece`, { timeout: 300_000 }, async () => {
      let { text, ended } = await read(path, body, Number(wait), events);
      let all = text.split('\n\n').slice(0, -1);
      for (let again = 0; again < 4 && all.length !== events + 1; again++) { // a busy machine may read later than the proxy waits
        ({ text, ended } = await read(path, body, Number(wait), events));
        all = text.split('\n\n').slice(0, -1);
      }
      assert.equal(all.length, events + 1, text);
      assert.equal(JSON.parse(all.at(-1).split('data: ')[1]).error.code, 'stream_interrupted');
      assert.equal(ended, path === '/v1/responses');
    });
  }
}
