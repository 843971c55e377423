import { z } from 'zod';
import { count32, dataType, int32 } from './fields.js';

const shapes = z.record(
  z.string(),
  z.strictObject({ dim: z.array(z.union([z.int(), z.string()]).transform(Number)).optional() }),
);

const accelerator = z.strictObject({
  name: z.string().optional(),
  parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).optional(),
});

const optimization = z.strictObject({
  graph: z
    .strictObject({ level: int32().optional().describe('-1 basic, 1 extended, 2 none; not given: all') })
    .optional()
    .describe('Graph optimisation'),
  priority: z.enum(['PRIORITY_DEFAULT', 'PRIORITY_MAX', 'PRIORITY_MIN']).optional(),
  cuda: z
    .strictObject({
      graphs: z.boolean().optional(),
      busy_wait_events: z.boolean().optional(),
      graph_spec: z
        .array(
          z.strictObject({
            batch_size: int32().optional(),
            input: shapes.optional(),
            graph_lower_bound: z.strictObject({ batch_size: int32().optional(), input: shapes.optional() }).optional(),
          }),
        )
        .optional(),
      output_copy_stream: z.boolean().optional(),
    })
    .optional(),
  execution_accelerators: z
    .strictObject({
      gpu_execution_accelerator: z.array(accelerator).optional(),
      cpu_execution_accelerator: z.array(accelerator).optional(),
    })
    .optional()
    .describe('Execution providers; `cuda` with its options is honoured'),
  input_pinned_memory: z.strictObject({ enable: z.boolean().optional() }).optional(),
  output_pinned_memory: z.strictObject({ enable: z.boolean().optional() }).optional(),
  gather_kernel_buffer_threshold: count32().optional(),
  eager_batching: z.boolean().optional(),
});

/**
 * The parts of Triton's ModelConfig beside inputs, outputs, instances and scheduling, most of which are read but not
 * served: `unhonoured.ts` says for each what happens where it is set.
 */
export const OTHER_FIELDS = {
  optimization,
  runtime: z.string(),
  rateLimiter: z.strictObject({
    resources: z
      .array(
        z.strictObject({ name: z.string().optional(), global: z.boolean().optional(), count: count32().optional() }),
      )
      .optional(),
    priority: count32().optional(),
  }),
  secondaryDevice: z.strictObject({ kind: z.enum(['KIND_NVDLA']).optional(), device_id: count32().optional() }),
  batchInput: z.strictObject({
    kind: z
      .enum([
        'BATCH_ELEMENT_COUNT',
        'BATCH_ACCUMULATED_ELEMENT_COUNT',
        'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO',
        'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE',
        'BATCH_ITEM_SHAPE',
        'BATCH_ITEM_SHAPE_FLATTEN',
      ])
      .optional(),
    target_name: z.array(z.string()).optional(),
    data_type: dataType().optional(),
    source_input: z.array(z.string()).optional(),
  }),
  batchOutput: z.strictObject({
    target_name: z.array(z.string()).optional(),
    kind: z.enum(['BATCH_SCATTER_WITH_INPUT_SHAPE']).optional(),
    source_input: z.array(z.string()).optional(),
  }),
  operations: z.strictObject({ op_library_filename: z.array(z.string()).optional() }),
  transactionPolicy: z.strictObject({
    decoupled: z
      .boolean()
      .optional()
      .describe('A request has any number of responses, each sent when it is there (backend script)'),
  }),
  repositoryAgents: z.strictObject({
    agents: z
      .array(z.strictObject({ name: z.string().optional(), parameters: z.record(z.string(), z.string()).optional() }))
      .optional(),
  }),
  responseCache: z.strictObject({ enable: z.boolean().optional() }),
  metrics: z.strictObject({
    metric_control: z
      .array(
        z.strictObject({
          metric_identifier: z.strictObject({ family: z.string().optional() }).optional(),
          histogram_options: z.strictObject({ buckets: z.array(z.number()).optional() }).optional(),
        }),
      )
      .optional(),
  }),
};
