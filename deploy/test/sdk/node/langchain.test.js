import { ChatOpenAI } from '@langchain/openai';

import { maxRetries, model, pause, question, run } from './harness.js';

async function call(errand, seen) {
  const chat = new ChatOpenAI({ model, maxRetries, apiKey: errand.key, configuration: { baseURL: `${errand.url}/v1` } });
  if (!errand.stream) {
    seen.text = (await chat.invoke(question)).content;
    return;
  }
  for await (const piece of await chat.stream(question)) {
    seen.text += piece.content;
    await pause(errand);
  }
}

run({ call });
