import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { StreamProviderError } from 'ai';

import { model } from './harness.js';
import { runWith } from './vercel.js';

const provide = (errand) =>
  createOpenAICompatible({ name: 'neuronward', baseURL: `${errand.url}/v1`, apiKey: errand.key, headers: errand.header })(model);

runWith(provide, {
  describeStream: (error) => ({ code: error.code, message: error.message }),
  streamClasses: { 'midstream-error': StreamProviderError, 'midstream-cut': StreamProviderError },
});
