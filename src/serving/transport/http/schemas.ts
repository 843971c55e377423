import { SLO_OBJECTIVES, SLO_SEVERITIES } from '../../../core/index.js';

/** JSON Schemas (2020-12) of the calls that are not inferences; those of inferences come from the codec. */

type Schema = Readonly<Record<string, unknown>>;

const TEXT: Schema = { type: 'string' };
const COUNT: Schema = { type: 'integer', minimum: 0 };
const FLAG: Schema = { type: 'boolean' };
const DURATION: Schema = object({ count: COUNT, ns: COUNT });
const ONE_VERSION: Schema = {
  type: ['integer', 'string'],
  description: 'This version alone; others go on as they are',
};
const TENSORS: Schema = list(
  object({
    name: TEXT,
    datatype: TEXT,
    shape: {
      type: 'array',
      items: { type: 'integer', minimum: -1 },
      description: 'Batch axis included; -1 = any size',
    },
  }),
);

export const CONTROL_SCHEMAS: Readonly<Record<string, Schema>> = {
  Error: object({ error: TEXT }),
  Empty: { type: 'object', properties: {} },
  Document: { description: 'The document itself' },
  ServerMetadata: object({ name: TEXT, version: TEXT, extensions: list(TEXT) }),
  Live: object({ live: FLAG }),
  Ready: object({ ready: FLAG }),
  ModelReady: object({ name: TEXT, ready: FLAG }),
  ModelMetadata: object({ name: TEXT, versions: list(TEXT), platform: TEXT, inputs: TENSORS, outputs: TENSORS }),
  ModelConfig: { type: 'object', description: 'Triton ModelConfig in its JSON form (model_config.proto)' },
  ModelStatus: object(
    {
      name: TEXT,
      version: TEXT,
      state: TEXT,
      reason: TEXT,
      engine: TEXT,
      providers: {
        type: 'object',
        additionalProperties: { type: 'number' },
        description: 'Share of graph nodes by execution provider',
      },
      fallback: TEXT,
      instances: COUNT,
      lanes: { type: 'object', additionalProperties: COUNT, description: 'Lanes by state' },
      carriers: {
        ...list(object({ device: TEXT, carrier: TEXT, why: TEXT, run_us: { type: 'number' } })),
        description: 'How runs are carried (pool, thread, sync), why, and what they take in microseconds',
      },
    },
    ['version', 'fallback'],
  ),
  ModelScheduler: object(
    {
      name: TEXT,
      version: TEXT,
      policy: { ...TEXT, description: 'deadlines, or knobs (the settings of dynamic_batching)' },
      slo_ms: { type: 'number' },
      waiting: COUNT,
      running: COUNT,
      slots: COUNT,
      free_slots: COUNT,
      idle_because: { ...TEXT, description: 'Why an instance is free beside a waiting request' },
      arrivals_per_second: { type: 'number' },
      padding_share: { type: 'number' },
      curve: object({
        rows: list(COUNT),
        mean_ms: list({ type: 'number' }),
        upper_ms: list({ type: 'number' }),
        paying_rows: { ...COUNT, description: 'Most rows of one execution that pay' },
      }),
      tenants: {
        ...list(
          object({
            name: TEXT,
            weight: { type: 'number' },
            share: { type: 'number', description: 'Part of the device time while those that wait now wait' },
            waiting: COUNT,
            started: COUNT,
            refused: COUNT,
            device_ms: { type: 'number' },
          }),
        ),
        description: 'Those with most requests waiting first; at most 32',
      },
      criticality: list(object({ level: TEXT, started: COUNT, refused: COUNT })),
      recent: {
        ...list(
          object(
            {
              ago_ms: { type: 'number' },
              kind: TEXT,
              why: TEXT,
              rows: COUNT,
              waiting: COUNT,
              free_slots: COUNT,
              wait_ms: { type: 'number' },
            },
            ['wait_ms'],
          ),
        ),
        description: 'The last decisions, the newest first',
      },
      sequences: {
        ...object({
          strategy: TEXT,
          slots: COUNT,
          slots_in_use: COUNT,
          backlog: COUNT,
          idle: COUNT,
          state_bytes: COUNT,
          begun: COUNT,
          ended: COUNT,
          restarted: COUNT,
          expired: COUNT,
          broken: COUNT,
        }),
        description: 'Of a model with sequence_batching',
      },
    },
    ['idle_because', 'curve', 'sequences'],
  ),
  ModelLatency: object({
    name: TEXT,
    versions: list(
      object(
        {
          version: TEXT,
          count: { ...COUNT, description: 'Requests answered since the process first loaded the version' },
          mean_ms: { type: 'number' },
          max_ms: { type: 'number' },
          p50_ms: { type: 'number', description: 'Quantiles are right to 1 %' },
          p90_ms: { type: 'number' },
          p99_ms: { type: 'number' },
          p99_9_ms: { type: 'number' },
          sketch: { description: 'DDSketch of seconds: JSON form of DDSketch.proto, or its bytes in base64' },
        },
        ['mean_ms', 'max_ms', 'p50_ms', 'p90_ms', 'p99_ms', 'p99_9_ms', 'sketch'],
      ),
    ),
  }),
  SloReport: object({
    since_ms: { ...COUNT, description: 'When counting began, in milliseconds since the epoch' },
    slos: list(
      object(
        {
          name: TEXT,
          description: TEXT,
          model: { ...TEXT, description: 'Absent: all models' },
          version: TEXT,
          route: TEXT,
          objective: { enum: [...SLO_OBJECTIVES] },
          promise: { ...TEXT, description: 'What is promised, in words' },
          target: { type: 'number', description: 'Share of events that have to be good' },
          window_days: COUNT,
          state: { enum: ['ok', ...SLO_SEVERITIES], description: 'The most urgent alert that holds' },
          missing: { ...TEXT, description: 'Why nothing is counted' },
          events: { ...COUNT, description: 'Of the window, as far as it is covered' },
          bad: COUNT,
          error_budget_remaining: { type: 'number', description: 'Below 0 where more was spent than there is' },
          covered_seconds: {
            ...COUNT,
            description: 'Of the window: what was before the process began is not known here',
          },
          burn_rates: {
            type: 'object',
            additionalProperties: { type: 'number' },
            description: 'By window; 1 = the budget lasts just for its window',
          },
          alerts: list(
            object({ severity: TEXT, long: TEXT, short: TEXT, rate: { type: 'number' }, min_events: COUNT }),
          ),
          labels: { type: 'object', additionalProperties: TEXT },
          runbook: TEXT,
        },
        ['description', 'model', 'version', 'route', 'missing', 'labels', 'runbook'],
      ),
    ),
  }),
  Statistics: object({
    model_stats: list(
      object({
        name: TEXT,
        version: TEXT,
        last_inference: { ...COUNT, description: 'Milliseconds since the epoch' },
        inference_count: COUNT,
        execution_count: COUNT,
        inference_stats: object({
          success: DURATION,
          fail: DURATION,
          queue: DURATION,
          compute_input: DURATION,
          compute_infer: DURATION,
          compute_output: DURATION,
          cache_hit: DURATION,
          cache_miss: DURATION,
        }),
        batch_stats: list(
          object({ batch_size: COUNT, compute_input: DURATION, compute_infer: DURATION, compute_output: DURATION }),
        ),
      }),
    ),
  }),
  FeedbackItems: list(
    object(
      {
        id: { ...TEXT, description: 'Id that the inference request named' },
        model: TEXT,
        metric: { ...TEXT, description: 'What is measured; default quality. Guards of rollouts name it' },
        correct: { ...FLAG, description: 'Whether the prediction was right' },
        label: {
          type: ['integer', 'string'],
          description: 'The right class, by index or name; compared with the prediction',
        },
        value: { type: 'number', description: 'A measured value, e.g. of a business metric; needs metric' },
      },
      ['metric', 'correct', 'label', 'value'],
    ),
  ),
  FeedbackReport: object({
    accepted: { ...COUNT, description: 'Joined with their predictions' },
    unknown: { ...COUNT, description: 'No prediction of that id is known; they wait a while for it' },
    duplicate: COUNT,
    late: COUNT,
    refused: COUNT,
    errors: list(object({ item: COUNT, error: TEXT })),
  }),
  RepositoryIndexRequest: object({ ready: { ...FLAG, description: 'Only what is ready' } }, ['ready']),
  RepositoryIndex: list(
    object(
      { name: TEXT, version: TEXT, state: { enum: ['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE'] }, reason: TEXT },
      ['version', 'reason'],
    ),
  ),
  RepositoryLoadRequest: object(
    {
      parameters: {
        type: 'object',
        properties: {
          config: { ...TEXT, description: 'A ModelConfig as JSON text' },
          version: ONE_VERSION,
          version_policy: { ...TEXT, description: 'A version_policy of a ModelConfig as JSON text; alone' },
        },
        patternProperties: {
          '^file:': {
            type: 'string',
            contentEncoding: 'base64',
            description: 'file:<version>/<file name>; needs config',
          },
        },
        additionalProperties: false,
      },
    },
    ['parameters'],
  ),
  RepositoryUnloadRequest: object(
    { parameters: object({ unload_dependents: FLAG, version: ONE_VERSION }, ['unload_dependents', 'version']) },
    ['parameters'],
  ),
};

/** Every property is required but those named. */
export function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}
