import type { ModelConfig } from '../../config/index.js';
import { DEFAULT_IDLE_US } from './sequence-plan.js';

type Json = Readonly<Record<string, unknown>>;
type SequenceBatching = NonNullable<ModelConfig['sequence_batching']>;

/** `sequence_batching` as Triton's `/config` prints it; clients find by it that a model serves sequences. */
export function shownSequences(given: SequenceBatching, maxBatchSize: number): Json {
  const { oldest } = given;
  return {
    ...(oldest === undefined
      ? {
          direct: {
            max_queue_delay_microseconds: given.direct?.max_queue_delay_microseconds ?? 0,
            minimum_slot_utilization: given.direct?.minimum_slot_utilization ?? 0,
          },
        }
      : {
          oldest: {
            max_candidate_sequences: oldest.max_candidate_sequences ?? 0,
            preferred_batch_size: shownSizes(oldest.preferred_batch_size, maxBatchSize),
            max_queue_delay_microseconds: oldest.max_queue_delay_microseconds ?? 0,
            preserve_ordering: oldest.preserve_ordering ?? false,
          },
        }),
    max_sequence_idle_microseconds: given.max_sequence_idle_microseconds || DEFAULT_IDLE_US,
    control_input: (given.control_input ?? []).map(({ name, control }) => ({
      name: name ?? '',
      control: (control ?? []).map((one) => ({
        kind: one.kind ?? 'CONTROL_SEQUENCE_START',
        int32_false_true: one.int32_false_true ?? [],
        fp32_false_true: one.fp32_false_true ?? [],
        bool_false_true: one.bool_false_true ?? [],
        data_type: one.data_type ?? 'TYPE_INVALID',
      })),
    })),
    state: (given.state ?? []).map((state) => ({
      input_name: state.input_name ?? '',
      output_name: state.output_name ?? '',
      data_type: state.data_type,
      dims: state.dims ?? [],
      initial_state: (state.initial_state ?? []).map((initial) => ({ ...initial, dims: initial.dims ?? [] })),
      use_same_buffer_for_input_output: state.use_same_buffer_for_input_output ?? false,
      use_growable_memory: state.use_growable_memory ?? false,
    })),
    iterative_sequence: given.iterative_sequence ?? false,
  };
}

function shownSizes(sizes: readonly number[] | undefined, maxBatchSize: number): readonly number[] {
  if (sizes !== undefined && sizes.length > 0) return sizes;
  return maxBatchSize > 0 ? [maxBatchSize] : [];
}
