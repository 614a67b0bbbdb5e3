import { createAnthropic } from '@ai-sdk/anthropic';

import { model, run } from './harness.js';
import { callWith } from './vercel.js';

run({ call: callWith((errand) => createAnthropic({ baseURL: `${errand.url}/v1`, apiKey: errand.key })(model)) });
