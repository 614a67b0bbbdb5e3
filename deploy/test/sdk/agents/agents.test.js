// OpenAI's agents: two tools and an output type, by both protocols.
import assert from 'node:assert/strict';

import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from '@openai/agents';
import OpenAI from 'openai';

import { clockInput, inSession, model, question, recorder, spoken, bothTools, trip, url, weatherInput } from './harness.js';

setTracingDisabled(true); // it would send what it does elsewhere

for (const useResponses of [false, true]) {
  for (const stream of [false, true]) {
    const by = `agents, ${useResponses ? 'responses' : 'chat'}, stream ${stream}`;
    const agentOf = (record, more) =>
      new Agent({
        name: 'Traveller', instructions: 'Plan a trip.', model, modelSettings: { maxTokens: 2000 },
        tools: [
          tool({ name: 'weather', description: 'Weather', parameters: weatherInput, execute: record.weather }),
          tool({ name: 'clock', description: 'Time', parameters: clockInput, execute: record.clock }),
        ],
        ...more,
      });
    const finish = async (headers, agent) => {
      const openAIClient = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', defaultHeaders: headers });
      const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient, useResponses }) });
      const result = await runner.run(agent, question, { stream });
      if (stream) {
        await result.completed;
      }
      return result.finalOutput;
    };

    inSession(`${by}: two tools, then words`, bothTools, async ({ headers, calls }) => {
      const record = recorder();
      assert.equal(await finish(headers, agentOf(record)), spoken);
      record.check();
      assert.equal((await calls()).length, 2);
    });

    inSession(`${by}: two tools, then an outputType`, ['tool=2'], async ({ headers, calls }) => {
      const record = recorder();
      trip.parse(await finish(headers, agentOf(record, { outputType: trip })));
      record.check();
      assert.equal((await calls()).length, 2);
    });
  }
}
