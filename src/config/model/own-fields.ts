const PREFIX = 'penstock.';
const OPTION_PREFIX = 'penstock.provider.options.';

/** Parameters that stand for our own fields where the syntax has none for them (`config.pbtxt`): name to field path. */
const OWN_PARAMETERS: Readonly<Record<string, readonly [string] | readonly [string, string]>> = {
  'penstock.engine': ['engine'],
  'penstock.max_execution_ms': ['max_execution_ms'],
  'penstock.slo_ms': ['slo_ms'],
  'penstock.batch_limit': ['batch_limit'],
  'penstock.cost_sweep_ms': ['cost_sweep_ms'],
  'penstock.split_large_requests': ['split_large_requests'],
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
    if (target?.length === 1) raw[target[0]] ??= target[0] === 'split_large_requests' ? asBoolean(plain) : plain;
    else if (target?.length === 2) providerOf(raw)[target[1]] ??= (READERS[target[1]] ?? ((text) => text))(plain);
    else if (name.startsWith(OPTION_PREFIX)) optionsOf(raw)[name.slice(OPTION_PREFIX.length)] ??= plain;
    else unknown.push(name);
    delete parameters[name];
  }
  return unknown;
}

/** How texts become what a field of ours takes; the others take text. */
const READERS: Readonly<Record<string, (value: unknown) => unknown>> = {
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

function providerOf(raw: Record<string, unknown>): Record<string, unknown> {
  raw.provider = asObject(raw.provider) ?? {};
  return raw.provider as Record<string, unknown>;
}

function optionsOf(raw: Record<string, unknown>): Record<string, unknown> {
  const provider = providerOf(raw);
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

function asBoolean(value: unknown): unknown {
  if (value === 'true' || value === '1') return true;
  return value === 'false' || value === '0' ? false : value;
}

/** `1,2,4` as its numbers; what is none stays for the schema to refuse. */
function asNumbers(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.split(',').map((part) => (/^\s*\d{1,9}\s*$/.test(part) ? Number(part) : part));
}
