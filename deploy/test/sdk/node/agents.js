// Shared by the two APIs that OpenAI's agents can call.
import { Agent, OpenAIProvider, Runner } from '@openai/agents';

import { model, pause, question } from './harness.js';

/** Makes the call of an errand; the provider is told which API. */
export const callWith = (useResponses) => async (errand, seen) => {
  const modelProvider = new OpenAIProvider({ baseURL: `${errand.url}/v1`, apiKey: errand.key, useResponses });
  const runner = new Runner({ modelProvider, tracingDisabled: true });
  const agent = new Agent({ name: 'assistant', model });
  if (!errand.stream) {
    seen.text = (await runner.run(agent, question)).finalOutput;
    return;
  }
  const result = await runner.run(agent, question, { stream: true });
  for await (const piece of result.toTextStream()) {
    seen.text += piece;
    await pause(errand);
  }
  await result.completed;
};
