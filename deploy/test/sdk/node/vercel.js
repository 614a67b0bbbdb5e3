// Shared by the providers of the Vercel AI SDK.
import { APICallError, generateText, RetryError, streamText } from 'ai';

import { question, run } from './harness.js';

const prompt = question;

/** Runs every errand with the model that provide(errand) returns. */
export function runWith(provide, { describeStream, streamClasses }) {
  async function call(errand, seen) {
    const model = provide(errand);
    if (!errand.stream) {
      const { text, finishReason } = await generateText({ model, prompt });
      seen.text = text;
      seen.finish = finishReason;
      return;
    }
    for await (const part of streamText({ model, prompt, onError() {} }).fullStream) {
      if (part.type === 'text-delta') {
        seen.text += part.text;
      } else if (part.type === 'finish') {
        seen.finish = part.finishReason;
      } else if (part.type === 'error') {
        throw part.error;
      }
    }
  }

  const describe = (error) => {
    const last = RetryError.isInstance(error) ? error.lastError : error;
    if (!APICallError.isInstance(last)) {
      return describeStream(last);
    }
    const envelope = JSON.parse(last.responseBody);
    return { status: last.statusCode, code: envelope.error.code, message: last.message, request_id: last.responseHeaders['x-request-id'] };
  };

  const classes = {
    spent: RetryError,
    'spent-stream': RetryError,
    'bad-input': APICallError,
    'wrong-key': APICallError,
    operator: RetryError,
    ...streamClasses,
  };
  run({ call, describe, classes });
}
