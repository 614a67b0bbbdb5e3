import { model, question, run } from './harness.js';
import { classes, client, describe } from './openai.js';

async function call(errand, seen) {
  const responses = client(errand).responses;
  if (!errand.stream) {
    const answer = await responses.create({ model, input: question });
    seen.text = answer.output_text;
    seen.finish = answer.status;
    return;
  }
  for await (const event of await responses.create({ model, input: question, stream: true })) {
    if (event.type === 'response.output_text.delta') {
      seen.text += event.delta;
    } else if (event.type === 'response.completed') {
      seen.finish = event.response.status;
    }
  }
}

run({ call, describe, classes });
