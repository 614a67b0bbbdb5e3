import { account, calls, dashboard, quantile, rate, rateRange, reference, where } from './dashboard.mjs';
import { bars, curves, green, grey, origins, red, stat, states, table, unit, yellow } from './panels.mjs';

const hour = 3600;
const day = 24 * hour;

const used = account('neuronward_neurons_used');
const remaining = account('neuronward_neurons_remaining', 'min');
const limit = account('neuronward_neurons_limit');
const untilReset = `${account('neuronward_quota_reset_timestamp_seconds')} - time()`;
const untilSpent = `(min by (job) (neuronward_quota_exhaustion_timestamp_seconds{${where}} > 0)) - time()`;
const noLimit = 'Empty by nature without a limit (NEURONWARD_DAILY_NEURONS=0).';

const block = { 0: { text: 'none', color: green, index: 0 }, 1: { text: 'SPENT', color: red, index: 1 } };

/** Neurons an hour that calls cost at present. */
function burn(by) {
  return `sum by (${by}) (rate(neuronward_neurons_total{${calls}}[${rateRange}])) * ${hour}`;
}

const ok = ['Is it ok?', [
  stat({
    title: 'Of the limit',
    description: 'Share of the day\'s limit that is not available any more: used, reserved, spent by others, lost. Above 80 % calls of low priority stop, above 95 % those '
      + `of normal priority. "Who spends" says whom to ask. ${noLimit}`,
    queries: [[`1 - ${remaining} / ${limit}`, '{{job}}']],
    unit: unit.share, decimals: 1, min: 0, max: 1, thresholds: [green, [0.8, yellow], [0.95, red]], noValue: 'no limit',
  }),
  stat({
    title: 'Remaining',
    description: `What is left of the day. Near 0, calls are refused with account_limited until the reset. ${noLimit}`,
    queries: [[remaining, '{{job}}']],
    unit: unit.neurons, decimals: 0, thresholds: [red, [1, yellow], [500, green]], noValue: 'no limit', link: reference('account_limited'),
  }),
  stat({
    title: 'Spent in',
    description: 'When the day will be spent at the rate of the last hour, if before the reset. Red: within half an hour. Slow down whoever is first under '
      + '"Who spends", by a budget in the clients file, or raise the plan.',
    queries: [[`clamp_min(${untilSpent}, 0) or (${account('neuronward_quota_exhaustion_timestamp_seconds')} == 0) - 1`, '{{job}}']],
    unit: unit.duration, thresholds: [red, [hour / 2, yellow], [3 * hour, green]],
    mappings: { '-1': { text: 'not before the reset', color: green, index: 0 } },
  }),
  stat({
    title: 'Reset in',
    description: 'Until 00:00 UTC, when the next day begins. Nothing to do: it says how long "Remaining" must last.',
    queries: [[untilReset, '{{job}}']],
    unit: unit.duration, thresholds: [grey],
  }),
  stat({
    title: 'Burn rate',
    description: 'What calls cost at present, over what would just last until the reset. Above 1 the day ends early if this goes on. '
      + noLimit,
    queries: [[`(sum by (job) (rate(neuronward_neurons_total{${where}}[${rateRange}]))) / (clamp_min(${remaining}, 1) / (${untilReset}))`, '{{job}}']],
    unit: 'suffix:×', decimals: 2, thresholds: [green, [1, yellow], [3, red]], noValue: 'no limit',
  }),
  stat({
    title: 'Quota block',
    description: 'SPENT: Workers AI itself said 3036, and calls are refused until the reset, but for one every NEURONWARD_QUOTA_PROBE. If neurons are left '
      + 'by our count, somebody else spends of the account: see "The day".',
    queries: [[account('neuronward_quota_latched'), '{{job}}']],
    unit: unit.count, mappings: block, thresholds: [green, [1, red]], link: reference('account_limited'),
  }),
]];

const theDay = ['The day', [
  curves({
    title: 'The account\'s day',
    description: 'Where the day\'s neurons are: used by calls, reserved by calls in flight, external (spent outside these proxies by the account\'s own '
      + 'figure), lost (held by processes that died, back at the reset), remaining. Much external: find who else has a token. Much lost: processes are killed '
      + 'without their grace period.',
    queries: [
      [used, '{{job}} used'], [account('neuronward_neurons_reserved'), '{{job}} reserved'],
      [account('neuronward_neurons_external'), '{{job}} external'], [account('neuronward_neurons_lost'), '{{job}} lost'],
      [remaining, '{{job}} remaining'], [limit, '{{job}} limit'],
    ],
    unit: unit.neurons, decimals: 0, stacked: true, width: 16, height: 10,
    matching: [['used$', origins.guard], ['reserved$', '#8AB8FF'], ['external$', origins.upstream], ['lost$', red], ['remaining$', '#37872D'], ['limit$', grey]],
    lines: 'limit$',
  }),
  curves({
    title: 'Forecast',
    description: 'Until the day will be spent at the rate of the last hour, and until the reset. Where the first is the lower one, the day ends early. '
      + 'Empty by nature while the day lasts: then there is only the second.',
    queries: [[`clamp_min(${untilSpent}, 0)`, '{{job}} spent in'], [untilReset, '{{job}} reset in']],
    unit: unit.seconds, max: day, width: 8, height: 10, matching: [['spent in$', red], ['reset in$', grey]],
  }),
  curves({
    title: 'Burn rate over time',
    description: 'Neurons an hour that calls cost, and as many as would just last until the reset. While the first stays above the second, the day ends '
      + 'early. The second is missing without a limit.',
    queries: [
      [`sum by (job) (rate(neuronward_neurons_total{${where}}[${rateRange}])) * ${hour}`, '{{job}} at present'],
      [`(${remaining}) / (${untilReset}) * ${hour}`, '{{job}} would last'],
    ],
    unit: unit.neuronsPerHour, decimals: 0, matching: [['at present$', origins.guard], ['would last$', green]],
  }),
  curves({
    title: 'Refused for neurons, by reason',
    description: 'account_quota: the limit. client_budget, priority_floor: the client\'s own budget, or its priority. contended: calls in flight held the '
      + 'rest; smaller max_tokens reserve less. latched: the quota block, Workers AI said so. plan: the model needs Workers Paid. model: the operator does not allow it.',
    queries: [[rate('neuronward_preempted_total', 'mode="enforce", reason=~"account_quota|client_budget|contended|priority_floor|latched|plan"', 'reason'), '{{reason}}']],
    unit: unit.calls, stacked: true,
  }),
  states({
    title: 'Quota block over time',
    description: 'When Workers AI itself said that the day is spent. SPENT before the limit is reached: the limit is too high, or somebody else spends.',
    queries: [[account('neuronward_quota_latched'), '{{job}}']],
    unit: unit.count, mappings: block, thresholds: [green, [1, red]], width: 24, height: 4,
  }),
]];

const who = ['Who spends', [
  curves({
    title: 'Used today, by client',
    description: 'What each client has spent of the day. The steepest is whom to ask. Empty by nature without a clients file.',
    queries: [[`max by (job, client) (neuronward_client_neurons_used{${where}, client=~"$client"})`, '{{client}}']],
    unit: unit.neurons, decimals: 0, legend: 'right',
  }),
  table({
    title: 'Budgets',
    description: 'Each client\'s day against its budget. At 100 % its calls are client_budget_exhausted until the reset; raise daily_neurons in the clients '
      + 'file, which is read again by itself. Empty by nature without budgets in a clients file.',
    queries: [
      [`max by (client) (neuronward_client_neurons_used{${where}, client=~"$client"})`, undefined, { table: true }],
      [`max by (client) (neuronward_client_neurons_limit{${where}, client=~"$client"})`, undefined, { table: true }],
      [`max by (client) (neuronward_client_neurons_used{${where}, client=~"$client"}) / max by (client) (neuronward_client_neurons_limit{${where}, client=~"$client"})`, undefined, { table: true }],
    ],
    by: 'client', unit: unit.neurons, width: 12, sort: 'of it', thresholds: [green, [0.8, yellow], [0.95, red]],
    columns: [
      ['client', 'client'], ['Value #A', 'used', unit.neurons, [{ id: 'decimals', value: 0 }]], ['Value #B', 'budget', unit.neurons, [{ id: 'decimals', value: 0 }]],
      ['Value #C', 'of it', unit.share, [
        { id: 'decimals', value: 0 }, { id: 'min', value: 0 }, { id: 'max', value: 1 }, { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'gradient' } },
      ]],
    ],
  }),
  curves({
    title: 'Left of the month',
    description: 'What is left of the calendar month (UTC), as a share of its limit: of the account, and of each client with monthly_neurons. At 0 calls are refused '
      + 'until the first of the next month; raise the limit, or slow down whoever burns most. Empty by nature without limits of the month.',
    queries: [
      [`${account('neuronward_neurons_month_remaining', 'min')} / ${account('neuronward_neurons_month_limit')}`, 'account'],
      [`min by (client) (neuronward_client_neurons_month_remaining{${where}, client=~"$client"}) / max by (client) (neuronward_client_neurons_month_limit{${where}, client=~"$client"})`, '{{client}}'],
    ],
    unit: unit.share, decimals: 1, min: 0, max: 1, legend: 'right', width: 24,
  }),
  curves({
    title: 'Burn rate, by client',
    description: 'Neurons an hour, by client. A step is a new job or a new release of an app: ask its team.',
    queries: [[`topk(10, ${burn('client')})`, '{{client}}']],
    unit: unit.neuronsPerHour, decimals: 0, stacked: true, legend: 'right',
  }),
  curves({
    title: 'Burn rate, by model',
    description: 'Neurons an hour, by model. An expensive model that rises is where a cheaper one saves most; `neuronward usage` shows the day by model.',
    queries: [[`topk(10, ${burn('model')})`, '{{model}}']],
    unit: unit.neuronsPerHour, decimals: 0, stacked: true, legend: 'right',
  }),
]];

const dollars = (window) => `max by (job) (neuronward_cost_usd{${where}, window="${window}"})`;

const cost = ['What it costs', [
  stat({
    title: 'Dollars today',
    description: 'What the account\'s neurons of today (UTC) cost beyond the 10,000 free ones. Three times a usual day: `neuronward usage` says which client and model.',
    queries: [[dollars('day'), '{{job}}']],
    unit: unit.dollars, decimals: 2, thresholds: [grey],
  }),
  stat({
    title: 'Dollars this month',
    description: 'What the calendar month (UTC) has cost until now. `neuronward usage` says what it will come to, and `usage --days 31 --csv` has the bill by day, model and client.',
    queries: [[dollars('month'), '{{job}}']],
    unit: unit.dollars, decimals: 2, thresholds: [grey],
  }),
  curves({
    title: 'Dollars over time',
    description: 'What today and this month have cost until then; both begin anew at 00:00 UTC. A day that climbs earlier than those before it: ask whoever is first under "Who spends".',
    queries: [[dollars('day'), '{{job}} today'], [dollars('month'), '{{job}} this month']],
    unit: unit.dollars, decimals: 2, min: 0, width: 16,
  }),
]];

const known = ['How well it is known', [
  curves({
    title: 'Source of the figures',
    description: 'Where the figures come from: reported by Workers AI, priced by the table, estimated. Much estimated: answers that are cut, time limits that '
      + 'are too short, or models without a price; the day is then counted higher than it is billed.',
    queries: [[`sum by (basis) (rate(neuronward_neurons_total{${calls}}[${rateRange}]))`, '{{basis}}']],
    unit: 'suffix:neurons/s', decimals: 2, stacked: 'share', width: 8, colours: { reported: green, priced: origins.guard, estimated: yellow },
  }),
  curves({
    title: 'Estimate ratio, by task',
    description: 'What calls cost over what was reserved for them: half of them, and nearly all. Far below 1, calls wait for neurons that other calls hold and do not use: '
      + 'send max_tokens, and leave NEURONWARD_ESTIMATE at tight.',
    queries: [
      [quantile(0.5, 'neuronward_estimate_ratio', '', 'task'), '{{task}} p50'],
      [quantile(0.99, 'neuronward_estimate_ratio', '', 'task'), '{{task}} p99'],
    ],
    unit: unit.share, width: 8, thresholds: ['transparent', [1, red]],
  }),
  curves({
    title: 'Reserved too little',
    description: 'Share of calls that cost more than was reserved. It should be near 0, and with NEURONWARD_ESTIMATE=bound 0: a model\'s price is wrong '
      + 'then, see `/status` for the prices\' age.',
    queries: [[`1 - ${rate('neuronward_estimate_ratio_bucket', 'le=~"1|1.0"', 'task')} / ${rate('neuronward_estimate_ratio_count', '', 'task')}`, '{{task}}']],
    unit: unit.share, decimals: 2, width: 8, thresholds: ['transparent', [0.02, red]],
  }),
  curves({
    title: 'Age of the account\'s own figure',
    description: 'How far back Cloudflare\'s own count reaches with which ours was last compared. It lags some minutes by nature; beyond half an hour '
      + 'spending by others is not seen. Empty by nature until it was read once, with NEURONWARD_RECONCILE=0, or without Account Analytics: Read.',
    queries: [[`time() - (${account('neuronward_reconcile_timestamp_seconds')} > 0)`, '{{job}}']],
    unit: unit.seconds, width: 8, thresholds: ['transparent', [1800, red]],
  }),
  curves({
    title: 'Readings of it that failed',
    description: 'Mostly a token without Account Analytics: Read, or Cloudflare\'s GraphQL being down. The log says which; neuronward check asks for it.',
    queries: [[`sum by (job) (increase(neuronward_reconcile_failures_total{${where}}[${rateRange}]))`, '{{job}}']],
    unit: unit.count, decimals: 0, width: 8,
  }),
  curves({
    title: 'Tokens',
    description: 'Tokens that Workers AI reported: input, cached_input (cheaper), output. Output that rises alone is a missing max_tokens.',
    queries: [[`sum by (kind) (rate(neuronward_tokens_total{${where}, model=~"$model"}[${rateRange}]))`, '{{kind}}']],
    unit: unit.tokens, decimals: 0, width: 8, stacked: true,
  }),
]];

export default dashboard({
  title: 'Quota',
  description: 'The account\'s day: what is used, what is left, when it will be spent, and who spends it.',
  rows: [ok, theDay, who, cost, known],
  from: 'now/d',
});
