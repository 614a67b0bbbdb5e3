// Anthropic's SDK: tools, its own loop of them, and parse.
import assert from 'node:assert/strict';

import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';

import { bothTools, clockInput, inSession, model, question, recorder, spoken, trip, url, weatherInput } from './harness.js';

const client = (defaultHeaders) => new Anthropic({ baseURL: url, authToken: 'none', apiKey: null, defaultHeaders });
const messages = [{ role: 'user', content: question }];
const max_tokens = 2000;
const tools = [
  { name: 'weather', input_schema: z.toJSONSchema(weatherInput) },
  { name: 'clock', input_schema: z.toJSONSchema(clockInput) },
];

for (const stream of [false, true]) {
  inSession(`anthropic: tools, stream ${stream}`, bothTools, async ({ headers, calls }) => {
    const api = client(headers).messages;
    const ask = (messages) => (stream ? api.stream({ model, max_tokens, messages, tools }).finalMessage() : api.create({ model, max_tokens, messages, tools }));
    const record = recorder();
    const first = await ask(messages);
    assert.equal(first.stop_reason, 'tool_use');
    const content = first.content.map((block) => ({ type: 'tool_result', tool_use_id: block.id, content: record[block.name](block.input) }));
    record.check();
    const then = await ask([...messages, { role: 'assistant', content: first.content }, { role: 'user', content }]);
    assert.equal(then.stop_reason, 'end_turn');
    assert.equal(then.content[0].text, spoken);
    assert.deepEqual((await calls()).map((call) => call.output_tokens), [first.usage.output_tokens, then.usage.output_tokens]);
  });

  inSession(`anthropic: toolRunner, stream ${stream}`, bothTools, async ({ headers }) => {
    const record = recorder();
    const runner = client(headers).beta.messages.toolRunner({
      model, max_tokens, messages, stream,
      tools: [
        betaZodTool({ name: 'weather', description: 'Weather', inputSchema: weatherInput, run: record.weather }),
        betaZodTool({ name: 'clock', description: 'Time', inputSchema: clockInput, run: record.clock }),
      ],
    });
    const last = await runner.runUntilDone();
    record.check();
    assert.equal(last.content[0].text, spoken);
  });
}

inSession('anthropic: a tool that must be called', [], async ({ headers }) => {
  const answer = await client(headers).messages.create({ model, max_tokens, messages, tools, tool_choice: { type: 'tool', name: 'clock' } });
  assert.deepEqual(answer.content.map((block) => block.name), ['clock']);
  clockInput.parse(answer.content[0].input);
});

// The SDK sends no bounds of numbers.
inSession('anthropic: parse', [], async ({ headers }) => {
  const plain = trip.omit({ days: true, price: true });
  const answer = await client(headers).messages.parse({ model, max_tokens, messages, output_config: { format: zodOutputFormat(plain) } });
  plain.parse(answer.parsed_output);
});

inSession('anthropic: thinking', [], async ({ headers }) => {
  const thinking = { type: 'enabled', budget_tokens: 1024 };
  const params = { model, max_tokens, messages, thinking };
  const whole = await client(headers).messages.create(params);
  const streamed = await client(headers).messages.stream(params).finalMessage();
  for (const { content } of [whole, streamed]) {
    assert.deepEqual(content.map((block) => block.type), ['thinking', 'text']);
    assert.match(content[0].thinking, /reasoning/);
    assert.ok(content[0].signature);
  }
});
