import { createWorkersAI } from 'workers-ai-provider';

import { account, model } from './harness.js';
import { runWith } from './vercel.js';

const cloudflare = 'https://api.cloudflare.com';

// It has no base URL; its fetch option is the way to a proxy.
const provide = (errand) =>
  createWorkersAI({
    accountId: account,
    apiKey: errand.key,
    fetch: (url, init) => fetch(String(url).replace(cloudflare, errand.url), init),
  })(model, { extraHeaders: errand.header });

runWith(provide, {
  describeStream: (error) => ({ message: error.message }),
  streamClasses: { 'midstream-error': TypeError, 'midstream-cut': TypeError },
});
