import { z } from 'zod';
import { count32, count64, dataType, dimension, int32, positive32 } from './fields.js';

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

const sequenceBatching = z.strictObject({
  direct: z
    .strictObject({
      max_queue_delay_microseconds: count64().optional(),
      minimum_slot_utilization: z.number().optional(),
    })
    .optional(),
  oldest: z
    .strictObject({
      max_candidate_sequences: int32().optional(),
      preferred_batch_size: z.array(int32()).optional(),
      max_queue_delay_microseconds: count64().optional(),
      preserve_ordering: z.boolean().optional(),
    })
    .optional(),
  max_sequence_idle_microseconds: count64().optional(),
  control_input: z
    .array(
      z.strictObject({
        name: z.string().optional(),
        control: z
          .array(
            z.strictObject({
              kind: z
                .enum([
                  'CONTROL_SEQUENCE_START',
                  'CONTROL_SEQUENCE_READY',
                  'CONTROL_SEQUENCE_END',
                  'CONTROL_SEQUENCE_CORRID',
                ])
                .optional(),
              int32_false_true: z.array(int32()).optional(),
              fp32_false_true: z.array(z.number()).optional(),
              bool_false_true: z.array(z.boolean()).optional(),
              data_type: dataType().optional(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
  state: z
    .array(
      z.strictObject({
        input_name: z.string().optional(),
        output_name: z.string().optional(),
        data_type: dataType().optional(),
        dims: z.array(dimension()).optional(),
        initial_state: z
          .array(
            z.strictObject({
              name: z.string().optional(),
              data_type: dataType().optional(),
              dims: z.array(dimension()).optional(),
              zero_data: z.boolean().optional(),
              data_file: z.string().optional(),
            }),
          )
          .optional(),
        use_same_buffer_for_input_output: z.boolean().optional(),
        use_growable_memory: z.boolean().optional(),
      }),
    )
    .optional(),
  iterative_sequence: z.boolean().optional(),
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
