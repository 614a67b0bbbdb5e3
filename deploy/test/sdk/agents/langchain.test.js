// LangChain: structured output by each of its methods, and its loop of tools.
import assert from 'node:assert/strict';

import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { z } from 'zod';
import { createAgent, providerStrategy, toolStrategy } from 'langchain';

import { bothTools, clockInput, inSession, model, question, recorder, spoken, trip, url, weatherInput } from './harness.js';

const chat = (headers, more) =>
  new ChatOpenAI({ model, apiKey: 'none', maxTokens: 2000, configuration: { baseURL: `${url}/v1`, defaultHeaders: headers }, ...more });
const messages = [{ role: 'user', content: question }];
const toolsOf = (record) => [
  tool(record.weather, { name: 'weather', description: 'Weather', schema: weatherInput }),
  tool(record.clock, { name: 'clock', description: 'Time', schema: clockInput }),
];

for (const useResponsesApi of [false, true]) {
  const by = `langchain, ${useResponsesApi ? 'responses' : 'chat'}`;

  for (const method of ['jsonSchema', 'functionCalling']) {
    inSession(`${by}: structured output by ${method}`, [], async ({ headers, calls }) => {
      trip.parse(await chat(headers, { useResponsesApi }).withStructuredOutput(trip, { method }).invoke(question));
      assert.equal((await calls()).length, 1);
    });
  }

  inSession(`${by}: an agent with two tools`, bothTools, async ({ headers, calls }) => {
    const record = recorder();
    const agent = createAgent({ model: chat(headers, { useResponsesApi }), tools: toolsOf(record) });
    const result = await agent.invoke({ messages });
    assert.equal(result.messages.at(-1).text, spoken);
    record.check();
    assert.equal((await calls()).length, 2);
  });

  inSession(`${by}: an agent in a stream`, bothTools, async ({ headers, calls }) => {
    const record = recorder();
    const agent = createAgent({ model: chat(headers, { useResponsesApi }), tools: toolsOf(record) });
    let text = '';
    for await (const [message] of await agent.stream({ messages }, { streamMode: 'messages' })) {
      text += message.type === 'ai' ? message.text : '';
    }
    assert.equal(text, spoken);
    record.check();
    assert.deepEqual((await calls()).map(({ stream }) => stream), [true, true]);
  });

  inSession(`${by}: an agent with a response format of the provider`, ['tool=weather'], async ({ headers, calls }) => {
    const record = recorder();
    const agent = createAgent({ model: chat(headers, { useResponsesApi }), tools: toolsOf(record), responseFormat: providerStrategy(trip) });
    trip.parse((await agent.invoke({ messages })).structuredResponse);
    assert.deepEqual(record.seen.map(([name]) => name), ['weather']);
    assert.equal((await calls()).length, 2);
  });

  inSession(`${by}: an agent with a response format as a tool`, ['tool=weather/trip'], async ({ headers, calls }) => {
    const record = recorder();
    const named = { ...z.toJSONSchema(trip), title: 'trip' };
    const agent = createAgent({ model: chat(headers, { useResponsesApi }), tools: toolsOf(record), responseFormat: toolStrategy(named) });
    trip.parse((await agent.invoke({ messages })).structuredResponse);
    assert.deepEqual(record.seen.map(([name]) => name), ['weather']);
    assert.equal((await calls()).length, 2);
  });
}
