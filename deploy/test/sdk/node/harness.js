// What the test files share: the errands come from the Go test, what was seen goes back to it as JSON lines.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { describe as suite, test } from 'node:test';

export const model = '@cf/meta/llama-3.1-8b-instruct-fp8';
export const question = 'Hello';
export const account = 'demo';

const { SDKTEST_ERRANDS: errands, SDKTEST_SIGHTS: sights } = process.env;
if (!errands || !sights) {
  throw new Error('run these tests with `go test` in the folder above: it starts the proxy');
}

/**
 * Runs every errand as a test, all at once: some SDKs wait for seconds between their retries.
 *
 * call(errand, seen) makes the call and adds to seen.text and seen.finish; a failure is what it throws.
 * describe(error) tells what a program can read from an error: status, code, message, request_id.
 * classes are the errors' classes by scenario; none means that the call succeeds.
 */
export function run({ call, describe, classes }) {
  suite('errands', { concurrency: true }, () => {
    for (const errand of JSON.parse(errands)) {
      test(errand.scenario, { timeout: 60_000 }, async () => {
        const seen = { scenario: errand.scenario, text: '', finish: '' };
        let error;
        try {
          await call(errand, seen);
        } catch (thrown) {
          error = thrown;
        }
        if (error !== undefined) {
          Object.assign(seen, { class: error.constructor.name, ...describe(error) });
        }
        appendFileSync(sights, `${JSON.stringify(seen)}\n`);

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
