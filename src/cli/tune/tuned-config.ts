import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { Setting } from './settings.js';

/** A model's completed config in Triton's JSON form, as far as it is looked at. */
export interface ShownConfig {
  readonly backend?: string;
  readonly max_batch_size?: number;
  readonly input?: readonly {
    readonly name: string;
    readonly data_type: string;
    readonly dims: readonly number[];
    readonly optional?: boolean;
  }[];
  readonly optimization?: Readonly<Record<string, unknown>>;
  readonly instance_group?: readonly { readonly kind?: string; readonly gpus?: readonly number[] }[];
  readonly model_warmup?: readonly unknown[];
  readonly parameters?: Readonly<Record<string, { readonly string_value: string }>>;
}

export interface ConfigChanges {
  readonly version: number;
  readonly setting: Setting;
  readonly maxBatchSize: number;
  /** Sizes of the axes of inputs, batch axis included. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/** Parameter of the ONNX backend for the threads of one execution. */
const THREADS = 'intra_op_thread_count';

/** The config that loads one version to be measured in one setting. Throws where its inputs cannot be made up. */
export function configToMeasure(config: ShownConfig, changes: ConfigChanges): string {
  const { version, setting, maxBatchSize } = changes;
  const [group = {}] = config.instance_group ?? [];
  // Shown as Triton shows it, and not honoured where it is not asked for: it would be a warning at each load.
  const { input_pinned_memory: _in, output_pinned_memory: _out, ...optimization } = config.optimization ?? {};
  const gpus = group.gpus?.length ? { gpus: group.gpus.slice(0, 1) } : {};
  return JSON.stringify({
    ...config,
    version_policy: { specific: { versions: [version] } },
    max_batch_size: maxBatchSize,
    // Batches are made here, not gathered.
    dynamic_batching: maxBatchSize > 0 ? {} : undefined,
    optimization,
    instance_group: [{ kind: group.kind ?? 'KIND_AUTO', count: setting.instances, ...gpus }],
    parameters: {
      ...config.parameters,
      ...(setting.threads === undefined ? {} : { [THREADS]: { string_value: String(setting.threads) } }),
    },
    model_warmup: warmupOf(config, changes),
  });
}

function warmupOf(config: ShownConfig, { maxBatchSize, shapes }: ConfigChanges): readonly unknown[] {
  const own = config.model_warmup ?? [];
  if (own.length > 0 && shapes.size === 0) return own;
  const inputs = config.input ?? [];
  const offset = maxBatchSize > 0 ? 1 : 0;
  for (const name of shapes.keys())
    if (!inputs.some((input) => input.name === name))
      throw new CliError(
        `--shape: the model has no input '${name}'; it has ${inputs.map((input) => input.name).join(', ')}`,
        EXIT_CODES.usage,
      );
  const made = inputs
    .filter(({ optional }) => optional !== true)
    .map(({ name, data_type, dims }) => {
      const given = shapes.get(name)?.slice(offset) ?? dims;
      if (given.length !== dims.length || given.some((dim) => dim < 0)) {
        const axes = [...(offset === 1 ? [1] : []), ...dims.map((dim) => (dim < 0 ? 16 : dim))];
        throw new CliError(
          `input '${name}' has open axes [${dims}]: say their sizes, e.g. --shape ${name}=${axes}, or give the model a model_warmup`,
          EXIT_CODES.usage,
        );
      }
      return [name, { data_type, dims: given, random_data: true }];
    });
  return [{ name: 'tune', batch_size: 1, count: 1, inputs: Object.fromEntries(made) }];
}

export interface SuggestedConfig {
  readonly setting: Setting;
  readonly kind: string;
  readonly maxBatchSize: number;
  /** Larger batches were tried and did not pay. */
  readonly limited: boolean;
  readonly sloMs: number | undefined;
}

/** The lines of a config that ask for a setting. Batches are bounded by what pays, not by refusing larger requests. */
export function suggestedConfig(suggested: SuggestedConfig): { readonly pbtxt: string; readonly yaml: string } {
  const { setting, kind, maxBatchSize, limited, sloMs } = suggested;
  const own: [string, string][] = [];
  if (limited) own.push(['batch_limit', 'auto']);
  if (sloMs !== undefined) own.push(['slo_ms', String(sloMs)]);
  const threads = setting.threads;
  const parameter = (name: string, value: string | number) =>
    `parameters { key: "${name}" value { string_value: "${value}" } }`;
  const pbtxt = [
    ...(maxBatchSize > 0 ? [`max_batch_size: ${maxBatchSize}`, 'dynamic_batching { }'] : []),
    `instance_group [ { kind: ${kind} count: ${setting.instances} } ]`,
    ...(threads === undefined ? [] : [parameter(THREADS, threads)]),
    ...own.map(([name, value]) => parameter(`penstock.${name}`, value)),
  ];
  const yaml = [
    ...(maxBatchSize > 0 ? [`max_batch_size: ${maxBatchSize}`, 'dynamic_batching: {}'] : []),
    'instance_group:',
    `  - kind: ${kind}`,
    `    count: ${setting.instances}`,
    ...(threads === undefined ? [] : ['parameters:', `  ${THREADS}: { string_value: "${threads}" }`]),
    ...own.map(([name, value]) => `${name}: ${value}`),
  ];
  return { pbtxt: `${pbtxt.join('\n')}\n`, yaml: `${yaml.join('\n')}\n` };
}
