/** What is compared: curves, SLOs and the repositories that servers are started on. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { linearCurve } from '../../dist/core/index.js';
import { fluidBoundPerSecond } from '../../dist/simulation/index.js';

const HERE = dirname(fileURLToPath(import.meta.url));
const MAX_BATCH = 512;

/** Curves of the scheduling goals, in ms; four instances. */
const CURVES = { '4+.3b': [4, 0.3], '2+.05b': [2, 0.05] };
/** SLOs in times of L(1), and how many times the rate a cell may have: where an SLO is long, slow runs would be endless. */
const SLOS = [
  [2, 1],
  [4, 1.5],
  [10, 2.5],
];

/**
 * Every curve with every SLO, slowed down by the same factor in all times until the fluid bound is about `perSecond`: the machine
 * that holds client and server could not hold the rates of the curves as they are.
 */
export function timedCells(perSecond, instances = 4) {
  return Object.entries(CURVES).flatMap(([name, [a, c]]) =>
    SLOS.map(([slo, faster]) => {
      const loadOf = (scale) => ({
        curve: linearCurve(a * scale, c * scale),
        instances,
        sloMs: slo * (a + c) * scale,
        maxBatchSize: MAX_BATCH,
        jitter: 0,
      });
      const scale = Math.max(1, Math.round((2 * fluidBoundPerSecond(loadOf(1))) / (perSecond * faster)) / 2);
      const load = loadOf(scale);
      const curve = [a * scale, c * scale].map((ms) => Number(ms.toFixed(4)));
      return { name: `${name}-d${slo}`, curve, scale, slo, load, boundPerSecond: fluidBoundPerSecond(load) };
    }),
  );
}

/** Writes a repository of one timed model; `sloMs` and `delayMs` undefined: it has none. */
export function writeTimedModel(folder, { curve, load }, { sloMs, delayMs = 0, python = false }) {
  const version = join(folder, 'timed/1');
  mkdirSync(version, { recursive: true });
  writeFileSync(join(version, 'curve.txt'), `${curve.join(',')}\n`);
  if (python) cpSync(join(HERE, '../triton/timed_model.py'), join(version, 'model.py'));
  const tensor = (name) => `[ { name: "${name}" data_type: TYPE_FP32 dims: [ 16 ] } ]`;
  const lines = [
    `backend: "${python ? 'python' : 'timed'}"`,
    `max_batch_size: ${MAX_BATCH}`,
    `input ${tensor('x')}`,
    `output ${tensor('y')}`,
    `instance_group [ { kind: KIND_CPU count: ${load.instances} } ]`,
    `dynamic_batching { max_queue_delay_microseconds: ${Math.round(delayMs * 1000)} }`,
    ...(sloMs === undefined
      ? []
      : [`parameters { key: "penstock.slo_ms" value { string_value: "${sloMs.toFixed(3)}" } }`]),
  ];
  writeFileSync(join(folder, 'timed/config.pbtxt'), `${lines.join('\n')}\n`);
  return folder;
}
