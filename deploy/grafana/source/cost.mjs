import { account, calls, dashboard, where } from './dashboard.mjs';
import { bars, curves, green, grey, red, stat, unit, yellow } from './panels.mjs';

const free = 10000; // neurons a day that cost nothing on every plan

const dollars = (window) => `max by (job) (neuronward_cost_usd{${where}, window="${window}"})`;
const today = dollars('day');
const month = dollars('month');
const wholeDay = `max by (job) (max_over_time(neuronward_cost_usd{${where}, window="day"}[1d]))`;
const usual = `avg_over_time((${wholeDay})[7d:1d])`;
const counted = ['used', 'external', 'lost'].map((part) => account(`neuronward_neurons_${part}`)).join(' + ');

/** Each one's part of the month's dollars, by its part of the neurons that calls cost in the range of the dashboard. */
function parts(by) {
  const all = `sum by (job) (increase(neuronward_neurons_total{${where}}[$__range]))`;
  const each = `sum by (job, ${by}) (increase(neuronward_neurons_total{${calls}}[$__range]))`;
  return `topk(15, sum by (${by}) (${each} / on (job) group_left () (${all} > 0) * on (job) group_left () (${month})))`;
}

const exact = 'About: neurons of the range shown, which begins with the month, share its dollars. `neuronward usage --days 31 --csv` has the exact bill by day, model and client.';

const now = ['Is it ok?', [
  stat({
    title: 'Today',
    description: 'What the account\'s neurons of today (UTC) cost beyond the 10,000 free ones, with what others spent. If it is far above a usual day, "By client" '
      + 'says whom to ask.',
    queries: [[today, '{{job}}']],
    unit: unit.dollars, decimals: 2, thresholds: [grey],
  }),
  stat({
    title: 'This month',
    description: 'What the calendar month (UTC) has cost until now. Compare it with Cloudflare\'s invoice; `neuronward usage --days 31 --csv` has the rows.',
    queries: [[month, '{{job}}']],
    unit: unit.dollars, decimals: 2, thresholds: [grey],
  }),
  stat({
    title: 'The month will cost',
    description: 'The whole month, if its rest is like the last seven whole days. If that is too much, set NEURONWARD_MONTHLY_NEURONS, or budgets in the clients file. '
      + 'Empty by nature until a whole day was counted.',
    queries: [[dollars('month_forecast'), '{{job}}']],
    unit: unit.dollars, decimals: 2, thresholds: [grey], noValue: 'after a whole day',
  }),
  stat({
    title: 'Of a usual day',
    description: 'Today\'s dollars over the average of the last seven days. Above 3 NeuronwardCostUnusual fires: its runbook says how to find the cause. '
      + 'Empty by nature until Prometheus has seen a day end that cost something.',
    queries: [[`${today} / (${usual} > 0)`, '{{job}}']],
    unit: 'suffix:×', decimals: 1, thresholds: [green, [2, yellow], [3, red]], noValue: 'after a day',
  }),
  stat({
    title: 'Free neurons left',
    description: 'Of the 10,000 that cost nothing each day (UTC). At 0 each further neuron costs dollars until 00:00 UTC; on the free plan it is refused.',
    queries: [[`clamp_min(${free} - (${counted}), 0)`, '{{job}}']],
    unit: unit.neurons, decimals: 0, thresholds: [grey],
  }),
  stat({
    title: 'Left of the month\'s limit',
    description: 'Share of NEURONWARD_MONTHLY_NEURONS that is left. At 0 calls are refused until the first of the next month: raise it, or slow down whoever is first '
      + 'below. Empty by nature without a limit of the month.',
    queries: [[`${account('neuronward_neurons_month_remaining', 'min')} / ${account('neuronward_neurons_month_limit')}`, '{{job}}']],
    unit: unit.share, decimals: 1, min: 0, max: 1, thresholds: [red, [0.05, yellow], [0.2, green]], noValue: 'no limit',
  }),
]];

const days = ['Days', [
  curves({
    title: 'Dollars, by day',
    description: 'A bar for each day (UTC), at the 00:00 that ended it; the last one, of today, grows. A day that stands out: set the range to it and see "By client" and "By model".',
    queries: [[wholeDay, '{{job}}']],
    unit: unit.dollars, decimals: 2, width: 16, height: 10, bars: true, interval: '1d',
  }),
  curves({
    title: 'The month until then',
    description: 'What the month had cost until then, and what it was then going to cost. Where the second keeps rising, spending does: compare with the budget that you have. '
      + 'Empty by nature, but for the first, until a whole day was counted.',
    queries: [[month, '{{job}} until then'], [dollars('month_forecast'), '{{job}} whole month']],
    unit: unit.dollars, decimals: 2, width: 8, height: 10, matching: [['whole month$', grey]],
  }),
]];

const who = ['Who spends', [
  bars({
    title: 'By client',
    description: `Each client's part of the month's dollars. The first is whom to ask, or to give a budget in the clients file. ${exact}`,
    queries: [[parts('client'), '{{client}}', { instant: true }]],
    unit: unit.dollars, decimals: 2,
  }),
  bars({
    title: 'By model',
    description: `Each model's part of the month's dollars. A cheaper model in place of the first saves most; \`neuronward plan\` compares them. ${exact}`,
    queries: [[parts('model'), '{{model}}', { instant: true }]],
    unit: unit.dollars, decimals: 2,
  }),
  curves({
    title: 'Neurons a day, by client',
    description: 'What calls of each client cost in the 24 hours before, without what others spent. A step is a new job or a new release of an app: ask its team.',
    queries: [[`topk(10, sum by (client) (increase(neuronward_neurons_total{${calls}}[1d])))`, '{{client}}']],
    unit: unit.neurons, decimals: 0, stacked: true, legend: 'right', width: 24,
  }),
]];

export default dashboard({
  title: 'Cost',
  description: 'What the account\'s neurons cost in US dollars: today, this month and by its end, day by day, and who spends them.',
  rows: [now, days, who],
  from: 'now/M',
});
