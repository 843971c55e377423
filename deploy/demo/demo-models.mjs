/** The repository of the demo: the example models, and candidates for them, each with its own fault. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readNpy } from '../../dist/elements/index.js';

const EXAMPLES = join(dirname(fileURLToPath(import.meta.url)), '../examples');

/** `digits` with the convolutional network as version 1, `digit-image` as it is. Candidates are added later. */
export function writeDemoRepository(folder) {
  for (const model of ['digits', 'digit-image']) {
    mkdirSync(join(folder, model), { recursive: true });
    cpSync(join(EXAMPLES, 'models', model, 'config.pbtxt'), join(folder, model, 'config.pbtxt'));
  }
  cpSync(join(EXAMPLES, 'models/digits/labels.txt'), join(folder, 'digits/labels.txt'));
  cpSync(join(EXAMPLES, 'models/digits/2'), join(folder, 'digits/1'), { recursive: true });
  cpSync(join(EXAMPLES, 'models/digit-image/1'), join(folder, 'digit-image/1'), { recursive: true });
  const config = join(folder, 'digit-image/config.pbtxt');
  writeFileSync(config, `${readFileSync(config, 'utf8')}version_policy { all { } }\n`);
}

/** Puts a plan beside its model. */
export function writePlan(folder, plan) {
  writeFileSync(join(folder, plan.model, 'rollout.yaml'), JSON.stringify(plan, undefined, 2));
}

/** The same network again: what a retrained model that is as good looks like. */
export function writeGood(folder) {
  cpSync(join(EXAMPLES, 'models/digits/2'), join(folder, 'digits/2'), { recursive: true });
}

/** The linear model: right on 97.8 % of held-out digits, where the network is on 99.6 %. */
export function writeLessAccurate(folder) {
  cpSync(join(EXAMPLES, 'models/digits/1'), join(folder, 'digits/2'), { recursive: true });
}

/** The same answers, but one execution in `every` computes `ms` longer. */
export function writeSlow(folder, { every, ms }) {
  writeImageModel(folder, `executions++ % ${every} === 0 ? busyMs(${ms}) : undefined;`);
}

/** The same answers, but one execution in `every` throws. */
export function writeFailing(folder, { every }) {
  writeImageModel(folder, `if (executions++ % ${every} === ${every - 1}) throw new Error('out of luck');`);
}

function writeImageModel(folder, line) {
  const source = readFileSync(join(EXAMPLES, 'models/digit-image/1/model.mjs'), 'utf8');
  const begin = 'export function infer({ rows, inputs: { image } }) {\n';
  if (!source.includes(begin)) throw new Error('digit-image/1/model.mjs is not as the demo knows it');
  mkdirSync(join(folder, 'digit-image/2'), { recursive: true });
  const busy =
    'let executions = 0;\nfunction busyMs(ms) {\n  const end = performance.now() + ms;\n  while (performance.now() < end);\n}\n\n';
  writeFileSync(join(folder, 'digit-image/2/model.mjs'), source.replace(begin, `${busy}${begin}  ${line}\n`));
}

/** Held-out digits as requests to `digits`, with their labels. */
export function digitRequests() {
  const { pixels, labels } = heldOut();
  return labels.map((label, i) => ({
    label,
    body: { inputs: [{ name: 'pixels', shape: [1, 64], datatype: 'FP32', data: pixels[i] }] },
  }));
}

/** The same digits as images of 32 x 32 pixels, as requests to `digit-image`. */
export function imageRequests() {
  const { pixels } = heldOut();
  return pixels.slice(0, 64).map((cells) => ({
    body: { inputs: [{ name: 'image', shape: [1, 32, 32], datatype: 'UINT8', data: enlarged(cells) }] },
  }));
}

function heldOut() {
  const read = (name) => readNpy(readFileSync(join(EXAMPLES, 'samples', name)), name);
  const pixels = read('held-out-pixels.npy').data;
  const labels = [...read('held-out-labels.npy').data];
  return { labels, pixels: labels.map((_, i) => [...pixels.subarray(i * 64, (i + 1) * 64)]) };
}

function enlarged(cells) {
  return Array.from({ length: 32 * 32 }, (_, i) => {
    const [row, column] = [Math.floor(i / 32 / 4), Math.floor((i % 32) / 4)];
    return Math.round((cells[row * 8 + column] / 16) * 255);
  });
}
