import { calls, dashboard, quantile, quantiles, rate, rateRange, reference, where } from './dashboard.mjs';
import { curves, green, grey, origins, red, stat, states, unit, yellow } from './panels.mjs';

const requests = `neuronward_requests_total{${calls}}`;
const perSecond = (by) => `sum by (${by}) (rate(${requests}[${rateRange}]))`;
const dots = 'A dot is one slow call: its request_id is in the log, the answer\'s headers and the caller\'s error.';

const ok = ['Is it ok?', [
  stat({
    title: 'Calls',
    description: 'Calls that end, of all kinds. 0 while apps should be calling: ask whether they still reach the proxy, and see Fleet.',
    queries: [[`sum(rate(${requests}[${rateRange}]))`]],
    unit: unit.calls, decimals: 2, thresholds: [green],
  }),
  stat({
    title: 'Succeed',
    description: 'Share of calls that succeed, of those whose callers stayed. What fails, and through whose fault, is on Errors. No value: there are no calls.',
    // no series is ok where none ever was, and that is no lack of calls
    queries: [[`(sum(rate(neuronward_requests_total{${calls}, result="ok"}[${rateRange}])) or vector(0)) / sum(rate(neuronward_requests_total{${calls}, result!="client_gone"}[${rateRange}]))`]],
    unit: unit.share, decimals: 1, min: 0, max: 1, thresholds: [red, [0.9, yellow], [0.99, green]], noValue: 'no calls',
  }),
  stat({
    title: 'First byte, p95',
    description: 'Time to the first byte of an answer for 95 % of calls: what people feel. When it rises alone, Workers AI is slow, or calls wait for a rate limit: '
      + 'see "Waiting for a rate limit".',
    queries: [[quantile(0.95, 'neuronward_time_to_first_byte_seconds')]],
    unit: unit.seconds, decimals: 2, thresholds: [green, [5, yellow], [15, red]], noValue: 'no calls',
  }),
  stat({
    title: 'Overhead, p99',
    description: 'What this proxy itself adds, without upstream and without waiting for a slot or a rate limit. Above 5 ms the machine is short of CPU: see Fleet.',
    queries: [[quantile(0.99, 'neuronward_overhead_seconds')]],
    unit: unit.seconds, decimals: 2, thresholds: [green, [0.005, yellow], [0.025, red]], noValue: 'no calls',
  }),
  stat({
    title: 'In flight',
    description: 'Calls that have arrived and not ended, streams included. Each replica serves NEURONWARD_MAX_IN_FLIGHT (1,024) at once; as many again wait, '
      + 'then callers get overloaded. Near that: add replicas.',
    queries: [[`sum(neuronward_requests_in_flight{${where}})`]],
    unit: unit.count, decimals: 0, thresholds: [green], link: reference('overloaded'),
  }),
  stat({
    title: 'Models out of capacity',
    description: 'Models without capacity (3040): most calls of them are refused here. Move calls to another model; it ends by itself.',
    queries: [[`count(max by (model) (neuronward_breaker_open{${where}})) or vector(0)`]],
    unit: unit.count, decimals: 0, thresholds: [green, [1, red]], link: reference('out_of_capacity'),
  }),
]];

const rates = ['Calls', [
  curves({
    title: 'By result',
    description: 'How calls end: ok, client_gone (the caller left), or failed. Which failures is on Errors.',
    queries: [
      [`sum(rate(neuronward_requests_total{${calls}, result="ok"}[${rateRange}]))`, 'ok'],
      [`sum(rate(neuronward_requests_total{${calls}, result="client_gone"}[${rateRange}])) or vector(0)`, 'client_gone'],
      [`sum(rate(neuronward_requests_total{${calls}, result!~"ok|client_gone"}[${rateRange}])) or vector(0)`, 'failed'],
    ],
    unit: unit.calls, stacked: true, colours: { ok: green, client_gone: grey, failed: red },
  }),
  curves({
    title: 'By route',
    description: 'Which API apps use; none is a path that is not proxied, mostly a wrong base URL.',
    queries: [[perSecond('route'), '{{route}}']],
    unit: unit.calls, stacked: true, legend: 'right',
  }),
  curves({
    title: 'By model',
    description: 'The ten models with most calls; other is one that the proxy does not know. A step is a new release of an app.',
    queries: [[`topk(10, ${perSecond('model')})`, '{{model}}']],
    unit: unit.calls, stacked: true, legend: 'right',
  }),
  curves({
    title: 'By client',
    description: 'The ten clients with most calls; anonymous without a clients file or without a key. One that rises alone may loop: give it requests_per_minute.',
    queries: [[`topk(10, ${perSecond('client')})`, '{{client}}']],
    unit: unit.calls, stacked: true, legend: 'right',
  }),
]];

const time = ['Time', [
  curves({
    title: 'Calls without a stream',
    description: `Arrival to the last byte. Compare with "First byte": where both rise, Workers AI is slow or calls wait for a rate limit. ${dots}`,
    queries: quantiles('neuronward_request_duration_seconds', 'stream="false"', true),
    unit: unit.seconds, colours: { p50: green, p95: yellow, p99: red },
  }),
  curves({
    title: 'Streams',
    description: `Arrival to the last event: long by nature, as long as people read. A p99 that sticks at NEURONWARD_STREAM_IDLE_TIMEOUT is streams that fall silent. ${dots}`,
    queries: quantiles('neuronward_request_duration_seconds', 'stream="true"', true),
    unit: unit.seconds, colours: { p50: green, p95: yellow, p99: red },
  }),
  curves({
    title: 'First byte',
    description: `Arrival to the first byte of the answer. A p99 that sticks at NEURONWARD_FIRST_BYTE_TIMEOUT is calls that never get one. ${dots}`,
    queries: quantiles('neuronward_time_to_first_byte_seconds', '', true),
    unit: unit.seconds, width: 8, colours: { p50: green, p95: yellow, p99: red },
  }),
  curves({
    title: 'First byte, p95 by route',
    description: 'Which API is slow. run/{model} carries images and speech, which take longer by nature.',
    queries: [[quantile(0.95, 'neuronward_time_to_first_byte_seconds', '', 'route'), '{{route}}']],
    unit: unit.seconds, width: 8,
  }),
  curves({
    title: 'Overhead',
    description: 'What this proxy itself adds before an answer\'s headers. Tenths of a millisecond are usual; when it rises with CPU on Fleet, add CPU or replicas.',
    queries: quantiles('neuronward_overhead_seconds'),
    unit: unit.seconds, width: 8, colours: { p50: green, p95: yellow, p99: red },
  }),
]];

const streams = ['Streams and load', [
  curves({
    title: 'Streams beside other calls',
    description: 'Calls that end, by whether they were streams. Streams hold their slot for long: in flight follows them.',
    queries: [
      [rate('neuronward_request_duration_seconds_count', 'stream="true"'), 'streams'],
      [rate('neuronward_request_duration_seconds_count', 'stream="false"'), 'other calls'],
    ],
    unit: unit.calls, stacked: true, width: 8,
  }),
  curves({
    title: 'Streams cut by upstream',
    description: 'Streams that Workers AI began and did not end: callers got stream_interrupted as their last event. Many at once is an outage at '
      + 'Cloudflare, or a proxy between here and there that cuts long connections.',
    queries: [[rate('neuronward_errors_total', 'name="stream_interrupted"'), 'stream_interrupted']],
    unit: unit.calls, decimals: 2, width: 8, colours: { stream_interrupted: origins.proxy }, link: reference('stream_interrupted'),
  }),
  curves({
    title: 'In flight and queued',
    description: 'Calls that have not ended, by process, and those of them that wait for a slot. Any queue that stays: add replicas, or raise '
      + 'NEURONWARD_MAX_IN_FLIGHT with the memory for it.',
    queries: [
      [`sum by (instance) (neuronward_requests_in_flight{${where}})`, '{{instance}}'],
      [`sum by (instance) (neuronward_requests_queued{${where}})`, '{{instance}} queued'],
    ],
    unit: unit.count, decimals: 0, width: 8, matching: [['queued$', red]],
  }),
  curves({
    title: 'WebSocket sessions',
    description: 'Sessions with models of real time that are open, by process. Each process takes NEURONWARD_MAX_SESSIONS (512) at once.',
    queries: [[`sum by (instance) (neuronward_sessions{${where}})`, '{{instance}}']],
    unit: unit.count, decimals: 0, width: 8,
  }),
  curves({
    title: 'Sound and characters in WebSockets',
    description: 'What is counted of sessions: seconds of sound given to models, characters given to be spoken; a second.',
    queries: [
      [rate('neuronward_session_sound_seconds_total'), 'seconds of sound'],
      [rate('neuronward_session_characters_total'), 'characters'],
    ],
    unit: unit.count, decimals: 1, width: 8,
  }),
  curves({
    title: 'WebSocket messages',
    description: 'Messages that pass: in from apps, out from models. In without out is a model that does not answer: look at Errors, and at the log for '
      + 'closed_by_upstream.',
    queries: [[`sum by (direction) (rate(neuronward_session_messages_total{${where}}[${rateRange}]))`, '{{direction}}']],
    unit: unit.count, decimals: 1, width: 8,
  }),
]];

const limits = ['Cloudflare\'s limits', [
  curves({
    title: 'Pace',
    description: 'Requests a minute that pass at present, of all replicas together, by task or, where one has a limit of its own, model. A drop is 3021 from '
      + 'Workers AI: somebody else spends the same limit. It recovers within about five minutes. Empty by nature until a limit was used, and with NEURONWARD_RATE_LIMITS=off.',
    queries: [[`sum by (job, task, model) (neuronward_pace_requests_per_minute{${where}, model=~"$model"})`, '{{task}} {{model}}']],
    unit: unit.perMinute, decimals: 0, legend: 'right',
  }),
  curves({
    title: 'Waiting for a rate limit',
    description: 'How long calls wait for their limits of requests per minute. When p99 nears NEURONWARD_RATE_WAIT (5 s), calls begin to be rate_limited: '
      + 'spread batch jobs over time, or have the limit raised and say so in NEURONWARD_RATE_LIMITS.',
    queries: quantiles('neuronward_rate_wait_seconds'),
    unit: unit.seconds, colours: { p50: green, p95: yellow, p99: red }, link: reference('rate_limited'),
  }),
  curves({
    title: 'Refused for pace, capacity or load',
    description: 'rate: the wait would have been too long. capacity: the model is out of capacity. overload: too many calls at once. Each has a page in the error '
      + 'reference: rate_limited, out_of_capacity, overloaded.',
    queries: [[rate('neuronward_preempted_total', 'mode="enforce", reason=~"rate|capacity|overload"', 'reason'), '{{reason}}']],
    unit: unit.calls, stacked: true,
  }),
  states({
    title: 'Models out of capacity over time',
    description: 'When models had no capacity, so that most calls of them were refused here. Long bars: move calls to another model. '
      + 'Empty by nature while Workers AI has capacity.',
    queries: [[`max by (model) (neuronward_breaker_open{${where}, model=~"$model"})`, '{{model}}']],
    unit: unit.count, mappings: { 1: { text: 'no capacity', color: red, index: 0 } }, thresholds: [red], height: 8,
  }),
]];

export default dashboard({
  title: 'Traffic',
  description: 'How many calls, how fast, what they wait for.',
  rows: [ok, rates, time, streams, limits],
});
