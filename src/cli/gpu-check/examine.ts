import type { Backend, BindingPolicy } from '../../core/index.js';
import { type Agreement, agreementOf, providerFault } from './agreement.js';
import { LANE_MODES } from './lane-modes.js';
import { type ModelRunner, openRunner } from './model-runner.js';
import type { ModelFindings } from './report.js';
import { type Effort, type Speed, speedOf } from './speed.js';

export interface ExaminedModel {
  readonly name: string;
  /** Absolute path of its file. */
  readonly path: string;
  readonly inputName: string;
}

export interface Devices {
  readonly deviceId: number;
  readonly cpuThreads: number;
}

/**
 * Arithmetic that the GPU is compared in. Its own FP32 differs from the CPU's by the order of sums; TF32, which Tensor Cores
 * use for FP32 by default, keeps 10 bits of each factor. The default is what `serve` gives, so that is what is timed.
 */
const TF32_TOLERANCE = 1e-2;
const PRECISIONS = [
  { name: 'FP32', tolerance: 1e-4, providerOptions: { use_tf32: '0' } },
  { name: 'TF32 (the default)', tolerance: TF32_TOLERANCE, providerOptions: {} },
] as const;

/**
 * Opens a model on the CPU and on CUDA, compares their answers and times both. What goes wrong on the GPU becomes a problem
 * of the result; what goes wrong on the CPU throws, as there is nothing to compare with.
 */
export async function examine(
  model: ExaminedModel,
  backend: Backend,
  devices: Devices,
  effort: Effort,
): Promise<{ readonly model: ModelFindings; readonly problems: string[] }> {
  const problems: string[] = [];
  const agreements: Agreement[] = [];
  let providers: ModelFindings['providers'];
  const modes: ModelFindings['modes'][number][] = [];
  let cuda: Speed[] = [];
  const open = (
    device: 'cpu' | 'cuda',
    providerOptions: Readonly<Record<string, string>>,
    binding?: BindingPolicy,
  ): Promise<ModelRunner> =>
    openRunner(backend, {
      name: model.name,
      modelPath: model.path,
      device,
      deviceId: devices.deviceId,
      providerOptions,
      intraOpThreads: devices.cpuThreads,
      ...(binding === undefined ? {} : { binding }),
    });

  const reference = await open('cpu', {});
  try {
    for (const precision of PRECISIONS) {
      try {
        const runner = await open('cuda', precision.providerOptions);
        try {
          providers = runner.providers;
          const fault = providerFault(runner.providers);
          if (fault !== undefined) problems.push(`${model.name}: ${fault}`);
          const agreement = await agreementOf(reference, runner, model.inputName, precision);
          agreements.push(agreement);
          for (const different of agreement.faults)
            problems.push(`${model.name}, ${precision.name}, CUDA against CPU: ${different}`);
          if (precision === PRECISIONS.at(-1)) cuda = await speedOf(runner, model.inputName, effort);
        } finally {
          await runner.close();
        }
      } catch (thrown) {
        problems.push(`${model.name}, ${precision.name}, on CUDA: ${(thrown as Error).message}`);
        // Libraries that do not load will not for the next precision either.
        if (providers === undefined) break;
      }
    }
    for (const { name, binding } of providers === undefined ? [] : LANE_MODES) {
      try {
        const runner = await open('cuda', {}, binding);
        try {
          const agreement = await agreementOf(reference, runner, model.inputName, { name, tolerance: TF32_TOLERANCE });
          for (const different of agreement.faults)
            problems.push(`${model.name}, ${name}, CUDA against CPU: ${different}`);
          modes.push({ name, agreement, speeds: await speedOf(runner, model.inputName, effort) });
        } finally {
          await runner.close();
        }
      } catch (thrown) {
        problems.push(`${model.name}, ${name}, on CUDA: ${(thrown as Error).message}`);
      }
    }
    // Beside nothing, its speed is of no use.
    const cpu = cuda.length === 0 ? [] : await speedOf(reference, model.inputName, effort);
    return { model: { name: model.name, providers, agreements, cpu, cuda, modes }, problems };
  } finally {
    await reference.close();
  }
}
