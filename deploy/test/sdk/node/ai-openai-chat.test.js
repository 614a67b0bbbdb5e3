import { createOpenAI } from '@ai-sdk/openai';

import { model, run } from './harness.js';
import { callWith } from './vercel.js';

run({ call: callWith((errand) => createOpenAI({ baseURL: `${errand.url}/v1`, apiKey: errand.key }).chat(model)) });
