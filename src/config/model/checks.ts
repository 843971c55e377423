import type { z } from 'zod';
import { checkDecoupled } from './decoupled-checks.js';
import type { ModelConfig } from './schema.js';
import { checkSequences } from './sequence-checks.js';

type Context = z.core.$RefinementCtx<ModelConfig>;
type Path = (string | number)[];

/** Checks between fields of a model config, those that Triton makes when it reads one. */
export function checkModelConfig(config: ModelConfig, context: Context): void {
  const refuse = (path: Path, message: string) => context.addIssue({ code: 'custom', path, message, input: config });
  oneOf(config.version_policy, ['latest', 'all', 'specific'], (message) => refuse(['version_policy'], message));
  oneOf(config, ['dynamic_batching', 'sequence_batching', 'ensemble_scheduling'], (message) => refuse([], message));
  checkDecoupled(config, refuse);
  uniqueNames(config.input, 'input', refuse);
  uniqueNames(config.output, 'output', refuse);
  checkReshapes(config, refuse);
  checkBatching(config, refuse);
  checkShapes(config, refuse);
  checkSequences(config, refuse);
  checkText(config.text, refuse);
  checkReuse(config, refuse);
  config.model_warmup?.forEach((sample, i) => {
    for (const [name, input] of Object.entries(sample.inputs ?? {}))
      oneOf(input, ['zero_data', 'random_data', 'input_data_file'], (message) =>
        refuse(['model_warmup', i, 'inputs', name], message),
      );
  });
}

type Refuse = (path: Path, message: string) => void;

/** At most one member of a protobuf `oneof` is set. */
function oneOf<T extends object>(
  message: T | undefined,
  members: readonly (keyof T & string)[],
  refuse: (m: string) => void,
) {
  if (message === undefined) return;
  const set = members.filter((member) => message[member] !== undefined);
  if (set.length > 1) refuse(`only one of ${members.join(', ')} can be set, got ${set.join(' and ')}`);
}

function uniqueNames(tensors: readonly { name: string }[] | undefined, field: string, refuse: Refuse): void {
  const seen = new Set<string>();
  tensors?.forEach(({ name }, i) => {
    if (seen.has(name)) refuse([field, i, 'name'], `${field} '${name}' is given twice`);
    seen.add(name);
  });
}

/** A fixed reshape keeps the number of elements; a variable one keeps the number of variable axes. */
function checkReshapes(config: ModelConfig, refuse: Refuse): void {
  for (const field of ['input', 'output'] as const) {
    config[field]?.forEach((tensor, i) => {
      if (tensor.reshape === undefined || tensor.dims === undefined) return;
      const { shape } = tensor.reshape;
      const variable = (dims: readonly number[]) => dims.filter((dim) => dim === -1).length;
      const fixed = (dims: readonly number[]) => dims.reduce((product, dim) => product * Math.abs(dim), 1);
      if (variable(shape) !== variable(tensor.dims) || (variable(shape) === 0 && fixed(shape) !== fixed(tensor.dims)))
        refuse(
          [field, i, 'reshape'],
          `${field} '${tensor.name}': reshape [${shape.join(', ')}] does not hold as many elements as dims [${tensor.dims.join(', ')}]`,
        );
    });
  }
}

function checkBatching(config: ModelConfig, refuse: Refuse): void {
  const batching = config.dynamic_batching;
  if (batching === undefined) return;
  const max = config.max_batch_size;
  batching.preferred_batch_size?.forEach((size, i) => {
    if (max !== undefined && size > max)
      refuse(
        ['dynamic_batching', 'preferred_batch_size', i],
        `preferred batch size ${size} is above max_batch_size ${max}`,
      );
  });
  const levels = batching.priority_levels ?? 0;
  const fallback = batching.default_priority_level ?? 0;
  if (levels > 0 && (fallback < 1 || fallback > levels))
    refuse(
      ['dynamic_batching', 'default_priority_level'],
      `default_priority_level must be from 1 to priority_levels (${levels}), got ${fallback}`,
    );
  if (levels === 0 && fallback > 0)
    refuse(['dynamic_batching', 'default_priority_level'], 'default_priority_level needs priority_levels above 0');
  for (const level of Object.keys(batching.priority_queue_policy ?? {})) {
    if (Number(level) < 1 || Number(level) > levels)
      refuse(
        ['dynamic_batching', 'priority_queue_policy', level],
        `priority level ${level} is not from 1 to priority_levels (${levels})`,
      );
  }
}

/** What of `padding` and `allowed_batch_sizes` can be said without the model. */
function checkShapes(config: ModelConfig, refuse: Refuse): void {
  const sizes = config.allowed_batch_sizes;
  ascending(sizes, (i, message) => refuse(['allowed_batch_sizes', i], message));
  ascending(config.padding?.classes, (i, message) => refuse(['padding', 'classes', i], message));
  const max = config.max_batch_size;
  const last = sizes?.at(-1);
  if (last !== undefined && max !== undefined && last !== max)
    refuse(['allowed_batch_sizes'], `the last size must be max_batch_size (${max}), got ${last}`);
  config.provider?.cuda_graph_batch_sizes?.forEach((size, i) => {
    if (sizes !== undefined && !sizes.includes(size))
      refuse(
        ['provider', 'cuda_graph_batch_sizes', i],
        `expected one of allowed_batch_sizes (${sizes.join(', ')}), got ${size}`,
      );
  });
  for (const side of ['inputs', 'outputs'] as const) {
    const seen = new Set<string>();
    config.padding?.[side]?.forEach(({ name, axis }, i) => {
      if (seen.has(`${axis} ${name}`)) refuse(['padding', side, i], `axis ${axis} of '${name}' is given twice`);
      seen.add(`${axis} ${name}`);
    });
  }
}

function checkText(text: ModelConfig['text'], refuse: Refuse): void {
  if (text?.default_prompt === undefined) return;
  const names = Object.keys(text.prompts ?? {});
  if (!names.includes(text.default_prompt))
    refuse(
      ['text', 'default_prompt'],
      `expected the name of one of text.prompts (${names.join(', ') || 'there are none'}), got '${text.default_prompt}'`,
    );
}

/** An answer is used again only where it depends on the inputs of its request alone, and is one. */
function checkReuse(config: ModelConfig, refuse: Refuse): void {
  const [field] =
    config.response_cache?.enable === true ? ['response_cache'] : config.coalesce === true ? ['coalesce'] : [];
  if (field === undefined) return;
  if (config.sequence_batching !== undefined)
    refuse([field], `${field} does not go with sequence_batching: answers depend on the requests before`);
  if (config.model_transaction_policy?.decoupled === true)
    refuse([field], `${field} does not go with decoupled: a request may have several answers`);
}

function ascending(values: readonly number[] | undefined, refuse: (at: number, message: string) => void): void {
  values?.forEach((value, i) => {
    const before = values[i - 1];
    if (before !== undefined && value <= before)
      refuse(i, `expected more than ${before}, the one before it, got ${value}`);
  });
}
