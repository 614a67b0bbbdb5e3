import { account, dashboard, increase, quantile, rate, rateRange, where } from './dashboard.mjs';
import { curves, green, grey, red, stat, states, table, unit, yellow } from './panels.mjs';

const day = 24 * 3600;
const yes = { 0: { text: 'no', color: red, index: 0 }, 1: { text: 'yes', color: green, index: 1 } };
const up = { 0: { text: 'down', color: red, index: 0 }, 1: { text: 'up', color: green, index: 1 } };

const noClients = 'Empty by nature without NEURONWARD_CLIENTS_FILE.';
const noTLS = 'Empty by nature without NEURONWARD_TLS_CERT.';

const ok = ['Is it ok?', [
  stat({
    title: 'Replicas up',
    description: 'Processes that Prometheus reaches. Fewer than there should be: see "Replicas" for which, then its container\'s log.',
    queries: [[`sum(up{${where}})`]],
    unit: unit.count, decimals: 0, thresholds: [red, [1, green]], noValue: 'none', noColour: red,
  }),
  stat({
    title: 'Replicas down',
    description: 'Processes that Prometheus knows and does not reach. Not 0 for longer than a rollout: look at that process.',
    queries: [[`count(up{${where}} == 0) or vector(0)`]],
    unit: unit.count, decimals: 0, thresholds: [green, [1, red]],
  }),
  stat({
    title: 'Starts',
    description: 'Processes that started anew at the same address in this range. More than rollouts explain: it is killed, mostly for memory (give it 576 MiB), or it '
      + 'fails its probe.',
    queries: [[`sum(changes(process_start_time_seconds{${where}}[$__range]))`, undefined, { instant: true }]],
    unit: unit.count, decimals: 0, thresholds: [green, [1, yellow], [5, red]],
  }),
  stat({
    title: 'Store failures',
    description: 'Operations of the store that failed in this range. Under deny calls are refused with store_unavailable while it lasts, under allow they go on '
      + 'from memory. Look at Redis, or at the disk of the state file.',
    queries: [[increase('neuronward_store_failures_total'), undefined, { instant: true }]],
    unit: unit.count, decimals: 0, thresholds: [green, [0.5, red]],
  }),
  stat({
    title: 'Files in use',
    description: 'Whether every process uses the clients file and the certificate as they are on disk. no: the last valid one is in use, and the log says what is wrong '
      + 'with the new one; neuronward check does, too. Empty by nature with neither.',
    queries: [[`min(neuronward_clients_reload_success{${where}})`, 'clients'], [`min(neuronward_tls_reload_success{${where}})`, 'certificate']],
    unit: unit.count, mappings: yes, thresholds: [red, [1, green]], noValue: 'no files',
  }),
  stat({
    title: 'Versions',
    description: 'How many versions run. More than one outside a rollout: a replica was left behind, see "Replicas".',
    queries: [[`count(count by (version, commit) (neuronward_build_info{${where}}))`]],
    unit: unit.count, decimals: 0, thresholds: [green, [2, yellow]],
  }),
]];

const replicas = ['Replicas', [
  table({
    title: 'Replicas',
    description: 'Every process: what it runs, since when, what it holds. Memory near its limit, or more goroutines than twice its calls in flight over hours, is a leak: '
      + 'take a profile (NEURONWARD_PPROF=true) and report it.',
    queries: [
      [`neuronward_build_info{${where}}`, undefined, { table: true }],
      [`sum by (instance) (up{${where}})`, undefined, { table: true }],
      [`sum by (instance) (time() - process_start_time_seconds{${where}})`, undefined, { table: true }],
      [`sum by (instance) (neuronward_requests_in_flight{${where}})`, undefined, { table: true }],
      [`sum by (instance) (rate(process_cpu_seconds_total{${where}}[${rateRange}]))`, undefined, { table: true }],
      [`sum by (instance) (process_resident_memory_bytes{${where}})`, undefined, { table: true }],
      [`sum by (instance) (go_goroutines{${where}})`, undefined, { table: true }],
    ],
    by: 'instance', unit: unit.count,
    columns: [
      ['instance', 'instance'], ['version', 'version'], ['commit', 'commit'], ['goversion', 'Go'],
      ['Value #B', 'reached', undefined, [{ id: 'mappings', value: [{ type: 'value', options: up }] }, { id: 'custom.cellOptions', value: { type: 'color-text' } }]],
      ['Value #C', 'up for', unit.duration], ['Value #D', 'in flight', unit.count], ['Value #E', 'CPUs', unit.count, [{ id: 'decimals', value: 2 }]],
      ['Value #F', 'memory', unit.bytes], ['Value #G', 'goroutines', unit.count],
    ],
  }),
  states({
    title: 'Reached by Prometheus',
    description: 'When each process answered a scrape. Gaps in all at once are Prometheus\' own; in one alone, that process was down or overloaded.',
    queries: [[`up{${where}}`, '{{instance}}']],
    unit: unit.count, mappings: up, thresholds: [red, [1, green]], height: 8,
  }),
  curves({
    title: 'Calls, by process',
    description: 'Whether the load balancer shares calls out. One that gets none: it is not ready (/readyz says why), or connections are kept to others for too long.',
    queries: [[`sum by (instance) (rate(neuronward_requests_total{${where}}[${rateRange}]))`, '{{instance}}']],
    unit: unit.calls, stacked: true, legend: 'right',
  }),
]];

const store = ['Store', [
  curves({
    title: 'Failures, by policy',
    description: 'Operations of the store that failed, by what then happens to calls that need it: deny, they are refused; allow, they go on uncounted by the others. '
      + 'Uncopied: grants of a Redis server that none of its replicas had in time.',
    queries: [
      [rate('neuronward_store_failures_total', '', 'policy'), '{{policy}}'],
      [rate('neuronward_store_grants_uncopied_total'), 'uncopied'],
    ],
    unit: 'suffix:failures/s', width: 8, colours: { deny: red, allow: yellow },
  }),
  curves({
    title: 'Time of an operation, p99 by kind',
    description: 'exchange publishes what was spent and gets neurons, history reads what was spent, lease picks who reads the account\'s figure. Calls wait for exchange only when their '
      + 'process has run out. Above 100 ms: Redis is far, busy, or its disk is.',
    queries: [[quantile(0.99, 'neuronward_store_duration_seconds', '', 'op'), '{{op}}']],
    unit: unit.seconds, width: 8,
  }),
  curves({
    title: 'Operations, by kind',
    description: 'How often the store is asked. About two exchanges a second and process are usual, more as the day runs out and neurons are passed around.',
    queries: [[rate('neuronward_store_duration_seconds_count', '', 'op'), '{{op}}']],
    unit: 'suffix:operations/s', width: 8,
  }),
  curves({
    title: 'Replicas disagree by',
    description: 'Difference between what the processes of a job show as used. Replicas on one Redis agree within a second; a difference that stays is one that is '
      + 'cut off from it. Sidecars, each with a store of its own, differ by nature.',
    queries: [[`max by (job) (neuronward_neurons_used{${where}}) - min by (job) (neuronward_neurons_used{${where}})`, '{{job}}']],
    unit: unit.neurons, decimals: 1, width: 8,
  }),
  curves({
    title: 'Age of the account\'s own figure',
    description: 'How far back Cloudflare\'s own count reaches with which ours was last compared. Beyond half an hour look at "Readings that failed". '
      + 'Empty by nature until it was read once, and with NEURONWARD_RECONCILE=0.',
    queries: [[`time() - (${account('neuronward_reconcile_timestamp_seconds')} > 0)`, '{{job}}']],
    unit: unit.seconds, width: 8, thresholds: ['transparent', [1800, red]],
  }),
  curves({
    title: 'Readings that failed',
    description: 'Readings of the account\'s own figure that failed, by process. The token lacks Account Analytics: Read, or GraphQL is down: the log says which.',
    queries: [[`sum by (instance) (increase(neuronward_reconcile_failures_total{${where}}[${rateRange}]))`, '{{instance}}']],
    unit: unit.count, decimals: 0, width: 8,
  }),
]];

const files = ['Files that are read again', [
  states({
    title: 'Clients file in use',
    description: `Whether each process uses the clients file as it is on disk. no: it was refused whole, the log names line and mistake. ${noClients}`,
    queries: [[`neuronward_clients_reload_success{${where}}`, '{{instance}}']],
    unit: unit.count, mappings: yes, thresholds: [red, [1, green]], width: 8,
  }),
  states({
    title: 'Certificate in use',
    description: `Whether each process uses the certificate in its files. no: they hold what cannot be used, mostly a key that does not match. ${noTLS}`,
    queries: [[`neuronward_tls_reload_success{${where}}`, '{{instance}}']],
    unit: unit.count, mappings: yes, thresholds: [red, [1, green]], width: 8,
  }),
  curves({
    title: 'Certificate expires in',
    description: `Until the certificate in use expires. Below two weeks renewal has failed, or the new files did not reach the process. ${noTLS}`,
    queries: [[`min by (instance) (neuronward_tls_certificate_expiry_timestamp_seconds{${where}}) - time()`, '{{instance}}']],
    unit: unit.duration, width: 8, height: 6, thresholds: ['transparent', [0, red], [14 * day, 'transparent']],
  }),
  curves({
    title: 'Clients read',
    description: `How long ago the clients in use were read. After an edit all processes fall to 0 within seconds; one that does not has another file. ${noClients}`,
    queries: [[`time() - neuronward_clients_reload_timestamp_seconds{${where}}`, '{{instance}}']],
    unit: unit.duration, height: 6,
  }),
  curves({
    title: 'Keys last used',
    description: `How long ago a call last came with each key, by the first digits of its hash. A key that was replaced can be removed once nobody uses it. ${noClients}`,
    queries: [[`time() - max by (client, key) (neuronward_client_key_last_used_timestamp_seconds{${where}} > 0)`, '{{client}} {{key}}']],
    unit: unit.duration, height: 6,
  }),
  curves({
    title: 'Certificate read',
    description: `How long ago the certificate in use was read. After a renewal all processes fall to 0. ${noTLS}`,
    queries: [[`time() - neuronward_tls_reload_timestamp_seconds{${where}}`, '{{instance}}']],
    unit: unit.duration, height: 6,
  }),
]];

const runtime = ['Runtime', [
  curves({
    title: 'CPU',
    description: 'CPUs that each process uses. Near its limit, overhead and latency on Traffic rise: give it more, or add replicas.',
    queries: [[`sum by (instance) (rate(process_cpu_seconds_total{${where}}[${rateRange}]))`, '{{instance}}']],
    unit: 'suffix:CPUs', decimals: 2, width: 8,
  }),
  curves({
    title: 'Memory',
    description: 'Resident memory, and what lives on Go\'s heap. It stays within NEURONWARD_MAX_HELD and 96 MiB more (352 MiB with the defaults); '
      + 'beyond that is a bug.',
    queries: [[`process_resident_memory_bytes{${where}}`, '{{instance}}'], [`go_memstats_heap_inuse_bytes{${where}}`, '{{instance}} heap']],
    unit: unit.bytes, width: 8,
  }),
  curves({
    title: 'Goroutines',
    description: 'They follow calls in flight, on Traffic. A curve that only rises is a leak: take a profile (NEURONWARD_PPROF=true) and report it.',
    queries: [[`go_goroutines{${where}}`, '{{instance}}']],
    unit: unit.count, decimals: 0, width: 8,
  }),
  curves({
    title: 'Garbage collection',
    description: 'Share of the time in which garbage collection stops the process. Above 1 % memory is short: raise GOMEMLIMIT and the container\'s limit.',
    queries: [[`rate(go_gc_duration_seconds_sum{${where}}[${rateRange}])`, '{{instance}}']],
    unit: unit.share, decimals: 3, width: 8,
  }),
  curves({
    title: 'Open files',
    description: 'Open files and connections, and as many as there may be. Near the limit connections are refused: raise it (LimitNOFILE).',
    queries: [[`process_open_fds{${where}}`, '{{instance}}'], [`min(process_max_fds{${where}})`, 'limit']],
    unit: unit.count, decimals: 0, width: 8, colours: { limit: grey }, logarithmic: true,
  }),
  curves({
    title: 'Spans dropped',
    description: 'Spans that did not reach the OpenTelemetry collector: it is down, refuses them (the log says why) or is too slow '
      + '(OTEL_BSP_MAX_QUEUE_SIZE). Calls are not affected. 0 without OTEL_EXPORTER_OTLP_ENDPOINT.',
    queries: [[`sum by (instance) (increase(neuronward_spans_dropped_total{${where}}[${rateRange}]))`, '{{instance}}']],
    unit: unit.count, decimals: 0, width: 8,
  }),
]];

export default dashboard({
  title: 'Fleet',
  description: 'The processes: which run, what they share, what they have read, what they need.',
  rows: [ok, replicas, store, files, runtime],
  ofCalls: false,
});
