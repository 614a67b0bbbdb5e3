// Shared by the providers of the Vercel AI SDK.
import { APICallError, generateText, RetryError, streamText } from 'ai';

import { maxRetries, pause, question, run } from './harness.js';

const prompt = question;

/** Makes the call of an errand with the model that provide(errand) returns. */
export const callWith = (provide) => async (errand, seen) => {
  const model = provide(errand);
  if (!errand.stream) {
    const { text, finishReason } = await generateText({ model, prompt, maxRetries });
    seen.text = text;
    seen.finish = finishReason;
    return;
  }
  for await (const part of streamText({ model, prompt, maxRetries, onError() {} }).fullStream) {
    if (part.type === 'text-delta') {
      seen.text += part.text;
      await pause(errand);
    } else if (part.type === 'finish') {
      seen.finish = part.finishReason;
    } else if (part.type === 'error') {
      throw part.error;
    }
  }
};

/** Runs every errand with the model that provide(errand) returns. */
export function runWith(provide, { describeStream, streamClasses }) {
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
  run({ call: callWith(provide), describe, classes });
}
