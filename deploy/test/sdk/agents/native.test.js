// workers-ai-provider: the native API through Vercel's AI SDK, with models of both forms.
import assert from 'node:assert/strict';

import { generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { createWorkersAI } from 'workers-ai-provider';

import { bothTools, clockInput, inSession, model, question, recorder, spoken, trip, url, weatherInput } from './harness.js';

const older = '@cf/meta/llama-3.1-8b-instruct-fp8';
const cloudflare = 'https://api.cloudflare.com';

// It has no base URL; its fetch option is the way to a proxy.
const provide = (name, extraHeaders) =>
  createWorkersAI({
    accountId: 'demo', apiKey: 'none', fetch: (to, init) => fetch(String(to).replace(cloudflare, url), init),
  })(name, { extraHeaders });

for (const [form, name] of Object.entries({ older, newer: model })) {
  const toolsOf = (record) => ({
    weather: tool({ inputSchema: weatherInput, execute: record.weather }),
    clock: tool({ inputSchema: clockInput, execute: record.clock }),
  });

  inSession(`native, ${form}: an object`, [], async ({ headers }) => {
    const { output } = await generateText({
      model: provide(name, headers), prompt: question, maxOutputTokens: 2000, output: Output.object({ schema: trip }),
    });
    trip.parse(output);
  });

  for (const [way, ask] of Object.entries({ generateText, streamText })) {
    inSession(`native, ${form}: ${way} with two tools`, bothTools, async ({ headers, calls }) => {
      const record = recorder();
      const result = await ask({
        model: provide(name, headers), prompt: question, tools: toolsOf(record), stopWhen: stepCountIs(5), maxOutputTokens: 2000,
      });
      assert.equal(await result.text, spoken);
      record.check();
      assert.equal((await calls()).length, 2);
    });
  }
}
