import Anthropic from '@anthropic-ai/sdk';

import { model, question, run } from './harness.js';

async function call(errand, seen) {
  const client = new Anthropic({ baseURL: errand.url, authToken: errand.key, apiKey: null, defaultHeaders: errand.header });
  const params = { model, max_tokens: 256, messages: [{ role: 'user', content: question }] };
  if (!errand.stream) {
    const answer = await client.messages.create(params);
    seen.text = answer.content[0].text;
    seen.finish = answer.stop_reason;
    return;
  }
  for await (const event of await client.messages.create({ ...params, stream: true })) {
    if (event.type === 'content_block_delta') {
      seen.text += event.delta.text;
    } else if (event.type === 'message_delta') {
      seen.finish = event.delta.stop_reason;
    }
  }
}

const describe = (error) => ({
  status: error.status,
  code: error.error?.error?.code,
  message: error.message,
  request_id: error.requestID,
});

const classes = {
  spent: Anthropic.RateLimitError,
  'spent-stream': Anthropic.RateLimitError,
  'bad-input': Anthropic.BadRequestError,
  'wrong-key': Anthropic.AuthenticationError,
  operator: Anthropic.InternalServerError,
  'midstream-error': Anthropic.APIError,
  'midstream-cut': Anthropic.APIError,
};

run({ call, describe, classes });
