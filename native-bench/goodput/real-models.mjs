/** Real models in one instance, with an SLO in times of what one row takes on this machine. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLoadGenerator } from '../../dist/cli/bench/load-generator.js';
import { randomSource } from '../../dist/cli/bench/random-source.js';
import { requestBytes } from '../../dist/cli/bench/request-bytes.js';
import { parseShape, sampleInputs } from '../../dist/cli/bench/sample-inputs.js';
import { measuredCurve } from '../../dist/core/index.js';
import { fluidBoundPerSecond } from '../../dist/simulation/index.js';
import { startGateway } from '../gateway-process.mjs';
import { targetOf } from '../requests.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));

/** Of one shape: what may share a batch shall not differ between servers. The MLP runs in less time than its request travels. */
const INPUTS = {
  cnn: [['x', 'FP32', '1,3,96,96']],
  embedder: [
    ['ids', 'INT64', '1,32'],
    ['mask', 'INT64', '1,32'],
  ],
};
export const REAL_MODELS = Object.keys(INPUTS);

/** Longer than any wait of the runs that the curve is learned from. */
const NO_SLO_MS = 60_000;
const CALLERS = [1, 2, 4, 8, 16, 32];

export function realRequests(model, target) {
  const inputs = INPUTS[model];
  const specs = inputs.map(([name, datatype, sizes]) => ({ name, datatype, shape: sizes.split(',').map(() => -1) }));
  const shapes = new Map(inputs.map(([name, , sizes]) => [name, parseShape(`${name}=${sizes}`).axes]));
  const random = randomSource(1);
  const named = { name: model, version: undefined };
  return Array.from({ length: 8 }, () =>
    requestBytes(target, named, sampleInputs(specs, shapes, 'random', random), 'binary'),
  );
}

export function writeRealModel(folder, { model }, { sloMs, delayMs = 0 }) {
  cpSync(join(HERE, '../models', model), join(folder, model), { recursive: true });
  const config = join(folder, model, 'config.pbtxt');
  const lines = ['instance_group [ { kind: KIND_CPU count: 1 } ]'];
  if (sloMs !== undefined)
    lines.push(`parameters { key: "penstock.slo_ms" value { string_value: "${sloMs.toFixed(3)}" } }`);
  const delay = delayMs > 0 ? ` max_queue_delay_microseconds: ${Math.round(delayMs * 1000)}` : '';
  const own = readFileSync(config, 'utf8').replace('dynamic_batching { }', `dynamic_batching {${delay} }`);
  writeFileSync(config, `${own}${lines.join('\n')}\n`);
  return folder;
}

/** The cell of a model: its curve as a gateway learns it here, under closed loops; the fluid bound follows from it. */
export async function realCell(model, slo, folder) {
  const server = await startGateway({
    repository: writeRealModel(join(folder, 'curve'), { model }, { sloMs: NO_SLO_MS }),
  });
  const generator = startLoadGenerator();
  try {
    const target = targetOf('http', server.ports, model);
    const requests = realRequests(model, target);
    for (const concurrency of CALLERS)
      await generator.run({ target, requests, load: { kind: 'closed', concurrency, ms: 1000 } });
    const reply = await fetch(`http://127.0.0.1:${server.ports.http}/v2/models/${model}/scheduler`);
    const { rows, mean_ms: meanMs } = (await reply.json()).curve;
    const load = {
      curve: measuredCurve(rows.map((size, i) => [size, meanMs[i]])),
      instances: 1,
      sloMs: slo * meanMs[0],
      maxBatchSize: rows.at(-1),
      jitter: 0,
    };
    const curve = Object.fromEntries(rows.map((size, i) => [size, meanMs[i]]));
    return { name: `${model}-d${slo}`, model, curve, scale: 1, slo, load, boundPerSecond: fluidBoundPerSecond(load) };
  } finally {
    generator.end();
    await server.stop();
  }
}
