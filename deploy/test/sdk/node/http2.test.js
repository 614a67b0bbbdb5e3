// Node's own HTTP/2 client: what it sees of streams that fail. Every case goes over the one connection.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, before, describe, test } from 'node:test';

const { SDKTEST_URL: url, SDKTEST_CA: ca } = process.env;
if (!url) {
  throw new Error('run these tests with `go test` in the folder above: it starts the proxy');
}

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = http2.constants;
const body = JSON.stringify({
  model: '@cf/meta/llama-3.1-8b-instruct-fp8',
  stream: true,
  messages: [{ role: 'user', content: 'Hello' }],
});

describe(`streams of ${new URL(url).protocol}`, () => {
  let session;
  before(() => {
    session = http2.connect(url, { ca });
    session.on('error', () => {}); // a case sees it by its own stream
  });
  after(() => session.close());

  /** Makes one call and returns, once its stream is closed, the events in it, its reset code and its error. */
  function call(simulate) {
    return new Promise((resolve) => {
      const headers = { ':method': 'POST', ':path': '/v1/chat/completions', 'content-type': 'application/json' };
      const stream = session.request(simulate ? { ...headers, 'x-simulate': simulate } : headers);
      const seen = { status: 0, text: '', ended: false };
      stream.setEncoding('utf8');
      stream.on('response', (answer) => (seen.status = answer[':status']));
      stream.on('data', (piece) => (seen.text += piece));
      stream.on('end', () => (seen.ended = true));
      stream.on('error', (error) => (seen.error = error));
      stream.on('close', () => resolve({ ...seen, events: seen.text.split('\n\n').slice(0, -1), reset: stream.rstCode }));
      stream.end(body);
    });
  }

  async function whole() {
    const { error, ...seen } = await call();
    assert.ifError(error);
    assert.deepEqual([seen.status, seen.ended, seen.reset, seen.events.at(-1)], [200, true, NGHTTP2_NO_ERROR, 'data: [DONE]']);
  }

  const cases = {
    'upstream cuts off': ['midstream=cut; after=3', 'stream_interrupted'],
    'upstream cuts off within an event': ['midstream=half; after=3', 'stream_interrupted'],
    'upstream says what failed': ['midstream=3040; after=3', 'out_of_capacity'],
  };
  for (const [name, [simulate, code]] of Object.entries(cases)) {
    test(name, { timeout: 300_000 }, async () => {
      const beside = whole();
      const seen = await call(simulate);
      assert.equal(seen.status, 200);
      assert.equal(seen.reset, NGHTTP2_INTERNAL_ERROR);
      assert.equal(seen.error?.code, 'ERR_HTTP2_STREAM_ERROR');
      assert.match(seen.error.message, /NGHTTP2_INTERNAL_ERROR/);
      assert.ok(!seen.text.includes('[DONE]'));
      assert.equal(JSON.parse(seen.events.at(-1).replace(/^data: /, '')).error.code, code);
      await beside; // its connection is not broken
      assert.ok(!session.destroyed);
    });
  }

  test('a stream that succeeds', { timeout: 300_000 }, whole);
});
