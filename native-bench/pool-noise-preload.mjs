/**
 * Work in libuv's pool on purpose, preloaded into a gateway by `starvation.mjs` (`node --import`): what files and compression of any
 * part of the process do to it. A message `{ poolNoise: KIND }` begins it, `none` ends it.
 */
import { readFile } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzip } from 'node:zlib';

const AT_ONCE = 24;
const FILE = fileURLToPath(import.meta.url);
const BLOCK = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * i) % 251));
const WORK = { files: (done) => readFile(FILE, done), gzip: (done) => gzip(BLOCK, done) };
let kind;

function again() {
  const work = WORK[kind];
  if (work !== undefined) work(again);
}

process.on('message', (message) => {
  if (message?.poolNoise === undefined) return;
  const was = kind;
  kind = message.poolNoise;
  if (was === 'none' || was === undefined) for (let i = 0; i < AT_ONCE; i++) again();
});
