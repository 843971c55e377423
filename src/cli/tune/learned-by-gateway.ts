import { CliError } from '../exit-codes.js';
import { V2Client } from '../v2-client.js';
import { payingRowsOf } from './expectation.js';
import type { Measurements } from './measure-here.js';

/** What a running gateway has learned of a model. Fails where it has not run it yet. */
export async function learnedByGateway(
  url: string,
  { model, version }: { readonly model: string; readonly version?: number },
): Promise<Measurements> {
  const scheduler = await new V2Client(url).scheduler(model, version === undefined ? undefined : String(version));
  const { curve, slots } = scheduler;
  if (curve === undefined)
    throw new CliError(
      `${url} does not know yet what model '${model}' takes: send it some requests (penstock bench run --url ${url} --model ${model}), or measure it here (penstock tune ${model} REPOSITORY)`,
    );
  const instances = Math.max(slots, 1);
  const sizes = curve.rows.map((rows, i) => {
    const meanMs = curve.mean_ms[i] ?? 0;
    const rowsPerSecond = Number(((instances * rows * 1000) / meanMs).toFixed(1));
    return { rows, meanMs, upperMs: Math.max(curve.upper_ms[i] ?? 0, meanMs), rowsPerSecond };
  });
  return {
    model,
    version: Number(scheduler.version),
    from: url,
    sloMs: scheduler.slo_ms,
    maxBatchSize: sizes.at(-1)?.rows ?? 1,
    kind: '',
    settings: [{ instances, device: '', sizes, payingRows: payingRowsOf(sizes) }],
    modelFolder: undefined,
  };
}
