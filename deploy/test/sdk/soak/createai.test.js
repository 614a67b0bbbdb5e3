import { createAI } from 'agents/models/ai-sdk';
import { generateText, streamText } from 'ai';

import { account, model, pause, question as prompt, run } from '../node/harness.js';

// It calls api.cloudflare.com by the global fetch and has no base URL. A header tells the replaced fetch which errand's proxy is
// meant.
const cloudflare = 'https://api.cloudflare.com';
const direct = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const proxy = new Headers(init?.headers).get('x-proxy');
  return direct(String(url).replace(cloudflare, proxy), init);
};

async function call(errand, seen) {
  const ai = createAI({ accountId: account, apiToken: errand.key });
  const options = { model: ai(model), prompt, headers: { 'x-proxy': errand.url } };
  if (!errand.stream) {
    seen.text = (await generateText(options)).text;
    return;
  }
  for await (const part of streamText({ ...options, onError() {} }).fullStream) {
    if (part.type === 'text-delta') {
      seen.text += part.text;
      await pause(errand);
    } else if (part.type === 'error') {
      throw part.error;
    }
  }
}

run({ call });
