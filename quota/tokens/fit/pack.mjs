// Writes ../testdata/found.gz from what climb.mjs has found: node pack.mjs FOUND
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const all = new Map();
for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
	const { text, max } = JSON.parse(line);
	if (max <= Buffer.byteLength(text)) all.set(text, max); // the estimate is never above a token a byte
}
writeFileSync('../testdata/found.gz', gzipSync([...all].map(([text, max]) => `${JSON.stringify(text)}\t${max}`).join('\n'), { level: 9 }));
