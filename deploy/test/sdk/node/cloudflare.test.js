import Cloudflare from 'cloudflare';

import { account, EventError, model, question, readNative, run } from './harness.js';

async function call(errand, seen) {
  const client = new Cloudflare({ baseURL: `${errand.url}/client/v4`, apiToken: errand.key, defaultHeaders: errand.header });
  const params = { account_id: account, messages: [{ role: 'user', content: question }] };
  if (!errand.stream) {
    seen.text = (await client.ai.run(model, params)).response;
    return;
  }
  // It has no streams; this is its documented way to a raw response.
  await readNative(await client.ai.run(model, { ...params, stream: true }).asResponse(), seen);
}

const describe = (error) =>
  error instanceof EventError
    ? { class: 'an event', code: error.envelope.error.code, message: error.message, request_id: error.envelope.request_id }
    : {
        status: error.status,
        code: String(error.errors?.[0]?.code ?? ''),
        message: error.message,
        request_id: error.headers?.get('x-request-id'),
      };

const classes = {
  spent: Cloudflare.RateLimitError,
  'spent-stream': Cloudflare.RateLimitError,
  'bad-input': Cloudflare.BadRequestError,
  'wrong-key': Cloudflare.AuthenticationError,
  operator: Cloudflare.InternalServerError,
  'midstream-error': EventError,
  'midstream-cut': EventError,
};

run({ call, describe, classes });
