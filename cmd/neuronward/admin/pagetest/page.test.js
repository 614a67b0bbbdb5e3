// The page for people in a real Chromium, in front of the demo under mixed load. Run by .ci/page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { launch } from './chromium.js';
import { embedding, eventually, model, start, sum } from './demo.js';
import { draw, situations } from './situations.js';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const hostile = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>';

let demo;
let browser;
const complaints = []; // of any page that was looked at

before(async () => {
  // Around midnight figures begin anew while they are compared.
  const left = 86_400_000 - (Date.now() % 86_400_000);
  if (left < 180_000) {
    await pause(left + 1000);
  }
  [demo, browser] = await Promise.all([start({ NEURONWARD_RECONCILE: '0', NEURONWARD_RATE_LIMITS: 'text-generation=3000', NEURONWARD_RETRY_BUDGET: '1' }), launch()]);
  await load();
});
after(async () => {
  await browser?.close();
  await demo?.stop();
});

/** Calls of every kind, that succeed, fail and break; it ends when all of them have. */
async function load() {
  const calls = [
    demo.call('/v1/embeddings', { model: embedding, input: 'Hello' }),
    demo.call(`/run/${model}`, { prompt: 'Hello' }),
    demo.call('/v1/chat/completions', '{"model": '),
    demo.call('/client/v4/accounts', {}),
    demo.chat(hostile, { 'x-simulate': '5021', 'x-request-id': hostile }),
    demo.chat('Hello', { 'x-request-id': 'the-one-to-find', 'x-simulate': '3006' }),
    demo.chat('Hello', {}, { model: '@cf/deepseek-ai/deepseek-r1-distill-qwen-32b', max_tokens: 30_000 }),
    demo.chat('Hello', {}, { model: hostile }),
    demo.chat('Hello', {}, { model: '@cf/nobody/has-this' }),
  ];
  for (const simulate of ['3040; times=2', '3040', '3021', '4006', 'ok-false', 'html-502', 'empty', 'reset', 'midstream=3040; after=2', 'midstream=cut; after=2']) {
    calls.push(demo.chat('Hello', { 'x-simulate': simulate }, { stream: simulate.startsWith('mid') }));
  }
  for (let i = 0; i < 12; i++) {
    calls.push(demo.chat(`Hello ${i}`, { 'x-simulate': `tokens=${10 + i}` }, { stream: i % 2 === 0 }));
  }
  await Promise.all(calls);
  await eventually('nothing is in flight', async () => {
    const s = await demo.status();
    return s.requests.in_flight === 0 && s.in_flight === 0 && s.reserved === 0;
  });
}

/** Opens a path of the admin listener; errors on it are kept in complaints. */
async function open(t, path = '/', { at = demo.admin, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'Asia/Tokyo', reducedMotion: 'reduce', ...options });
  t.after(() => context.close());
  const tab = await context.newPage();
  tab.setDefaultTimeout(60_000);
  tab.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${path}: console: ${message.text()}`);
    }
  });
  tab.on('pageerror', (error) => complaints.push(`${path}: ${error.message}`));
  tab.on('dialog', (dialog) => complaints.push(`${path}: a dialog: ${dialog.message()}`));
  tab.on('request', (request) => {
    if (!request.url().startsWith(`${at}/`)) {
      complaints.push(`${path}: asks another host: ${request.url()}`);
    }
  });
  tab.on('response', (response) => {
    if (response.status() >= 400) {
      complaints.push(`${path}: ${response.status()} ${response.url()}`);
    }
  });
  await tab.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`)));
  await tab.goto(at + path, { waitUntil: 'load' });
  return tab;
}

const figure = (tab, name) => tab.locator(`[data-figure=${name}]`).getAttribute('data-value');
const text = async (locator) => (await locator.textContent()).trim();
/** What the page says first, without the word before it. */
const headline = async (tab) => (await text(tab.locator('h1'))).replace(/^(OK|Off|Warning|Critical)\s+/, '');
const finding = (tab, name) => text(tab.locator(`[data-finding=${name}] dd`));
const number = (shown) => Number(shown.replaceAll(',', ''));

/** Opens all that can be folded. */
const unfold = (tab) => tab.evaluate(() => {
  for (const box of document.querySelectorAll('.fold')) box.checked = true;
  for (const more of document.querySelectorAll('details')) more.open = true;
});

/** Waits until the page has brought itself up to date. */
async function updated(tab) {
  const before = await text(tab.locator('.eyebrow time'));
  await tab.waitForFunction((was) => document.querySelector('.eyebrow time').textContent.trim() !== was, before);
}

/** The rows of a table of models or clients, by name. */
async function spending(tab, id) {
  const rows = {};
  for (const row of await tab.locator(`#${id} tbody tr`).all()) {
    const cells = (await row.locator('td').allTextContents()).map((cell) => cell.trim());
    const [hourCalls, failed, hourNeurons] = cells.slice(-7); // four times of answers follow
    rows[await text(row.locator('th'))] = { calls: number(cells[0]), neurons: number(cells[1]), hourCalls: number(hourCalls), failed: number(failed), hourNeurons: number(hourNeurons) };
  }
  return rows;
}

test('figures are those of /status and /metrics', async (t) => {
  const tab = await open(t);
  const [status, metrics] = [await demo.status(), await demo.metrics()];
  assert.ok(status.used > 0, 'the load has spent something');
  for (const [name, ofSeries] of [['used', 'neurons_used'], ['reserved', 'neurons_reserved'], ['external', 'neurons_external'], ['remaining', 'neurons_remaining']]) {
    const shown = Number(await figure(tab, name));
    assert.equal(shown, status[name], name);
    assert.ok(Math.abs(shown - sum(metrics, `neuronward_${ofSeries}`)) < 1e-6, `${name} in /metrics`);
  }
  assert.equal(await headline(tab), status.verdict.because);
  for (const name of ['Quota', 'Failures', 'Clients', 'Store']) {
    assert.ok((await finding(tab, name)).startsWith(status.verdict[name.toLowerCase()].because), name);
  }

  for (const [id, label] of [['models', 'model'], ['clients', 'client']]) {
    const rows = await spending(tab, id);
    for (const one of status[id]) {
      assert.equal(rows[one.name].calls, one.calls, `${one.name}: calls`);
      assert.ok(Math.abs(rows[one.name].neurons - one.neurons) <= 0.5, `${one.name}: ${rows[one.name].neurons}, not ${one.neurons} neurons`);
    }
    for (const [name, row] of Object.entries(rows)) {
      const calls = sum(metrics, 'neuronward_requests_total', { [label]: name });
      assert.equal(row.hourCalls, calls, `${name}: calls of the last hour`);
      assert.equal(row.failed, calls - sum(metrics, 'neuronward_requests_total', { [label]: name, result: 'ok' }), `${name}: failures of the last hour`);
      const neurons = sum(metrics, 'neuronward_neurons_total', { [label]: name });
      assert.ok(Math.abs(row.hourNeurons - neurons) <= 0.5, `${name}: ${row.hourNeurons}, not ${neurons} neurons in the last hour`);
    }
  }

  const codes = await tab.locator('#failing tbody tr').evaluateAll((all) => all.map((row) => ({ ...row.dataset })));
  const failed = metrics.filter((s) => s.name === 'neuronward_errors_total' && s.value > 0);
  assert.deepEqual(new Set(codes.map((row) => row.code)), new Set(failed.map((s) => s.labels.name)), 'codes');
  for (const row of codes) {
    const there = sum(failed, 'neuronward_errors_total', { name: row.code, origin: 'upstream' });
    assert.equal(Number(row.there), there, `${row.code}: from Workers AI`);
    assert.equal(Number(row.here), sum(failed, 'neuronward_errors_total', { name: row.code }) - there, `${row.code}: from this proxy`);
  }

  for (const [table, own] of [['#rows', false], ['#own', true]]) {
    const ids = await tab.locator(`${table} tbody [data-id=request]`).allTextContents();
    assert.deepEqual(ids, status.failures.filter((f) => (f.fault === 'caller') === own).map((f) => f.request_id), `the last failures, ${table}`);
  }
});

describe('axe finds nothing', () => {
  const looks = [
    ['/', 360, 'light'], ['/', 1280, 'dark'], ['/?q=nothing-has-this', 360, 'light'],
    ['/errors', 1280, 'light'], ['/errors', 360, 'dark'], ['/errors/out_of_capacity', 360, 'light'], ['/errors/out_of_capacity', 1280, 'dark'],
    ['/errors?q=429', 360, 'light'],
  ];
  for (const [path, width, colorScheme] of looks) {
    test(`${path}, ${colorScheme}, ${width} px`, async (t) => {
      const tab = await open(t, path, { colorScheme, viewport: { width, height: 800 } });
      if (path === '/') {
        await tab.locator('#live').click(); // no updates
        await unfold(tab);
      }
      await tab.evaluate(await readFile(axe, 'utf8'));
      const { violations, incomplete } = await tab.evaluate(() => window.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }));
      assert.deepEqual(violations.map((v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))]), []);
      // What axe cannot judge: texts of the curve, which stand on the paper or on a rim in its colour, and the answer, which
      // stays in sight while the page moves below it.
      const unsure = incomplete.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 200)}`));
      assert.deepEqual(unsure.filter((node) => !/^color-contrast: <(text |pre id="answer")/.test(node)), []);
      for (const [words, ratio] of await tab.evaluate(contrasts, '.curve text, #answer')) {
        assert.ok(ratio >= 4.5, `the contrast of ${words} is ${ratio}`);
      }
    });
  }
});

test('it brings itself up to date without being loaded again', async (t) => {
  const tab = await open(t);
  await tab.evaluate(() => { window.mark = 'the same document'; });
  const link = tab.locator('#rows a').first();
  await link.focus();
  const key = await tab.evaluate(() => document.activeElement.closest('tr').dataset.key);
  const used = await figure(tab, 'used');
  await demo.chat('Hello again', { 'x-request-id': 'the-newest', 'x-simulate': '7009' });
  await demo.chat('Hello again');
  await tab.waitForFunction((was) => document.querySelector('[data-figure=used]').dataset.value !== was, used);
  await tab.locator('#rows tbody tr', { hasText: 'the-newest' }).waitFor();
  assert.equal(await tab.evaluate(() => window.mark), 'the same document');
  assert.equal(await tab.evaluate(() => document.activeElement.closest('tr')?.dataset.key), key, 'what had the focus has it still');
  assert.equal(await text(tab.locator('#rows tbody tr').first().locator('[data-id=request]')), 'the-newest', 'the newest is first');

  await tab.locator('#live').click();
  assert.equal(await tab.locator('#live').getAttribute('aria-pressed'), 'false');
  const asked = [];
  tab.on('request', (request) => asked.push(request.url()));
  await tab.waitForTimeout(5000);
  assert.deepEqual(asked, [], 'what is paused asks for nothing');
  await tab.locator('#live').click();
  await updated(tab);
});

test('a filter leaves the failures that match, also when there are new ones', async (t) => {
  const tab = await open(t);
  const rows = tab.locator('#last tbody tr:visible');
  const all = await tab.locator('#last tbody tr').count();
  await tab.fill('#filter', 'THE-ONE request_too');
  assert.equal(await rows.count(), 1);
  assert.match(await text(rows.first()), /3006/);
  assert.equal(await text(tab.locator('#found')), `1 of ${all}`);
  await updated(tab);
  assert.equal(await rows.count(), 1, 'after an update');
  await tab.locator('#filter').press('Enter');
  assert.equal(await rows.count(), 1, 'after Enter');
  await tab.fill('#filter', '');
  assert.ok(await rows.count() >= all, 'what was opened stays open');

  const linked = await open(t, `/?q=${encodeURIComponent(model)}#last`);
  await updated(linked);
  for (const row of await linked.locator('#rows tbody tr:visible').all()) {
    assert.ok((await text(row)).includes(model));
  }
});

test('the filter of the errors works without a script', async (t) => {
  const tab = await open(t, '/errors', { javaScriptEnabled: false });
  for (const [words, ...names] of [['4006', 'account_limited'], ['model_not_found', 'no_such_model', 'invalid_model_id', 'model_not_allowed']]) {
    await tab.fill('#filter', words);
    await tab.locator('#filter').press('Enter');
    await tab.waitForURL(`**/errors?q=${words}`);
    assert.deepEqual(await tab.locator('.list tbody th').allTextContents(), names);
    assert.equal(await tab.locator('#filter').inputValue(), words);
  }
});

test('every link leads somewhere', async (t) => {
  for (const path of ['/', '/errors', '/errors/out_of_capacity']) {
    const tab = await open(t, path);
    const links = await tab.locator('a[href]').evaluateAll((all) => [...new Set(all.map((a) => a.href))]);
    assert.ok(links.length > 1);
    for (const link of links) {
      assert.ok(link.startsWith(`${demo.admin}/`), link);
      const response = await fetch(link, { headers: { Accept: 'text/html' } });
      const body = await response.text();
      assert.equal(response.status, 200, link);
      const { hash } = new URL(link);
      assert.ok(!hash || body.includes(`id="${hash.slice(1)}"`), `${link}: no such id`);
    }
  }
  const tab = await open(t);
  await tab.locator('#failing a', { hasText: 'out_of_capacity' }).click();
  await tab.waitForURL('**/errors/out_of_capacity');
  assert.equal(await text(tab.locator('h1')), 'out_of_capacity');
});

test('text of callers is inert', async (t) => {
  const tab = await open(t);
  const row = tab.locator('#last tbody tr', { hasText: '<img src=x onerror=' }).first();
  await row.waitFor({ state: 'attached' });
  await updated(tab);
  const there = await open(t, `/?q=${encodeURIComponent(hostile)}`, { javaScriptEnabled: false });
  assert.equal(await there.locator('#filter').inputValue(), hostile);
  for (const one of [tab, there]) {
    assert.equal(await one.locator('main img, main script').count(), 0);
  }
  assert.equal(await tab.evaluate(() => window.harmed), undefined);
});

test('buttons show their answers', async (t) => {
  const tab = await open(t);
  const answer = tab.locator('#answer');
  assert.match(await text(answer), /^The answer to a button is shown here/);
  await tab.getByRole('button', { name: 'Send a stream' }).click();
  await answer.getByText('HTTP/1.1 200 OK').waitFor();
  await eventually('the answer is complete', async () => (await answer.textContent()).includes('(after '));
  assert.match(await answer.textContent(), /data: \{.*\n\ndata: \[DONE\]/s);
  await tab.getByRole('button', { name: 'Too expensive for the day' }).click();
  await eventually('it is refused', async () => /HTTP\/1\.1 429[^]*"name":"account_limited"[^]*"origin":"guard"/.test(await answer.textContent()));

  // All of them, as the page's script calls. The one that is repeated until the model has room comes alone, after calls that
  // succeed: beside the failures of others the proxy would find that the model has none, or that enough is repeated.
  await Promise.all(Array.from({ length: 12 }, () => demo.chat('Hello')));
  const brought = await tab.evaluate(async () => {
    const press = async (value) => {
      const response = await fetch('/demo/try', { method: 'POST', headers: { Accept: 'text/plain' }, body: new URLSearchParams({ try: value }) });
      return [value, await response.text()];
    };
    const recovered = await press('recovered');
    const others = [...document.querySelectorAll('#actions button')].map(({ value }) => value).filter((value) => value !== 'recovered');
    return Object.fromEntries([recovered, ...await Promise.all(others.map(press))]);
  });
  assert.ok(Object.keys(brought).length > 40);
  for (const [key, answered] of Object.entries(brought)) {
    assert.match(answered, /^\$ curl -siN http:/, key);
    if (key.startsWith('code-') && key !== 'code-upstream_unclassified') {
      assert.ok(answered.includes(`"name":"${key.slice('code-'.length)}"`), answered);
    }
  }
  for (const [key, has] of Object.entries({
    hang: '(nothing within 3 s: the caller gave up)', recovered: 'HTTP/1.1 200', cut: '(the connection was cut', invalid: 'HTTP/1.1 400', path: '"name":"route_not_proxied"',
    native: '"success":true', embeddings: '"embedding"', midstream: '"number":3040',
  })) {
    assert.ok(brought[key].includes(has), `${key}: ${brought[key]}`);
  }
});

test('the page is complete without a script', async (t) => {
  const tab = await open(t, '/', { javaScriptEnabled: false });
  assert.ok(await tab.getByRole('heading', { name: 'Failures of the last hour' }).isVisible());
  assert.ok(await tab.locator('.plot path.edge').isVisible());
  assert.ok(await tab.locator('#live').isHidden());
  assert.ok(await tab.getByRole('link', { name: 'Reload', exact: true }).isVisible());
  const { request_id: id } = (await demo.status()).failures.find((f) => f.fault !== 'caller');
  await tab.fill('#filter', id);
  await tab.locator('#filter').press('Enter');
  await tab.waitForURL(`**/?q=${id}#last`);
  assert.equal(await tab.locator('#rows tbody tr').count(), 1);
  await tab.getByRole('button', { name: '3040 out_of_capacity' }).click();
  await tab.waitForURL('**/demo/try');
  assert.match(await tab.locator('body').textContent(), /"name":"out_of_capacity"/);
});

test('nothing has to be pushed sideways', async (t) => {
  for (const [path, ...widths] of [['/', 320, 360, 700, 1280, 3840], ['/errors', 360, 1280], ['/errors/requests_per_minute_exceeded', 360], ['/errors/bad_input', 320], ['/errors?q=429', 320]]) {
    const tab = await open(t, path);
    if (path === '/') {
      await unfold(tab);
      await tab.evaluate(() => { document.getElementById('answer').textContent = 'x'.repeat(5000); });
    }
    for (const width of widths) {
      await tab.setViewportSize({ width, height: 800 });
      assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), width, `${path} at ${width} px`);
    }
  }
});

/** Runs on the page: the names of models and codes in tables that a line's end breaks elsewhere than behind / - or _. */
function broken() {
  const found = new Set();
  for (const code of document.querySelectorAll('table code:not(.id)')) {
    const letters = [];
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      for (let i = 0; i < text.length; i++) {
        const range = document.createRange();
        range.setStart(text, i);
        range.setEnd(text, i + 1);
        letters.push([text.data[i], range.getBoundingClientRect().top]);
      }
    }
    for (const [i, [, top]] of letters.entries()) {
      if (i > 0 && top > letters[i - 1][1] + 2 && !'/-_'.includes(letters[i - 1][0])) {
        found.add(`${code.textContent.slice(0, i)}|${code.textContent.slice(i)}`);
      }
    }
  }
  return [...found];
}

test('names of models and codes break between their words', async (t) => {
  const tab = await open(t);
  await tab.locator('#live').click(); // no updates
  await unfold(tab);
  for (const width of [1024, 1280]) {
    await tab.setViewportSize({ width, height: 900 });
    const names = (await tab.evaluate(broken)).filter((name) => /^[@\w./|-]+$/.test(name)); // not text of callers
    assert.deepEqual(names, [], `${width} px`);
  }
});

// What is wrong, in words, in nine situations; axe looks at each, and nothing has to be pushed sideways. With PICTURES=DIRECTORY
// it takes pictures to look at.
describe('what is wrong is said first', { concurrency: 3 }, () => {
  for (const one of situations) {
    test(one.name, async (t) => {
      const begin = async (environment) => {
        const begun = await start(environment);
        t.after(() => begun.stop()); // also when the situation cannot be made
        return begun;
      };
      const there = await one.make(begin, (last) => t.after(last));
      await eventually(`the page says ${one.because}`, async () => one.because.test((await there.status()).verdict.because));
      const { verdict } = await there.status();
      assert.equal(verdict.state, one.state, JSON.stringify(verdict));
      const tab = await open(t, '/', { at: there.admin });
      await tab.evaluate(await readFile(axe, 'utf8'));
      for (const [width, colorScheme] of [[360, 'dark'], [1280, 'light'], [1920, 'dark']]) {
        await tab.setViewportSize({ width, height: 900 });
        await tab.emulateMedia({ colorScheme });
        assert.match(await headline(tab), one.because);
        for (const [name, says] of Object.entries(one.others)) {
          assert.match(await finding(tab, name), says, name);
        }
        assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), width, `${width} px`);
        if (width !== 1920) {
          const { violations } = await tab.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] }));
          assert.deepEqual(violations.map((v) => [v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200))]), []);
        }
        if (process.env.PICTURES) {
          await tab.screenshot({ path: `${process.env.PICTURES}/${one.name.replaceAll(' ', '-')}-${width}.png`, fullPage: true });
        }
      }
      await tab.context().close(); // before the demo ends, which it would ask
    });
  }
});

/** Runs on the page: the contrast of texts with the paper below them, by the formula of WCAG. */
function contrasts(selector) {
  const light = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll(selector)].map((text) => {
    const { fill, color, backgroundColor } = getComputedStyle(text);
    const [ink, below] = text instanceof SVGElement ? [light(fill), paper] : [light(color), light(backgroundColor)];
    return [text.textContent, Math.max(ink, below) / Math.min(ink, below)];
  });
}

test('it can be used by keyboard, and shows the reader’s own times', async (t) => {
  const tab = await open(t);
  await tab.keyboard.press('Tab');
  assert.equal(await tab.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  const outline = await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none');
  const reached = new Set();
  const links = await tab.locator('#failing a').count(); // they come before the buttons
  for (let i = 0; i < 20 + links; i++) {
    await tab.keyboard.press('Tab');
    reached.add(await tab.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim()));
  }
  for (const name of ['Errors', 'live', 'Send a chat']) {
    assert.ok(reached.has(name), `${name} cannot be reached among ${[...reached].join(', ')}`);
  }
  assert.match(await tab.locator('.eyebrow time').getAttribute('title'), /GMT\+9/);
});

test('a screen reader announces when the verdict changes, and only then', async (t) => {
  const small = await start({ NEURONWARD_RECONCILE: '0', NEURONWARD_DAILY_NEURONS: '3400' });
  t.after(() => small.stop());
  const tab = await open(t, '/', { at: small.admin });
  assert.equal(await tab.locator('[aria-live]').count(), 1, 'only the verdict speaks');
  await updated(tab);
  assert.equal(await text(tab.locator('#announcement')), '');
  await draw(small, 1);
  await eventually('it is announced', async () => /^Warning Nearly spent: /.test(await text(tab.locator('#announcement'))));
  assert.notEqual(await tab.locator('#verdict').getAttribute('data-level'), 'ok');
  await tab.context().close(); // before the demo ends, which it would ask
});

test('no page had an error', () => {
  assert.deepEqual(complaints, []);
});
