import { calls, dashboard, increase, rate, rateRange, reference, where } from './dashboard.mjs';
import { bars, curves, green, grey, origins, red, stat, table, unit, yellow } from './panels.mjs';

const all = 'sum(rate(neuronward_requests_total{' + where + '}[' + rateRange + ']))';
const failed = `${calls}, result!~"ok|client_gone"`;

const ok = ['Is it ok?', [
  stat({
    title: 'Failing, not by callers\' fault',
    description: 'Share of all calls that fail and that no caller can fix: Workers AI, the account, this proxy or its settings. '
      + 'Above 1 % look at "By fault" for who can, and at "Top codes" for what to do. No value: there are no calls.',
    queries: [[`${rate('neuronward_errors_total', 'fault!="caller"')} / ${all}`]],
    unit: unit.share, decimals: 2, min: 0, thresholds: [green, [0.01, yellow], [0.05, red]], noValue: 'no calls',
  }),
  stat({
    title: 'Failures now, by origin',
    description: 'Failures delivered to callers: guard is what this proxy refused, upstream what Workers AI answered, proxy what this proxy '
      + 'failed at. Much guard: look at Quota and at "Pre-empted, by reason". Much upstream: cloudflarestatus.com. Any proxy: its log has the reason.',
    queries: [[rate('neuronward_errors_total', '', 'origin'), '{{origin}}']],
    unit: unit.calls, decimals: 2, colours: origins,
  }),
  stat({
    title: '3036 seen upstream',
    description: 'How often Workers AI itself said that the day is spent: the guard missed it, somebody else spends of the account, or the '
      + 'limit is set too high. Should be 0; else compare "External" on Quota with what you expect, and lower NEURONWARD_DAILY_NEURONS.',
    queries: [[increase('neuronward_errors_total', 'name="account_limited", origin="upstream"'), undefined, { instant: true }]],
    unit: unit.count, decimals: 0, thresholds: [green, [0.5, red]], link: reference('account_limited'),
  }),
  stat({
    title: 'For the operator',
    description: 'Failures in this range that only the operator can fix: the token, its permissions, the gateway\'s settings. '
      + 'Should be 0; "Top codes" says which, `neuronward check` shows what is wrong with the credentials.',
    queries: [[increase('neuronward_errors_total', 'fault="operator"'), undefined, { instant: true }]],
    unit: unit.count, decimals: 0, thresholds: [green, [0.5, red]],
  }),
  stat({
    title: 'Unclassified',
    description: 'Upstream failures in this range that the catalog does not know. One is worth a look: the log has a redacted sample of each '
      + 'kind, `neuronward explain -` reads a body. Empty by nature until the first of them: then this shows "none".',
    queries: [[increase('neuronward_unclassified_total'), undefined, { instant: true }]],
    unit: unit.count, decimals: 0, thresholds: [green, [0.5, yellow]], noValue: 'none', noColour: green,
  }),
  stat({
    title: 'Out of capacity (3040)',
    description: 'Failures now because Workers AI has no capacity for a model, after the proxy\'s own retries. If it lasts, move calls to another '
      + 'model; "By model" says from which, Traffic since when.',
    queries: [[rate('neuronward_errors_total', 'name="out_of_capacity"')]],
    unit: unit.calls, decimals: 2, thresholds: [green, [0.1, yellow], [1, red]], link: reference('out_of_capacity'),
  }),
]];

const what = ['What fails', [
  curves({
    title: 'By origin',
    description: 'Who failed calls: guard, this proxy on purpose; upstream, Workers AI; proxy, this proxy by a failure of its own. A new colour, or a '
      + 'step at a "Started" mark, is where to begin.',
    queries: [[rate('neuronward_errors_total', '', 'origin'), '{{origin}}']],
    unit: unit.calls, stacked: true, colours: origins,
  }),
  curves({
    title: 'By fault',
    description: 'Who can fix it: caller, an app sends what is wrong; account, the day or the plan; operator, credentials and settings; upstream, '
      + 'Cloudflare; proxy, a bug here: report it.',
    queries: [[rate('neuronward_errors_total', '', 'fault'), '{{fault}}']],
    unit: unit.calls, stacked: true,
    colours: { caller: grey, account: yellow, operator: red, upstream: origins.upstream, proxy: origins.proxy },
  }),
  curves({
    title: 'By code and name',
    description: 'Each code that occurs. Click on a curve for its page of the error reference, which says what to do. Empty by nature while nothing fails.',
    queries: [[`${rate('neuronward_errors_total', '', 'code, name')} > 0`, '{{code}} {{name}}']],
    unit: unit.calls, legend: 'right', width: 14, height: 10, link: reference('${__field.labels.name}'),
  }),
  table({
    title: 'Top codes',
    description: 'The 15 most frequent codes of this range. A click on a name leads to its page of the error reference (set "Proxy URL" above to '
      + 'where your browser reaches a proxy). Empty by nature while nothing fails.',
    queries: [[`topk(15, ${increase('neuronward_errors_total', '', 'code, name, origin, fault')} > 0)`, undefined, { table: true }]],
    unit: unit.count, width: 10, height: 10, sort: 'failures',
    columns: [
      ['code', 'code'],
      ['name', 'name', undefined, [{ id: 'links', value: [{ ...reference('${__data.fields.name}'), targetBlank: true }] }]],
      ['origin', 'origin', undefined, [
        { id: 'mappings', value: [{ type: 'value', options: Object.fromEntries(Object.entries(origins).map(([text, color], index) => [text, { text, color, index }])) }] },
        { id: 'custom.cellOptions', value: { type: 'color-text' } },
      ]],
      ['fault', 'fault'], ['Value', 'failures', unit.count, [{ id: 'decimals', value: 0 }]],
    ],
  }),
]];

const whose = ['Whose calls fail', [
  curves({
    title: 'By model',
    description: 'Failed calls of the ten models with most of them, whatever the reason; other is a model that the proxy does not know. One model '
      + 'alone: look at its capacity and its limits on Traffic. All of them: the account or the network.',
    queries: [[`topk(10, sum by (model) (rate(neuronward_requests_total{${failed}}[${rateRange}])))`, '{{model}}']],
    unit: unit.calls, legend: 'right',
  }),
  curves({
    title: 'By client',
    description: 'Failed calls of the ten clients with most of them. One client alone is mostly an app that sends what is wrong, a key that was '
      + 'removed, or its own budget: see "By model, client and result".',
    queries: [[`topk(10, sum by (client) (rate(neuronward_requests_total{${failed}}[${rateRange}])))`, '{{client}}']],
    unit: unit.calls, legend: 'right',
  }),
  bars({
    title: 'Share of calls that fail, by model',
    description: 'In this range, the ten worst. A model that nearly always fails was removed, is not allowed, or out of capacity: its code is in the table.',
    queries: [[
      `topk(10, sum by (model) (increase(neuronward_requests_total{${failed}}[$__range])) / sum by (model) (increase(neuronward_requests_total{${calls}, result!="client_gone"}[$__range])))`,
      '{{model}}', { instant: true },
    ]],
    unit: unit.share, decimals: 1, max: 1, width: 10, thresholds: [green, [0.05, yellow], [0.2, red]],
  }),
  table({
    title: 'By model, client and result',
    description: 'Who met which failure, the 20 most frequent of this range. Empty by nature while nothing fails.',
    queries: [[`topk(20, sum by (model, client, result) (increase(neuronward_requests_total{${failed}}[$__range])) > 0)`, undefined, { table: true }]],
    unit: unit.count, width: 14, sort: 'failures',
    columns: [
      ['client', 'client'], ['model', 'model'],
      ['result', 'result', undefined, [{ id: 'links', value: [{ ...reference('${__data.fields.result}'), targetBlank: true }] }]],
      ['Value', 'failures', unit.count, [{ id: 'decimals', value: 0 }]],
    ],
  }),
]];

const preempted = ['Refused here, and refused by Workers AI', [
  curves({
    title: 'Pre-empted beside upstream',
    description: 'Calls that were refused before they reached Workers AI, beside those that failed there. Where the guard works, what it refuses '
      + 'rises instead of 3036 and 3021 from upstream. Both rising together: the limits set here are higher than the account\'s.',
    queries: [
      [rate('neuronward_preempted_total', 'mode="enforce"'), 'pre-empted here'],
      [rate('neuronward_errors_total', 'origin="upstream"'), 'failed upstream'],
      [rate('neuronward_errors_total', 'origin="upstream", name=~"account_limited|requests_per_minute_exceeded"'), 'limits of upstream (3036, 3021)'],
    ],
    unit: unit.calls,
    colours: { 'pre-empted here': origins.guard, 'failed upstream': origins.upstream, 'limits of upstream (3036, 3021)': red },
  }),
  curves({
    title: 'Pre-empted, by reason',
    description: 'Why calls were refused here. account_quota, latched: the day is spent, see Quota. client_budget, priority_floor: a client\'s part of it is. '
      + 'rate: requests per minute, see Traffic. capacity: the model is out of capacity. contended, overload: too much at once. plan: the model needs Workers Paid. model: the operator does not allow it. '
      + 'credentials: Cloudflare refuses this proxy\'s own token.',
    queries: [[rate('neuronward_preempted_total', 'mode="enforce"', 'reason'), '{{reason}}']],
    unit: unit.calls, stacked: true, legend: 'right',
  }),
  curves({
    title: 'Would have been pre-empted (observe mode)',
    description: 'With NEURONWARD_QUOTA_MODE=observe nothing is refused; this is what enforce would refuse. Flat at 0 in enforce mode.',
    queries: [[rate('neuronward_preempted_total', 'mode="observe"', 'reason'), '{{reason}}']],
    unit: unit.calls, legend: 'right',
  }),
  curves({
    title: 'Callers who left',
    description: 'Calls that their callers cancelled. A step up is mostly an app whose time limit is shorter than the answer: compare with the '
      + 'latency on Traffic.',
    queries: [[`sum by (client) (rate(neuronward_requests_total{${calls}, result="client_gone"}[${rateRange}]))`, '{{client}}']],
    unit: unit.calls, legend: 'right',
  }),
]];

const retries = ['Retries, and unknown failures', [
  curves({
    title: 'Retries, by outcome',
    description: 'Retries: recovered, the call succeeded in the end; failed, it did not; budget, not made, because NEURONWARD_RETRY_BUDGET was '
      + 'used up or the model is out of capacity. Much budget or much failed is an outage.',
    queries: [[rate('neuronward_retries_total', '', 'outcome'), '{{outcome}}']],
    unit: unit.attempts, stacked: true, width: 8, colours: { recovered: green, failed: red, budget: yellow },
  }),
  curves({
    title: 'Retries, by code',
    description: 'What was retried: the codes of the attempts before. 3040 is capacity, 90011 a connection that cannot be made.',
    queries: [[rate('neuronward_retries_total', 'outcome=~"recovered|failed"', 'code'), '{{code}}']],
    unit: unit.attempts, width: 8, link: reference('${__field.labels.code}'),
  }),
  curves({
    title: 'Unclassified, by upstream\'s status',
    description: 'Upstream failures that the catalog does not know. The log has a sample of each kind: report it. Empty by nature until the first of them.',
    queries: [[rate('neuronward_unclassified_total', '', 'status'), '{{status}}']],
    unit: unit.calls, width: 8,
  }),
]];

export default dashboard({
  title: 'Errors',
  description: 'What fails, who refused it, who can fix it. Every code is one of the error reference.',
  rows: [ok, what, whose, preempted, retries],
});
