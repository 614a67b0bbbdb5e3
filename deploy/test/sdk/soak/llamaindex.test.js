import { openai } from '@llamaindex/openai';

import { model, pause, question, run } from '../node/harness.js';

async function call(errand, seen) {
  const llm = openai({ model, apiKey: errand.key, baseURL: `${errand.url}/v1` });
  const messages = [{ role: 'user', content: question }];
  if (!errand.stream) {
    seen.text = (await llm.chat({ messages })).message.content;
    return;
  }
  for await (const piece of await llm.chat({ messages, stream: true })) {
    seen.text += piece.delta;
    await pause(errand);
  }
}

run({ call });
