// What the five dashboards have in common: variables, links to each other, annotations.
import {
  AnnotationQueryBuilder, DashboardBuilder, DashboardCursorSync, DatasourceVariableBuilder, QueryVariableBuilder, RowBuilder,
  TextBoxVariableBuilder, VariableRefresh, VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';

import { datasource } from './panels.mjs';

/** Selects the processes that the variables pick. */
export const where = 'job=~"$job", instance=~"$instance"';

/** The same for series of an app's calls. */
export const calls = `${where}, model=~"$model", client=~"$client"`;

/** Range of a rate that moves with the dashboard's resolution. */
export const rateRange = '$__rate_interval';

/** What each second brings, of a counter with further matchers and by labels. */
export function rate(series, labels = '', by = '') {
  const selector = [where, labels].filter(Boolean).join(', ');
  return `sum${by && ` by (${by})`} (rate(${series}{${selector}}[${rateRange}]))`;
}

/** What the dashboard's time range brought, of a counter. */
export function increase(series, labels = '', by = '') {
  const selector = [where, labels].filter(Boolean).join(', ');
  return `sum${by && ` by (${by})`} (increase(${series}{${selector}}[$__range]))`;
}

/** A quantile of a histogram. */
export function quantile(q, series, labels = '', by = '') {
  return `histogram_quantile(${q}, ${rate(`${series}_bucket`, labels, ['le', by].filter(Boolean).join(', '))})`;
}

/** Queries for the usual quantiles. Exemplars, if any, come with the last one: they are the same for all. */
export function quantiles(series, labels = '', exemplar = false) {
  return [[0.5, 'p50'], [0.95, 'p95'], [0.99, 'p99']].map(([q, name]) => [quantile(q, series, labels), name, { exemplar: exemplar && name === 'p99' }]);
}

/**
 * A gauge of the whole account. Replicas on one store tell the same figure, so it must never be added up: the worst is shown, which
 * is the largest but for what is left.
 */
export function account(gauge, worst = 'max', by = 'job') {
  return `${worst} by (${by}) (${gauge}{${where}})`;
}

const dashboards = [
  ['Errors', 'neuronward-errors'], ['Quota', 'neuronward-quota'], ['Cost', 'neuronward-cost'], ['Traffic', 'neuronward-traffic'], ['Fleet', 'neuronward-fleet'],
];

/** A page of the error reference of the proxy that the variable proxy names, for a slug. */
export function reference(slug) {
  return { title: `What ${slug} means, and what to do`, url: `\${proxy:raw}/errors/${slug}` };
}

function labelValues(name, label, query, all, description) {
  return new QueryVariableBuilder(name).label(label).description(description).datasource(datasource)
    .query({ query, refId: `variable-${name}` }).definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged).sort(VariableSort.AlphabeticalAsc)
    .multi(true).includeAll(true).allValue(all).current({ text: ['All'], value: ['$__all'] });
}

function variables(ofCalls) {
  const list = [
    new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    labelValues('job', 'Job', 'label_values(neuronward_build_info, job)', '.+', 'Replicas on one store, as Prometheus scrapes them.'),
    labelValues('instance', 'Instance', 'label_values(neuronward_build_info{job=~"$job"}, instance)', '.+',
      'Single processes. Sidecars, each with a store of its own, have a day each: pick one to see its own.'),
  ];
  if (ofCalls) {
    list.push(
      labelValues('model', 'Model', `label_values(neuronward_requests_total{${where}}, model)`, '.*', 'For panels by model.'),
      labelValues('client', 'Client', `label_values(neuronward_requests_total{${where}}, client)`, '.*', 'For panels by client of the clients file.'),
    );
  }
  list.push(new TextBoxVariableBuilder('proxy').label('Proxy URL').defaultValue('http://127.0.0.1:3036')
    .description('Where your browser reaches the app listener of any proxy: links to the error reference lead there.'));
  return list;
}

function annotation(name, colour, expression, title, text) {
  return new AnnotationQueryBuilder().name(name).datasource(datasource).enable(true).iconColor(colour)
    .target(new DataqueryBuilder().refId('Annotation').expr(expression).datasource(datasource).range())
    .titleFormat(title).textFormat(text);
}

/**
 * A dashboard of rows: [title, panels], in UTC as days are counted. All rows are open: who is on call at night should not have to know what is hidden.
 */
export function dashboard({ title, description, rows, ofCalls = true, from = 'now-3h' }) {
  const uid = dashboards.find(([name]) => name === title)[1];
  const made = new DashboardBuilder(`neuronward / ${title}`).uid(uid).description(description).tags(['neuronward'])
    .timezone('utc').tooltip(DashboardCursorSync.Crosshair).refresh('30s').time({ from, to: 'now' })
    .variables(variables(ofCalls))
    .links(dashboards.filter(([name]) => name !== title).map(([name, other]) => ({
      build: () => ({
        title: name, type: 'link', icon: 'dashboard', tooltip: `neuronward / ${name}`, url: `/d/${other}`, tags: [],
        asDropdown: false, targetBlank: false, includeVars: true, keepTime: true,
      }),
    })))
    .annotations([
      annotation('Quota block', 'red', `max by (job) (neuronward_quota_latched{${where}}) == 1`,
        'The day is spent', '{{job}}: Workers AI itself said 3036; calls are refused until the reset'),
      annotation('Started', 'blue', `(time() - process_start_time_seconds{${where}}) < 60`, 'A process started', '{{job}} {{instance}}'),
    ]);
  let id = 0;
  for (const [name, panels] of rows) {
    made.withRow(new RowBuilder(name).id(id += 1));
    for (const panel of panels) {
      made.withPanel(panel.id(id += 1));
    }
  }
  const model = made.build();
  for (const variable of model.templating.list) {
    if (variable.type === 'textbox') { // Grafana shows an empty box without them
      variable.current = { text: variable.query, value: variable.query };
    }
  }
  for (const each of model.annotations.list) {
    delete each.placement; // the SDK's default hides the switch in a menu
  }
  return model;
}
