const PREFIX = 'penstock.';
const OPTION_PREFIX = 'penstock.provider.options.';

/** Parameters that stand for our own fields where the syntax has none for them (`config.pbtxt`): name to field path. */
const OWN_PARAMETERS: Readonly<Record<string, readonly [string] | readonly [string, string]>> = {
  'penstock.engine': ['engine'],
  'penstock.max_execution_ms': ['max_execution_ms'],
  'penstock.slo_ms': ['slo_ms'],
  'penstock.device_weight': ['device_weight'],
  'penstock.batch_limit': ['batch_limit'],
  'penstock.cost_sweep_ms': ['cost_sweep_ms'],
  'penstock.split_large_requests': ['split_large_requests'],
  'penstock.coalesce': ['coalesce'],
  'penstock.allowed_batch_sizes': ['allowed_batch_sizes'],
  'penstock.max_sequence_state_bytes': ['max_sequence_state_bytes'],
  'penstock.iterative_output': ['iterative_output'],
  'penstock.max_iterations': ['max_iterations'],
  'penstock.requests_per_instance': ['requests_per_instance'],
  'penstock.padding.inputs': ['padding', 'inputs'],
  'penstock.padding.outputs': ['padding', 'outputs'],
  'penstock.padding.classes': ['padding', 'classes'],
  'penstock.padding.max_batch_tokens': ['padding', 'max_batch_tokens'],
  'penstock.images': ['images'],
  'penstock.plain_answer': ['plain_answer'],
  'penstock.explainer': ['explainer'],
  'penstock.signatures': ['signatures'],
  'penstock.text.task': ['text', 'task'],
  'penstock.text.tokenizer': ['text', 'tokenizer'],
  'penstock.text.ids': ['text', 'ids'],
  'penstock.text.mask': ['text', 'mask'],
  'penstock.text.types': ['text', 'types'],
  'penstock.text.output': ['text', 'output'],
  'penstock.text.pooling': ['text', 'pooling'],
  'penstock.text.normalize': ['text', 'normalize'],
  'penstock.text.max_tokens': ['text', 'max_tokens'],
  'penstock.text.max_batch_tokens': ['text', 'max_batch_tokens'],
  'penstock.text.auto_truncate': ['text', 'auto_truncate'],
  'penstock.text.truncation_direction': ['text', 'truncation_direction'],
  'penstock.text.prompts': ['text', 'prompts'],
  'penstock.text.default_prompt': ['text', 'default_prompt'],
  'penstock.provider.device': ['provider', 'device'],
  'penstock.provider.on_gpu_error': ['provider', 'on_gpu_error'],
  'penstock.provider.strict': ['provider', 'strict'],
  'penstock.provider.io_binding': ['provider', 'io_binding'],
  'penstock.provider.pinned_memory': ['provider', 'pinned_memory'],
  'penstock.provider.cuda_graph_batch_sizes': ['provider', 'cuda_graph_batch_sizes'],
};

/** Names of `parameters` that are ours; `penstock.provider.options.NAME` comes beside them. */
export const OWN_PARAMETER_NAMES: readonly string[] = Object.keys(OWN_PARAMETERS);

/**
 * Moves `parameters` of ours to the fields they stand for, so that whoever reads a config finds them in one place.
 * Returns the names of ours that are unknown. `raw` is changed; what it holds is checked by the schema afterwards.
 */
export function liftOwnParameters(raw: Record<string, unknown>): string[] {
  const parameters = asObject(raw.parameters);
  if (parameters === undefined) return [];
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (!name.startsWith(PREFIX)) continue;
    const target = OWN_PARAMETERS[name];
    const plain = plainValue(value);
    if (target !== undefined) {
      const [first, second] = target;
      const group = second === undefined ? raw : groupOf(raw, first);
      group[second ?? first] ??= (READERS[second ?? first] ?? ((text) => text))(plain);
    } else if (name.startsWith(OPTION_PREFIX)) optionsOf(raw)[name.slice(OPTION_PREFIX.length)] ??= plain;
    else unknown.push(name);
    delete parameters[name];
  }
  return unknown;
}

/** How texts become what a field of ours takes; the others take text. */
const READERS: Readonly<Record<string, (value: unknown) => unknown>> = {
  split_large_requests: asBoolean,
  coalesce: asBoolean,
  allowed_batch_sizes: asNumbers,
  inputs: asPaddedAxes,
  outputs: asPaddedAxes,
  classes: asNumbers,
  images: asJson,
  plain_answer: asJson,
  signatures: asJson,
  normalize: asBoolean,
  auto_truncate: asBoolean,
  prompts: asJson,
  strict: asBoolean,
  io_binding: asBoolean,
  pinned_memory: asBoolean,
  cuda_graph_batch_sizes: asNumbers,
};

/** Adds the parameters of the accelerator `cuda` to the provider's options; options given there win. */
export function liftCudaAccelerator(raw: Record<string, unknown>): void {
  const accelerators = asObject(asObject(raw.optimization)?.execution_accelerators)?.gpu_execution_accelerator;
  if (!Array.isArray(accelerators)) return;
  for (const accelerator of accelerators.map(asObject)) {
    if (accelerator?.name !== 'cuda') continue;
    for (const [name, value] of Object.entries(asObject(accelerator.parameters) ?? {})) optionsOf(raw)[name] ??= value;
  }
}

function groupOf(raw: Record<string, unknown>, name: string): Record<string, unknown> {
  raw[name] = asObject(raw[name]) ?? {};
  return raw[name] as Record<string, unknown>;
}

function optionsOf(raw: Record<string, unknown>): Record<string, unknown> {
  const provider = groupOf(raw, 'provider');
  provider.options = asObject(provider.options) ?? {};
  return provider.options as Record<string, unknown>;
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function plainValue(value: unknown): unknown {
  const message = asObject(value);
  return message === undefined ? value : message.string_value;
}

/** JSON as what it says; what is none stays for the schema to refuse. */
function asJson(value: unknown): unknown {
  try {
    return typeof value === 'string' ? JSON.parse(value) : value;
  } catch {
    return value;
  }
}

function asBoolean(value: unknown): unknown {
  if (value === 'true' || value === '1') return true;
  return value === 'false' || value === '0' ? false : value;
}

/** `1,2,4` as its numbers; what is none stays for the schema to refuse. */
function asNumbers(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.split(',').map((part) => (/^\s*\d{1,9}\s*$/.test(part) ? Number(part) : part));
}

/** `ids:1=0,mask:1=0` as entries of `padding.inputs`; `states:1,boxes:1=stays` of `padding.outputs`; else left to the schema. */
function asPaddedAxes(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.split(',').map((part) => {
    const match = /^\s*(.+):(\d{1,9})(?:=(.*?))?\s*$/.exec(part);
    if (match === null) return part;
    const [, name, axis, told] = match;
    const number = told === undefined || told === '' ? Number.NaN : Number(told);
    const rest =
      told === undefined ? {} : told === 'stays' ? { follows: false } : { value: Number.isNaN(number) ? told : number };
    return { name, axis: Number(axis), ...rest };
  });
}
