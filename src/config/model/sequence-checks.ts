import type { ModelConfig } from './schema.js';

type SequenceBatching = NonNullable<ModelConfig['sequence_batching']>;
type Control = NonNullable<NonNullable<SequenceBatching['control_input']>[number]['control']>[number];
type State = NonNullable<SequenceBatching['state']>[number];
type Path = (string | number)[];
type Refuse = (path: Path, message: string) => void;

/** Values of a flag, of which one field is given: what the model is told where it is false, and where it is true. */
const FLAG_FIELDS = ['int32_false_true', 'fp32_false_true', 'bool_false_true'] as const;
const ID_TYPES = ['TYPE_UINT64', 'TYPE_INT64', 'TYPE_UINT32', 'TYPE_INT32', 'TYPE_STRING'];

/** What of `sequence_batching` can be said without the model: what Triton's `ValidateModelConfig` and scheduler refuse. */
export function checkSequences(config: ModelConfig, refuse: Refuse): void {
  const batching = config.sequence_batching;
  for (const field of ['iterative_output', 'max_iterations'] as const)
    if (config[field] !== undefined && batching?.iterative_sequence !== true)
      refuse([field], `${field} is for models with sequence_batching.iterative_sequence`);
  if (batching === undefined) return;
  const at = (...path: Path): Path => ['sequence_batching', ...path];
  if (batching.iterative_sequence === true) checkIterations(config, batching, refuse);
  if (batching.direct !== undefined && batching.oldest !== undefined)
    refuse(at(), 'only one of direct, oldest can be set, got direct and oldest');
  const share = batching.direct?.minimum_slot_utilization ?? 0;
  if (share < 0 || share > 1)
    refuse(at('direct', 'minimum_slot_utilization'), `expected a share from 0 to 1, got ${share}`);
  checkOldest(config, batching, (path, message) => refuse(at('oldest', ...path), message));
  checkControls(batching, (path, message) => refuse(at('control_input', ...path), message));
  batching.state?.forEach((state, i) => {
    checkState(state, (path, message) => refuse(at('state', i, ...path), message));
  });
  checkNames(config, batching, (path, message) => refuse(at(...path), message));
  if (config.response_cache?.enable === true)
    refuse(
      ['response_cache'],
      'response_cache does not go with sequence_batching: an answer depends on what came before',
    );
  for (const field of ['padding', 'allowed_batch_sizes', 'split_large_requests'] as const) {
    if (config[field] !== undefined && config[field] !== false)
      refuse([field], `${field} does not go with sequence_batching: a row of a batch is one request of one sequence`);
  }
}

/** How often a request is run, and so how long it takes, is the model's to say. */
function checkIterations(config: ModelConfig, { oldest }: SequenceBatching, refuse: Refuse): void {
  const why = 'does not go with iterative_sequence:';
  if ((config.slo_ms ?? 0) > 0)
    refuse(['slo_ms'], `slo_ms ${why} how often a request is run is not predicted; limit it by deadlines of requests`);
  if (oldest?.preserve_ordering === true)
    refuse(['sequence_batching', 'oldest', 'preserve_ordering'], `preserve_ordering ${why} requests end as they end`);
  if (config.requests_per_instance !== undefined)
    refuse(['requests_per_instance'], `requests_per_instance ${why} runs of several requests are a batch`);
}

function checkOldest(config: ModelConfig, { oldest }: SequenceBatching, refuse: Refuse): void {
  if ((oldest?.max_candidate_sequences ?? 0) < 0)
    refuse(['max_candidate_sequences'], `expected a count from 0, got ${oldest?.max_candidate_sequences}`);
  const max = config.max_batch_size;
  oldest?.preferred_batch_size?.forEach((size, i) => {
    if (size < 1) refuse(['preferred_batch_size', i], `expected a size of at least 1, got ${size}`);
    else if (max !== undefined && size > max)
      refuse(['preferred_batch_size', i], `preferred batch size ${size} is above max_batch_size ${max}`);
  });
}

function checkControls({ control_input: inputs }: SequenceBatching, refuse: Refuse): void {
  const seen = new Set<string>();
  inputs?.forEach(({ name, control }, i) => {
    if (name === undefined || name === '') refuse([i, 'name'], 'expected the name of an input of the model');
    if (control?.length !== 1) refuse([i, 'control'], `expected one control, got ${control?.length ?? 0}`);
    control?.forEach((one, j) => {
      const kind = kindOf(one);
      if (seen.has(kind)) refuse([i, 'control', j, 'kind'], `${kind} is told by another input already`);
      seen.add(kind);
      if (kind === 'CONTROL_SEQUENCE_CORRID')
        checkId(one, (path, message) => refuse([i, 'control', j, ...path], message));
      else checkFlag(kind, one, (path, message) => refuse([i, 'control', j, ...path], message));
    });
  });
}

/** As proto3 has it: the first of the enum where none is given. */
export function kindOf(control: Control): NonNullable<Control['kind']> {
  return control.kind ?? 'CONTROL_SEQUENCE_START';
}

function checkId(control: Control, refuse: Refuse): void {
  const { data_type: type } = control;
  if (type === undefined || !ID_TYPES.includes(type))
    refuse(['data_type'], `CONTROL_SEQUENCE_CORRID: expected one of ${ID_TYPES.join(', ')}, got ${type ?? 'none'}`);
  for (const field of FLAG_FIELDS) {
    if (given(control[field])) refuse([field], 'CONTROL_SEQUENCE_CORRID has no values for false and true');
  }
}

function checkFlag(kind: string, control: Control, refuse: Refuse): void {
  const fields = FLAG_FIELDS.filter((field) => given(control[field]));
  const [field] = fields;
  if (fields.length !== 1 || field === undefined)
    refuse([], `${kind}: expected one of ${FLAG_FIELDS.join(', ')}, got ${fields.join(' and ') || 'none'}`);
  else if (control[field]?.length !== 2)
    refuse([field], `${kind}: expected the value for false and that for true, got ${control[field]?.length} values`);
  if (control.data_type !== undefined)
    refuse(['data_type'], `${kind} has the data type of its values; leave data_type out`);
}

function given(values: readonly unknown[] | undefined): boolean {
  return values !== undefined && values.length > 0;
}

function checkState(state: State, refuse: Refuse): void {
  for (const field of ['input_name', 'output_name'] as const)
    if ((state[field] ?? '') === '') refuse([field], `expected the name of an ${field.slice(0, -5)} of the model`);
  if (state.data_type === undefined) refuse(['data_type'], 'expected the data type of the state');
  if (state.dims === undefined) refuse(['dims'], 'expected the shape of the state, less the batch axis');
  const all = state.initial_state ?? [];
  if (all.length > 1) refuse(['initial_state'], `expected at most one initial state, got ${all.length}`);
  const [initial] = all;
  if (initial === undefined) return;
  const at = (field: string): Path => ['initial_state', 0, field];
  if ((initial.name ?? '') === '') refuse(at('name'), 'expected a name for the initial state');
  if (initial.data_type !== state.data_type)
    refuse(at('data_type'), `expected ${state.data_type}, that of the state, got ${initial.data_type ?? 'none'}`);
  const dims = initial.dims ?? [];
  const stateDims = state.dims ?? [];
  if (dims.includes(-1)) refuse(at('dims'), 'an initial state has a fixed shape');
  else if (dims.length !== stateDims.length || stateDims.some((dim, i) => dim !== -1 && dim !== dims[i]))
    refuse(
      at('dims'),
      `expected a shape that fits that of the state [${stateDims.join(', ')}], got [${dims.join(', ')}]`,
    );
  const file = (initial.data_file ?? '') !== '';
  if (file === (initial.zero_data === true))
    refuse(['initial_state', 0], `expected zero_data or data_file, got ${file ? 'both' : 'none'}`);
}

/** Inputs that the server gives are no clients', and no tensor has two parts. */
function checkNames(config: ModelConfig, batching: SequenceBatching, refuse: Refuse): void {
  const inputs = new Map((config.input ?? []).map(({ name }) => [name, 'an input of clients']));
  const outputs = new Set<string>();
  batching.control_input?.forEach(({ name = '' }, i) => {
    const taken = inputs.get(name);
    if (taken !== undefined) refuse(['control_input', i, 'name'], `'${name}' is ${taken} already`);
    inputs.set(name, 'a control input');
  });
  batching.state?.forEach(({ input_name: input = '', output_name: output = '' }, i) => {
    const taken = inputs.get(input);
    if (taken !== undefined) refuse(['state', i, 'input_name'], `'${input}' is ${taken} already`);
    inputs.set(input, 'an input of a state');
    if (outputs.has(output)) refuse(['state', i, 'output_name'], `'${output}' is the output of a state already`);
    outputs.add(output);
  });
}
