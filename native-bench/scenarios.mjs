/** What the bench measures: its models, and the load on them. */

/**
 * Bench models: inputs as requests send them (a range is drawn for each request), the batch sizes whose better one is the floor's
 * best, and how many different requests are prepared.
 */
export const MODELS = {
  mlp: { inputs: [['x', 'FP32', '1,64']], floorBatches: [1, 32], variants: 8 },
  cnn: { inputs: [['x', 'FP32', '1,3,96,96']], floorBatches: [1, 4], variants: 4 },
  // Mixed lengths, 39 tokens on average.
  embedder: {
    inputs: [
      ['ids', 'INT64', '1,8..64'],
      ['mask', 'INT64', '1,8..64'],
    ],
    floorBatches: [1, 4, 8],
    variants: 64,
  },
  trees: { inputs: [['x', 'FP32', '1,32']], floorBatches: [1, 32], variants: 8 },
  // 600 KB a request, as the next.
  vision: { inputs: [['x', 'FP32', '1,3,224,224']], floorBatches: [1, 4], variants: 4 },
  noop: { inputs: [['x', 'FP32', '1,3,224,224']], floorBatches: [1, 4], variants: 1 },
};

const load = (model, protocol, concurrency, format = 'binary') => ({
  name: `${model}-${protocol}${format === 'json' ? '-json' : ''}-c${concurrency}`,
  model,
  protocol,
  concurrency,
  format,
});
const loads = (model, protocol, levels) => levels.map((concurrency) => load(model, protocol, concurrency));

/** Closed-loop scenarios of the full run. */
export const SCENARIOS = [
  ...loads('mlp', 'http', [1, 8, 32, 128]),
  load('mlp', 'http', 8, 'json'),
  ...loads('mlp', 'ws', [1, 8, 32, 128]),
  ...loads('mlp', 'grpc', [1, 8, 32, 128]),
  ...loads('cnn', 'http', [1, 8, 32]),
  ...loads('cnn', 'grpc', [8]),
  ...loads('embedder', 'http', [1, 8, 32]),
  ...loads('embedder', 'grpc', [8]),
  ...loads('trees', 'http', [1, 8, 32]),
  ...loads('trees', 'grpc', [8]),
  ...loads('vision', 'http', [1, 8, 32]),
  ...loads('vision', 'grpc', [8]),
  ...loads('noop', 'http', [1, 8]),
  load('noop', 'http', 1, 'json'),
  ...loads('noop', 'grpc', [1, 8]),
];

/** Of these the quick form. */
export const QUICK = [
  'mlp-http-c1',
  'mlp-http-c8',
  'mlp-http-c32',
  'mlp-http-json-c8',
  'mlp-ws-c8',
  'mlp-grpc-c8',
  'cnn-http-c1',
  'cnn-http-c8',
  'embedder-http-c8',
  'trees-http-c8',
  'noop-http-c8',
];

const count = (model, protocol, concurrency, warmUp, burst, format) => ({
  ...load(model, protocol, concurrency, format),
  warmUp,
  burst,
});

/**
 * Scenarios whose work is counted: how many requests until all is compiled, and how many are counted at a time. `beside` names the one over
 * HTTP that carries the same: the ratio of the two is a figure as well.
 */
export const COUNTED = [
  count('mlp', 'http', 1, 10_000, 2000),
  count('mlp', 'http', 8, 15_000, 1000),
  count('mlp', 'http', 8, 8000, 2000, 'json'),
  { ...count('mlp', 'ws', 8, 15_000, 1000), beside: 'mlp-http-c8' },
  count('mlp', 'grpc', 8, 8000, 2000),
  // Of a thread of its own, with inputs and outputs of open shapes.
  count('embedder', 'http', 1, 2000, 1024),
  count('noop', 'http', 1, 300, 8),
  count('noop', 'grpc', 1, 300, 8),
];
