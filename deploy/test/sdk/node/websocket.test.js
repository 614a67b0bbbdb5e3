// The client that most of npm speaks WebSocket with: what it sees of sessions with models of real time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import WebSocket from 'ws';

const { SDKTEST_URL: url, SDKTEST_KEY: key } = process.env;
if (!url) {
  throw new Error('run these tests with `go test` in the folder above: it starts the proxy');
}

const nova = '/run/@cf/deepgram/nova-3?encoding=linear16&sample_rate=16000&channels=1&interim_results=true';
const bearer = { headers: { authorization: `Bearer ${key}` } };
const second = Buffer.alloc(32_000);

/**
 * Opens a session, calls play(socket, message) with null when it is open and with each message that comes, and returns
 * all of them and the end.
 */
function session(path, play, protocols = [], options = bearer) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path, protocols, options);
    const messages = [];
    let refused;
    socket.on('open', () => play(socket, null));
    socket.on('message', (data, binary) => {
      const message = binary ? { sound: data.length } : JSON.parse(data);
      messages.push(message);
      play(socket, message);
    });
    socket.on('unexpected-response', async (_, response) => {
      const body = await response.reduce((text, piece) => text + piece, '');
      refused = { status: response.statusCode, error: JSON.parse(body).error };
      socket.terminate(); // else its connection keeps this process until the proxy closes it, after two minutes
      resolve({ messages, refused });
    });
    socket.on('close', (code, reason) => resolve({ messages, code, reason: reason.toString(), socket }));
    socket.on('error', (error) => refused || reject(error));
  });
}

const send = (socket, message) => socket.send(JSON.stringify(message));

describe('sessions', { concurrency: true }, () => {
  test('speech to text', { timeout: 300_000 }, async () => {
    const seen = await session(nova, (socket, message) => {
      if (!message) {
        socket.ping();
        for (let i = 0; i < 3; i += 1) {
          socket.send(second);
        }
        send(socket, { type: 'CloseStream' });
      }
    });
    assert.deepEqual(seen.messages.map(({ type }) => type), ['Connected', 'Results', 'Results', 'Results', 'Results', 'Metadata']);
    assert.equal(seen.messages.at(-1).duration, 3);
    assert.equal(seen.code, 1000);
    assert.equal(seen.socket.extensions, '');
  });

  test('a message in fragments', { timeout: 300_000 }, async () => {
    const seen = await session(nova, (socket, message) => {
      if (!message) {
        socket.send(second, { fin: false });
        socket.ping();
        socket.send(second, { fin: true });
        send(socket, { type: 'CloseStream' });
      }
    });
    assert.equal(seen.messages.at(-1).duration, 2);
  });

  test('turns', { timeout: 300_000 }, async () => {
    const seen = await session(nova.replace('nova-3', 'flux'), (socket, message) => {
      if (!message) {
        socket.send(second);
        send(socket, { type: 'CloseStream' });
      }
    });
    assert.deepEqual(seen.messages.map(({ type, event }) => event ?? type), ['Connected', 'StartOfTurn', 'EndOfTurn']);
    assert.equal(seen.code, 1000);
  });

  test('text to speech', { timeout: 300_000 }, async () => {
    const seen = await session('/run/@cf/deepgram/aura-2-en?encoding=linear16', (socket, message) => {
      if (!message) {
        send(socket, { type: 'Speak', text: 'Fifteen letters' });
        send(socket, { type: 'Flush' });
      } else if (message.type === 'Flushed') {
        send(socket, { type: 'Close' });
      }
    });
    assert.deepEqual(seen.messages.map(({ type, sound }) => sound ?? type), ['Metadata', 48_000, 'Flushed']);
    assert.equal(seen.code, 1000);
  });

  test('a text that the model does not know', { timeout: 300_000 }, async () => {
    const seen = await session(nova, (socket, message) => message || send(socket, { type: 'KeepAlive' }));
    assert.deepEqual([seen.messages.at(-1).type, seen.code, seen.reason], ['Error', 1008, 'DATA-0000']);
  });

  test('the key as a subprotocol, by the path of AI Gateway', { timeout: 300_000 }, async () => {
    const protocol = `cf-aig-authorization.${key}`;
    const path = '/v1/demo/gate/workers-ai?model=@cf/deepgram/nova-3&encoding=linear16&sample_rate=16000';
    const seen = await session(path, (socket, message) => message && socket.close(1000), [protocol], {});
    assert.deepEqual([seen.code, seen.socket.protocol], [1000, protocol]);
  });

  test('the key in the query', { timeout: 300_000 }, async () => {
    const seen = await session(`${nova}&api_key=${key}`, (socket, message) => message && socket.close(1000), [], {});
    assert.equal(seen.code, 1000);
  });

  test('refusals', { timeout: 300_000 }, async () => {
    const none = () => {};
    const unknown = await session(nova, none, [], {});
    assert.deepEqual([unknown.refused.status, unknown.refused.error.name], [401, 'client_unauthorized']);
    const text = await session('/run/@cf/meta/llama-3.1-8b-instruct-fp8', none);
    assert.deepEqual([text.refused.status, text.refused.error.name], [404, 'route_not_proxied']);
    assert.match(text.refused.error.message, /nova-3/);
    const wrong = await session('/run/@cf/deepgram/flux', none);
    assert.deepEqual([wrong.refused.status, wrong.refused.error.name], [400, 'bad_input']);
    const full = await session(nova, none, [], { headers: { ...bearer.headers, 'x-simulate': '4006' } });
    assert.deepEqual([full.refused.status, full.refused.error.name], [429, 'account_limited']);
  });
});
