// Takes the pictures of the page that are beside the dashboards: make screenshots
//
// They show the made-up afternoon of the page's own tests, so that they are the same each time. With a directory as argument it
// takes more, in other sizes, to look at: node pictures.js DIRECTORY
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { launch } from './chromium.js';

const page = join(import.meta.dirname, '../page');
const files = {
  '/': ['text/html; charset=utf-8', join(page, 'testdata/afternoon.html')],
  '/page/page.css': ['text/css; charset=utf-8', join(import.meta.dirname, '../../../../normalize/reference/style.css'), join(page, 'page.css')],
  '/page/page.js': ['text/javascript; charset=utf-8', join(page, 'page.js')],
  '/page/icon.svg': ['image/svg+xml', join(page, 'icon.svg')],
};
const server = createServer(async (request, response) => {
  const [kind, ...names] = files[request.url] ?? [];
  if (!kind) {
    response.writeHead(404).end();
    return;
  }
  const parts = await Promise.all(names.map((name) => readFile(name)));
  response.writeHead(200, { 'Content-Type': kind }).end(Buffer.concat(parts));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

/** Makes a WebP of a PNG: a quarter of the size. */
async function compact(tab, png) {
  const url = await tab.evaluate(async (source) => {
    const image = await createImageBitmap(await (await fetch(source)).blob());
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', 0.85);
  }, `data:image/png;base64,${png.toString('base64')}`);
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
}

const sizes = { page: [1280, 1186] };
if (process.argv[2]) {
  Object.assign(sizes, { narrow: [360, 800], usual: [1280, 860], wide: [3840, 2160] });
}
const directory = process.argv[2] ?? join(import.meta.dirname, '../../../../deploy/grafana');
await mkdir(directory, { recursive: true });
const browser = await launch();
try {
  for (const [name, [width, height]] of Object.entries(sizes)) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', deviceScaleFactor: 1.5 });
      const tab = await context.newPage();
      await tab.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: 'load' });
      await tab.addStyleTag({ content: ':root { --sans: Inter, ui-sans-serif, system-ui, sans-serif }' }); // Debian's fonts-inter, if it is there
      await tab.evaluate(() => document.fonts.ready);
      const png = await tab.screenshot({ fullPage: name !== 'page' });
      const [kind, picture] = process.argv[2] ? ['png', png] : ['webp', await compact(tab, png)];
      await writeFile(join(directory, `${name}-${colorScheme}.${kind}`), picture);
      await context.close();
    }
  }
} finally {
  await browser.close();
  server.close();
}
