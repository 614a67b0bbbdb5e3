// What the test files share: the demo to call, a schema that is not easily met, two tools, and a session for each test.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { z } from 'zod';

export const { SDKTEST_URL: url } = process.env;
if (!url) {
  throw new Error('run these tests with `go test` in the folder above: it starts the proxy');
}

export const model = '@cf/qwen/qwen3-30b-a3b-fp8'; // it reasons, as most newer models do
export const question = 'What is the weather in Oslo, and what time is it?';
export const spoken = 'It rains; it is noon.';

/** A trip, with most of what schemas are made of. */
export const trip = z.object({
  city: z.string().min(3).max(40),
  kind: z.enum(['city', 'beach', 'hike']),
  days: z.int().min(1).max(14),
  price: z.number().min(0).multipleOf(0.5),
  booked: z.boolean(),
  contact: z.email(),
  starts: z.iso.date(),
  note: z.string().nullable(),
  stops: z.array(z.object({ name: z.string(), nights: z.int().nonnegative() })).min(1).max(3),
});

export const weatherInput = z.object({ city: z.string().min(1), days: z.int().min(1).max(5) });
export const clockInput = z.object({ zone: z.enum(['UTC', 'CET']) });

// Most of a test is waiting for tokens, and no session disturbs another: those of a file run at once.
const registered = [];
suite('sessions', { concurrency: true }, async () => {
  await new Promise(setImmediate); // until the test file has registered its own
  for (const [name, body] of registered) {
    test(name, { timeout: 120_000 }, body);
  }
});

/**
 * Runs a test in a session of its own. run gets the headers for its calls, which ask for what is simulated, and calls():
 * what the simulator saw of them.
 */
export function inSession(name, simulate, run) {
  const body = async () => {
    const session = `${name} ${process.pid}`.replaceAll(/[^a-z0-9]+/gi, '-');
    const headers = { 'x-simulate': [`session=${session}`, ...simulate].join('; ') };
    const calls = async () => {
      const response = await fetch(`${url}/__simulate/calls?session=${session}`);
      assert.equal(response.status, 200);
      return (await response.json()).calls;
    };
    await run({ headers, calls });
  };
  registered.push([name, body]);
}

/** Both tools at once, and then words. */
export const bothTools = ['tool=2', `say=${encodeURIComponent(spoken)}`];

/** What the two tools were called with; each checks its input as strictly as an app would. */
export function recorder() {
  const seen = [];
  return {
    seen,
    weather: (input) => {
      seen.push(['weather', weatherInput.strict().parse(input)]);
      return 'rain';
    },
    clock: (input) => {
      seen.push(['clock', clockInput.strict().parse(input)]);
      return 'noon';
    },
    check() {
      assert.deepEqual(seen.map(([name]) => name).sort(), ['clock', 'weather']);
    },
  };
}
