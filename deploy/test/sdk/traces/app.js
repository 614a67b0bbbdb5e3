// An app that makes one call with the SDK `openai`, and exports its spans as OpenTelemetry's own variables say.
'use strict';
const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { OpenAIInstrumentation } = require('@opentelemetry/instrumentation-openai');
const { UndiciInstrumentation } = require('@opentelemetry/instrumentation-undici');

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'app' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation(), new UndiciInstrumentation()] });

const { OpenAI } = require('openai'); // behind the instrumentation, which changes it

async function main() {
  const ai = new OpenAI({ baseURL: process.env.APP_BASE_URL, apiKey: 'none', maxRetries: 0 });
  const answer = await ai.chat.completions.create(
    { model: '@cf/meta/llama-3.1-8b-instruct-fp8', messages: [{ role: 'user', content: 'Hello' }] },
    { headers: { 'x-simulate': 'session=traced; 3040; times=2' } },
  );
  console.log(answer.choices[0].message.content);
  await provider.shutdown();
}

main();
