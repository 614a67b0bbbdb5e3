// Vercel AI SDK: objects, and streams with tools, by each protocol that it speaks.
import assert from 'node:assert/strict';

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject, generateText, Output, stepCountIs, streamObject, streamText, tool } from 'ai';

import { bothTools, clockInput, inSession, model, question, recorder, spoken, trip, url, weatherInput } from './harness.js';

const settings = (headers) => ({ baseURL: `${url}/v1`, apiKey: 'none', headers });
const providers = {
  'openai, chat': (headers) => createOpenAI(settings(headers)).chat(model),
  'openai, responses': (headers) => createOpenAI(settings(headers)).responses(model),
  'openai-compatible': (headers) =>
    createOpenAICompatible({ name: 'neuronward', supportsStructuredOutputs: true, ...settings(headers) })(model),
  anthropic: (headers) => createAnthropic(settings(headers))(model),
};

const toolsOf = (record) => ({
  weather: tool({ inputSchema: weatherInput, execute: record.weather }),
  clock: tool({ inputSchema: clockInput, execute: record.clock }),
});

for (const [name, provide] of Object.entries(providers)) {
  inSession(`ai, ${name}: generateObject`, [], async ({ headers, calls }) => {
    const { object, usage } = await generateObject({ model: provide(headers), schema: trip, prompt: question, maxOutputTokens: 2000 });
    trip.parse(object);
    const [call, ...more] = await calls();
    assert.equal(more.length, 0);
    assert.equal(usage.outputTokens, call.output_tokens);
    assert.equal(usage.inputTokens, call.input_tokens);
  });

  inSession(`ai, ${name}: streamObject`, [], async ({ headers }) => {
    const { object, partialObjectStream } = streamObject({ model: provide(headers), schema: trip, prompt: question, maxOutputTokens: 2000 });
    let parts = 0;
    for await (const part of partialObjectStream) {
      parts += part === undefined ? 0 : 1;
    }
    assert.ok(parts > 1);
    trip.parse(await object);
  });

  inSession(`ai, ${name}: streamText with two tools`, bothTools, async ({ headers, calls }) => {
    const record = recorder();
    const result = streamText({
      model: provide(headers), prompt: question, tools: toolsOf(record), stopWhen: stepCountIs(5), maxOutputTokens: 2000,
    });
    let text = '';
    for await (const part of result.fullStream) {
      if (part.type === 'error') {
        throw part.error;
      }
      text += part.type === 'text-delta' ? part.text : '';
    }
    record.check();
    assert.equal(text, spoken);
    assert.deepEqual((await result.steps).map((step) => step.finishReason), ['tool-calls', 'stop']);
    const seen = await calls();
    assert.equal(seen.length, 2);
    assert.equal((await result.totalUsage).outputTokens, seen[0].output_tokens + seen[1].output_tokens);
  });

  // By Anthropic's protocol the object is the input of a tool that the SDK adds.
  const script = name === 'anthropic' ? 'tool=weather/json' : 'tool';
  inSession(`ai, ${name}: a tool, then an object`, [script], async ({ headers, calls }) => {
    const record = recorder();
    const { output } = await generateText({
      model: provide(headers), prompt: question, tools: toolsOf(record), stopWhen: stepCountIs(5), maxOutputTokens: 2000,
      output: Output.object({ schema: trip }),
    });
    trip.parse(output);
    assert.deepEqual(record.seen.map(([tool]) => tool), ['weather']);
    assert.equal((await calls()).length, 2);
  });

  inSession(`ai, ${name}: a tool that must be called`, [], async ({ headers, calls }) => {
    const record = recorder();
    await generateText({
      model: provide(headers), prompt: question, tools: toolsOf(record), stopWhen: stepCountIs(1),
      toolChoice: { type: 'tool', toolName: 'clock' }, maxOutputTokens: 2000,
    });
    assert.deepEqual(record.seen.map(([tool]) => tool), ['clock']);
    assert.equal((await calls()).length, 1);
  });

  inSession(`ai, ${name}: one tool after the other`, ['tool=clock/weather', `say=${encodeURIComponent(spoken)}`], async ({ headers }) => {
    const record = recorder();
    const { text, steps } = await generateText({
      model: provide(headers), prompt: question, tools: toolsOf(record), stopWhen: stepCountIs(5), maxOutputTokens: 2000,
    });
    assert.deepEqual(record.seen.map(([tool]) => tool), ['clock', 'weather']);
    assert.equal(steps.length, 3);
    assert.equal(text, spoken);
  });
}

inSession('ai, openai-compatible: reasoning', [], async ({ headers }) => {
  const { text, reasoningText } = await generateText({ model: providers['openai-compatible'](headers), prompt: question });
  assert.match(text, /simulated Workers AI/);
  assert.match(reasoningText, /reasoning/);
});
