import { z } from 'zod';
import { count32, count64, dataType, dimension, fileName, int32, positive32 } from './fields.js';

const queuePolicy = z.strictObject({
  timeout_action: z
    .enum(['REJECT', 'DELAY'])
    .optional()
    .describe('A request that waited too long: refuse it (default), or serve it after the others'),
  default_timeout_microseconds: count64().optional().describe('Longest wait in the queue; 0 = no limit'),
  allow_timeout_override: z.boolean().optional().describe("A request's own `timeout` may shorten the wait"),
  max_queue_size: count32().optional().describe("Most requests waiting; 0 = the server's own bound"),
});

const dynamicBatching = z.strictObject({
  preferred_batch_size: z.array(positive32()).optional().describe('Sizes worth waiting for'),
  max_queue_delay_microseconds: count64()
    .optional()
    .describe('How long a request waits for others while an instance is free; default 0'),
  preserve_ordering: z.boolean().optional().describe('Answer in the order of arrival'),
  priority_levels: count64().optional().describe('Number of priorities, 1 the highest; 0 = off'),
  default_priority_level: count64().optional().describe('Priority of a request that names none'),
  default_queue_policy: queuePolicy.optional().describe('Queue of every priority without a policy of its own'),
  priority_queue_policy: z
    .record(z.string().regex(/^\d+$/, 'expected a priority level'), queuePolicy)
    .optional()
    .describe('Queue policy by priority level'),
});

const controlValues = 'What the model is told where it is false, and where it is true';

const sequenceControl = z.strictObject({
  kind: z
    .enum(['CONTROL_SEQUENCE_START', 'CONTROL_SEQUENCE_READY', 'CONTROL_SEQUENCE_END', 'CONTROL_SEQUENCE_CORRID'])
    .optional()
    .describe('What the input says; default CONTROL_SEQUENCE_START'),
  int32_false_true: z.array(int32()).optional().describe(controlValues),
  fp32_false_true: z.array(z.number()).optional().describe(controlValues),
  bool_false_true: z.array(z.boolean()).optional().describe(controlValues),
  data_type: dataType().optional().describe('CONTROL_SEQUENCE_CORRID: of the id, an integer type or TYPE_STRING'),
});

const initialState = z.strictObject({
  name: z.string().optional().describe('For messages'),
  data_type: dataType().optional().describe('That of the state'),
  dims: z.array(dimension()).optional().describe('Its shape, less the batch axis'),
  zero_data: z.boolean().optional().describe('Zeros (empty strings)'),
  data_file: fileName().optional().describe('Raw tensor bytes, a file in the folder `initial_state` of the model'),
});

const sequenceState = z.strictObject({
  input_name: z.string().optional().describe('Input that takes the state; clients do not send it'),
  output_name: z.string().optional().describe('Output that gives the next state; clients see it where `output` has it'),
  data_type: dataType().optional().describe('Data type of its elements'),
  dims: z.array(dimension()).optional().describe('Shape less the batch axis; -1 = any size'),
  initial_state: z
    .array(initialState)
    .optional()
    .describe('What a sequence begins with; default zeros, 1 where a dimension is -1'),
  use_same_buffer_for_input_output: z.boolean().optional(),
  use_growable_memory: z.boolean().optional(),
});

const sequenceBatching = z.strictObject({
  direct: z
    .strictObject({
      max_queue_delay_microseconds: count64()
        .optional()
        .describe('How long a request waits for others; only with minimum_slot_utilization above 0'),
      minimum_slot_utilization: z
        .number()
        .optional()
        .describe('Share of the slots of an instance, 0 to 1, that is worth no more waiting; default 0'),
    })
    .optional()
    .describe('A sequence owns a row of the batches of an instance (the default)'),
  oldest: z
    .strictObject({
      max_candidate_sequences: int32()
        .optional()
        .describe('Sequences that an instance serves at once; default max_batch_size'),
      preferred_batch_size: z.array(int32()).optional().describe('Sizes worth waiting for'),
      max_queue_delay_microseconds: count64()
        .optional()
        .describe('How long a request waits for others while its instance is free; default 0'),
      preserve_ordering: z.boolean().optional().describe('Answer in the order of arrival'),
    })
    .optional()
    .describe('Requests of the oldest sequences are batched as they come'),
  max_sequence_idle_microseconds: count64()
    .optional()
    .describe('A sequence without a request for so long is over; default 1000000'),
  control_input: z
    .array(
      z.strictObject({
        name: z.string().optional().describe('Input of the model; clients do not send it'),
        control: z.array(sequenceControl).optional().describe('One'),
      }),
    )
    .optional()
    .describe('Inputs by which the model is told of sequences'),
  state: z.array(sequenceState).optional().describe('Tensors that are kept for a sequence between its requests'),
  iterative_sequence: z
    .boolean()
    .optional()
    .describe('A request is run again for as long as the model asks for it (iterative_output)'),
});

const ensembleScheduling = z.strictObject({
  step: z
    .array(
      z.strictObject({
        model_name: z.string().optional(),
        model_version: z
          .union([z.int(), z.string().regex(/^-?\d+$/)])
          .transform(Number)
          .optional(),
        input_map: z.record(z.string(), z.string()).optional(),
        output_map: z.record(z.string(), z.string()).optional(),
        model_namespace: z.string().optional(),
      }),
    )
    .optional(),
  max_inflight_requests: count32().optional(),
});

/** The three schedulers of Triton's `scheduling_choice`; a model has at most one. */
export const SCHEDULING_FIELDS = { dynamicBatching, sequenceBatching, ensembleScheduling };
