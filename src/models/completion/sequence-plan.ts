import type { ModelConfig } from '../../config/index.js';
import {
  byteSize,
  countBytesElements,
  DATA_TYPES,
  type DataType,
  dataTypeOfTriton,
  elementCount,
  type Iterations,
  type ModelSignature,
  type SequenceControl,
  type SequenceControlKind,
  type SequencePlan,
  type SequenceState,
  ServingError,
  type TypedArray,
} from '../../core/index.js';
import { readContained } from '../repository/contained-path.js';
import type { ModelPlace } from '../repository/folders.js';
import type { CompletedTensors } from './config-parts.js';
import { checkNeeded, iterativeOutput, type NeededTensor } from './sequence-tensors.js';

type SequenceBatching = NonNullable<ModelConfig['sequence_batching']>;
type ConfigControl = NonNullable<NonNullable<SequenceBatching['control_input']>[number]['control']>[number];
type ConfigState = NonNullable<SequenceBatching['state']>[number];
type DynamicBatching = NonNullable<ModelConfig['dynamic_batching']>;

/** Triton's `SEQUENCE_IDLE_DEFAULT_MICROSECONDS`. */
export const DEFAULT_IDLE_US = 1_000_000;
const MOST_ITERATIONS = 4096;
const DEFAULT_STATE_BYTES = 64 * 1024 * 1024;
/** Of the folder of the model. */
const STATE_FOLDER = 'initial_state';

/** How requests of different sequences of one instance are gathered, in the words of `dynamic_batching`. */
export function batchingOfSequences(batching: SequenceBatching, maxBatchSize: number): DynamicBatching {
  const { oldest, direct } = batching;
  if (oldest !== undefined) {
    const { preferred_batch_size, max_queue_delay_microseconds, preserve_ordering } = oldest;
    return { preferred_batch_size, max_queue_delay_microseconds, preserve_ordering };
  }
  const share = direct?.minimum_slot_utilization ?? 0;
  if (share === 0) return {};
  const enough = Math.max(Math.ceil(share * maxBatchSize), 1);
  return {
    preferred_batch_size: Array.from({ length: Math.max(maxBatchSize - enough + 1, 0) }, (_, i) => enough + i),
    max_queue_delay_microseconds: direct?.max_queue_delay_microseconds,
  };
}

/**
 * How a version's sequences are served: Triton's `sequence_batching` with its defaults, checked against the model, initial
 * states read from the folder `initial_state` of the model. Throws MODEL_INVALID.
 */
export async function sequencePlanOf(
  config: ModelConfig,
  batching: SequenceBatching,
  tensors: CompletedTensors,
  signature: ModelSignature,
  place: ModelPlace,
): Promise<SequencePlan> {
  const { maxBatchSize } = tensors;
  const batched = maxBatchSize > 0;
  const controls = (batching.control_input ?? []).map(({ name = '', control }) =>
    controlOf(name, control?.[0] as ConfigControl),
  );
  const maxStateBytes = config.max_sequence_state_bytes ?? DEFAULT_STATE_BYTES;
  const states: SequenceState[] = [];
  for (const state of batching.state ?? []) states.push(await stateOf(state, batched, place, maxStateBytes));
  const iterative = iterationsOf(config);
  checkNeeded(needed(controls, states, iterative), signature, maxBatchSize);
  const initialBytes = states.reduce((sum, { initial }) => sum + initial.data.byteLength, 0);
  if (initialBytes > maxStateBytes) {
    throw new ServingError(
      'MODEL_INVALID',
      `sequence_batching: the initial states have ${initialBytes} bytes, at most ${maxStateBytes} are kept (max_sequence_state_bytes)`,
    );
  }
  const candidates = batching.oldest?.max_candidate_sequences ?? 0;
  return {
    strategy: batching.oldest === undefined ? 'direct' : 'oldest',
    slotsPerInstance: candidates > 0 ? candidates : Math.max(maxBatchSize, 1),
    maxIdleUs: batching.max_sequence_idle_microseconds || DEFAULT_IDLE_US,
    controls,
    states,
    maxStateBytes,
    ...(iterative === undefined ? {} : { iterative }),
  };
}

/** How requests are run again; undefined: they are run once. */
function iterationsOf(config: ModelConfig): Iterations | undefined {
  if (config.sequence_batching?.iterative_sequence !== true) return undefined;
  return { output: iterativeOutput(config), most: config.max_iterations ?? MOST_ITERATIONS };
}

const KINDS: Readonly<Record<NonNullable<ConfigControl['kind']>, SequenceControlKind>> = {
  CONTROL_SEQUENCE_START: 'start',
  CONTROL_SEQUENCE_END: 'end',
  CONTROL_SEQUENCE_READY: 'ready',
  CONTROL_SEQUENCE_CORRID: 'corrid',
};

const NOTHING = new Uint8Array(0);

function controlOf(name: string, control: ConfigControl): SequenceControl {
  const kind = KINDS[control.kind ?? 'CONTROL_SEQUENCE_START'];
  const { int32_false_true: ints, fp32_false_true: floats, bool_false_true: flags, data_type: type } = control;
  if (kind === 'corrid') {
    return {
      name,
      kind,
      dataType: dataTypeOfTriton(type as string) as DataType,
      falseData: NOTHING,
      trueData: NOTHING,
    };
  }
  const [dataType, values]: [DataType, readonly (number | boolean)[]] =
    ints !== undefined && ints.length > 0
      ? ['INT32', ints]
      : floats !== undefined && floats.length > 0
        ? ['FP32', floats]
        : ['BOOL', flags ?? []];
  const [no, yes] = values.map((value) => element(dataType, Number(value)));
  return { name, kind, dataType, falseData: no as Uint8Array, trueData: yes as Uint8Array };
}

function element(dataType: DataType, value: number): Uint8Array {
  const { array, elementBytes } = DATA_TYPES[dataType];
  const one: TypedArray = new array(new ArrayBuffer(elementBytes));
  one[0] = value;
  return new Uint8Array(one.buffer);
}

async function stateOf(
  state: ConfigState,
  batched: boolean,
  place: ModelPlace,
  mostBytes: number,
): Promise<SequenceState> {
  const { input_name: inputName = '', output_name: outputName = '', dims = [] } = state;
  const dataType = dataTypeOfTriton(state.data_type as string) as DataType;
  const given = state.initial_state?.[0];
  const initialDims = given?.dims ?? dims.map((dim) => (dim === -1 ? 1 : dim));
  const elements = elementCount(initialDims);
  // An empty text is its length alone.
  const bytes = dataType === 'BYTES' ? 4 * elements : byteSize(dataType, initialDims);
  // All together are looked at later: this keeps what one of them takes now in bounds.
  if (bytes > mostBytes) {
    throw new ServingError(
      'MODEL_INVALID',
      `sequence_batching: the initial state of '${inputName}' has ${bytes} bytes, at most ${mostBytes} are kept (max_sequence_state_bytes)`,
    );
  }
  const file = given?.data_file ?? '';
  const data =
    file === '' ? new Uint8Array(bytes) : await stateFile({ name: inputName, dataType, elements, bytes, file, place });
  const shape = batched ? [1, ...initialDims] : initialDims;
  return { inputName, outputName, dataType, dims, initial: { name: inputName, dataType, shape, data } };
}

interface StateFile {
  readonly name: string;
  readonly dataType: DataType;
  readonly elements: number;
  readonly bytes: number;
  readonly file: string;
  readonly place: ModelPlace;
}

async function stateFile({ name, dataType, elements, bytes, file, place }: StateFile): Promise<Uint8Array> {
  const shown = `initial state of '${name}': file ${STATE_FOLDER}/${file}`;
  const most = dataType === 'BYTES' ? DEFAULT_STATE_BYTES : bytes;
  const data = await readContained(place.root, place.folder, `${STATE_FOLDER}/${file}`, shown, most);
  if (dataType === 'BYTES') {
    const count = countBytesElements(data);
    if (count === elements) return new Uint8Array(data);
    throw new ServingError(
      'MODEL_INVALID',
      `${shown} holds ${count < 0 ? 'broken' : count} BYTES elements, expected ${elements}`,
    );
  }
  if (data.byteLength === bytes) return new Uint8Array(data);
  throw new ServingError('MODEL_INVALID', `${shown} has ${data.byteLength} bytes, expected ${bytes}`);
}

function needed(
  controls: readonly SequenceControl[],
  states: readonly SequenceState[],
  iterative: Iterations | undefined,
): NeededTensor[] {
  return [
    ...(iterative === undefined
      ? []
      : [{ what: 'iterative output', name: iterative.output, dataType: 'BOOL' as const, dims: [1] }]),
    ...controls.map(({ name, dataType }) => ({ what: 'control input', name, dataType, dims: [1] })),
    ...states.flatMap(({ inputName, outputName, dataType, dims }) => [
      { what: 'state input', name: inputName, dataType, dims },
      { what: 'state output', name: outputName, dataType, dims },
    ]),
  ];
}
