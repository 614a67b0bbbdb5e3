// What the test files share: the errands come from the Go test, what was seen goes back to it as JSON lines.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { describe as suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';

export const model = '@cf/meta/llama-3.1-8b-instruct-fp8';
export const question = 'Hello';
export const account = 'demo';
/** Of the SDK itself; undefined is what it does by itself. */
export const maxRetries = process.env.SDKTEST_MAX_RETRIES ? Number(process.env.SDKTEST_MAX_RETRIES) : undefined;

const { SDKTEST_ERRANDS: errands, SDKTEST_SIGHTS: sights } = process.env;
if (!errands || !sights) {
  throw new Error('run these tests with `go test` in the folder above: it starts the proxy');
}

/**
 * Runs every errand as a test, all at once: some SDKs wait for seconds between their retries.
 *
 * call(errand, seen) makes the call and adds to seen.text and seen.finish; a failure is what it throws.
 * describe(error) tells what a program can read from an error: status, code, message, request_id.
 * classes are the errors' classes by scenario; none means that the call succeeds. Without them nothing is said of classes.
 */
export function run({ call, describe = envelopeOf, classes }) {
  const all = JSON.parse(errands);
  // Those that read slowly come when nothing else needs the time of this process.
  for (const some of [all.filter((e) => !e.slow), all.filter((e) => e.slow)]) {
    suite('errands', { concurrency: true }, () => {
      for (const errand of some) {
        test(errand.scenario, { timeout: 300_000 }, async () => {
          const seen = { scenario: errand.scenario, text: '', finish: '' };
          const began = performance.now();
          let error;
          try {
            await call(errand, seen);
          } catch (thrown) {
            error = thrown;
          }
          seen.seconds = (performance.now() - began) / 1000;
          if (error !== undefined) {
            Object.assign(seen, { class: error.constructor.name, ...describe(error) });
          }
          appendFileSync(sights, `${JSON.stringify(seen)}\n`);

          if (classes === undefined) {
            return;
          }
          const expected = classes[errand.scenario];
          if (expected === undefined) {
            assert.ifError(error);
          } else {
            assert.ok(error instanceof expected, `want ${expected.name}, got ${error?.stack}`);
          }
        });
      }
    });
  }
}

/** The body of a stream that the SDK hands out as it comes, read as a careful program would. */
export async function readNative(response, seen) {
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + piece).split('\n\n');
    rest = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, '');
      if (data === '[DONE]') {
        seen.finish = data;
        continue;
      }
      const { response: text, error } = JSON.parse(data);
      if (error) {
        throw new EventError(JSON.parse(data));
      }
      seen.text += text;
    }
  }
}

/** An event of a native stream that is the proxy's envelope. */
export class EventError extends Error {
  constructor(envelope) {
    super(envelope.error.message);
    this.envelope = envelope;
  }
}

/** What an app does with a piece of a stream: it takes its time. */
export const pause = (errand) => (errand.slow ? setTimeout(errand.slow) : undefined);

/** What a program can read of an error, wherever the SDK has put it: it stands in it, in what caused it, or in the body that it keeps. */
export function envelopeOf(error) {
  const told = { status: undefined, code: undefined, message: error.message };
  for (let e = error, depth = 0; e && depth < 5; e = e.lastError ?? e.cause, depth++) {
    told.status ??= e.statusCode ?? e.status;
    told.code ??= [e.error?.error?.code, e.error?.code, inBody(e.responseBody), e.data?.error?.code, e.code].find((code) => typeof code === 'string');
  }
  return told;
}

function inBody(body) {
  try {
    return JSON.parse(body).error.code;
  } catch {
    return undefined;
  }
}
