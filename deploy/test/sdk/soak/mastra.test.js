import { Agent } from '@mastra/core/agent';

import { model, pause, question, run } from '../node/harness.js';

async function call(errand, seen) {
  const agent = new Agent({
    id: 'assistant',
    name: 'assistant',
    instructions: 'Answer.',
    model: { id: `neuronward/${model}`, url: `${errand.url}/v1`, apiKey: errand.key },
  });
  if (!errand.stream) {
    seen.text = (await agent.generate(question)).text;
    return;
  }
  const answer = await agent.stream(question);
  for await (const piece of answer.fullStream) {
    if (piece.type === 'text-delta') {
      seen.text += piece.payload.text;
      await pause(errand);
    } else if (piece.type === 'error') {
      throw piece.payload.error;
    }
  }
}

run({ call });
