// openai-node: parse, tools and streams of chat completions and responses.
import assert from 'node:assert/strict';

import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod';

import { bothTools, clockInput, inSession, model, question, recorder, spoken, trip, url, weatherInput } from './harness.js';

const client = (defaultHeaders) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', defaultHeaders });
const messages = [{ role: 'user', content: question }];
const max_tokens = 2000;

inSession('openai, chat: parse', [], async ({ headers, calls }) => {
  const answer = await client(headers).chat.completions.parse({
    model, messages, max_tokens, response_format: zodResponseFormat(trip, 'trip'),
  });
  trip.parse(answer.choices[0].message.parsed);
  assert.equal(answer.usage.completion_tokens, (await calls())[0].output_tokens);
});

inSession('openai, chat: n answers', [], async ({ headers }) => {
  const params = { model, messages, max_tokens, n: 3, response_format: zodResponseFormat(trip, 'trip') };
  const answer = await client(headers).chat.completions.parse(params);
  assert.equal(new Set(answer.choices.map(({ message }) => JSON.stringify(trip.parse(message.parsed)))).size, 3);
  const streamed = await client(headers).chat.completions.stream(params).finalChatCompletion();
  assert.deepEqual(
    streamed.choices.map(({ message }) => message.parsed),
    answer.choices.map(({ message }) => message.parsed),
  );
});

inSession('openai, chat: parse of a tool call', [], async ({ headers }) => {
  const { choices } = await client(headers).chat.completions.parse({
    model, messages, max_tokens, tool_choice: 'required',
    tools: [zodFunction({ name: 'weather', parameters: weatherInput }), zodFunction({ name: 'clock', parameters: clockInput })],
  });
  assert.equal(choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(choices[0].message.tool_calls.map((call) => call.function.name), ['weather']);
  weatherInput.parse(choices[0].message.tool_calls[0].function.parsed_arguments);
});

for (const stream of [false, true]) {
  inSession(`openai, chat: runTools, stream ${stream}`, bothTools, async ({ headers, calls }) => {
    const record = recorder();
    const runner = client(headers).chat.completions.runTools({
      model, messages, max_tokens, stream,
      tools: [
        zodFunction({ name: 'weather', parameters: weatherInput, function: record.weather }),
        zodFunction({ name: 'clock', parameters: clockInput, function: record.clock }),
      ],
    });
    assert.equal(await runner.finalContent(), spoken);
    record.check();
    assert.equal((await calls()).length, 2);
  });
}

inSession('openai, responses: parse', [], async ({ headers, calls }) => {
  const answer = await client(headers).responses.parse({
    model, input: question, max_output_tokens: max_tokens, text: { format: zodTextFormat(trip, 'trip') },
  });
  trip.parse(answer.output_parsed);
  assert.equal(answer.usage.output_tokens, (await calls())[0].output_tokens);
});

inSession('openai, responses: a stream of two tools, then words', bothTools, async ({ headers }) => {
  const record = recorder();
  const responses = client(headers).responses;
  const params = {
    model, max_output_tokens: max_tokens,
    tools: [zodResponsesFunction({ name: 'weather', parameters: weatherInput }), zodResponsesFunction({ name: 'clock', parameters: clockInput })],
  };
  const first = await responses.stream({ ...params, input: question }).finalResponse();
  const calls = first.output.filter((item) => item.type === 'function_call');
  const results = calls.map((call) => ({ type: 'function_call_output', call_id: call.call_id, output: record[call.name](call.parsed_arguments) }));
  record.check();
  const input = [{ role: 'user', content: question }, ...first.output, ...results];
  assert.equal((await responses.stream({ ...params, input }).finalResponse()).output_text, spoken);
});
