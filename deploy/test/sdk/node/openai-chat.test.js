import { model, question, run } from './harness.js';
import { classes, client, describe } from './openai.js';

const messages = [{ role: 'user', content: question }];

async function call(errand, seen) {
  const completions = client(errand).chat.completions;
  if (!errand.stream) {
    const { choices } = await completions.create({ model, messages });
    seen.text = choices[0].message.content;
    seen.finish = choices[0].finish_reason;
    return;
  }
  for await (const { choices } of await completions.create({ model, messages, stream: true })) {
    seen.text += choices[0]?.delta.content ?? '';
    seen.finish += choices[0]?.finish_reason ?? '';
  }
}

run({ call, describe, classes });
