import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as GrpcClient from '../../src/client/grpc/index.js';
import type * as Client from '../../src/client/index.js';
import { compiled } from '../support/compiled.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const { PenstockClient, PenstockError, textsOf, toFloat16, fromFloat16, toBfloat16, fromBfloat16 } =
  await compiled<typeof Client>('client/index.js');
const { PenstockGrpcClient } = await compiled<typeof GrpcClient>('client/grpc/index.js');

const ROWS = 'max_batch_size: 8\n';
const TYPES = ['bool', 'uint8', 'uint16', 'uint32', 'uint64', 'int8', 'int16', 'int32', 'int64'];
const OTHERS = ['fp16', 'bf16', 'fp32', 'fp64', 'bytes'];

let gateway: RunningGateway;
let http: Client.PenstockClient;
let grpc: GrpcClient.PenstockGrpcClient;

beforeAll(async () => {
  const models = repositoryOf({
    ...Object.fromEntries([...TYPES, ...OTHERS].map((type) => [type, `identity_${type}`])),
    many: 'identity_all_types',
    scalar: { fixture: 'scalar', config: 'max_batch_size: 0\n' },
    slow: {
      fixture: 'slow',
      config: `${ROWS}parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n`,
    },
    one: {
      fixture: { 1: 'identity_fp32', 2: 'identity_fp32' },
      config: `${ROWS}version_policy { all { } }\n`,
    },
    narrow: { fixture: 'slow', config: `${ROWS}dynamic_batching { default_queue_policy { max_queue_size: 1 } }\n` },
  });
  gateway = await RunningGateway.start(models, ['--model-control-mode', 'explicit', '--load-model', '*']);
  http = new PenstockClient(gateway.url);
  grpc = new PenstockGrpcClient(`127.0.0.1:${gateway.grpcPort}`);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

type Infer = (model: string, inputs: Client.AnyInputs, options?: Client.InferOptions) => Promise<Client.InferAnswer>;

/** One inference over a stream of its own. */
async function overWebSocket(...[model, inputs, options]: Parameters<Infer>): Promise<Client.InferAnswer> {
  const { version, ...others } = options ?? {};
  const stream = http.openStream(model, version === undefined ? {} : { version });
  return alone(stream, stream.infer(inputs, others));
}

async function overGrpcStream(...[model, inputs, options]: Parameters<Infer>): Promise<Client.InferAnswer> {
  const stream = grpc.openStream();
  return alone(stream, stream.infer(model, inputs, options));
}

async function alone(
  stream: Client.ModelStream | GrpcClient.GrpcStream,
  answer: Promise<Client.InferAnswer>,
): Promise<Client.InferAnswer> {
  try {
    const got = await answer;
    await stream.close();
    return got;
  } finally {
    stream.abort();
  }
}

const WAYS: readonly (readonly [string, Infer])[] = [
  ['HTTP', (...call) => http.infer(...call)],
  ['WebSocket', overWebSocket],
  ['gRPC', (...call) => grpc.infer(...call)],
  ['a gRPC stream', overGrpcStream],
];

const failure = (promise: Promise<unknown>): Promise<Client.PenstockError> =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error) => error,
  );

describe.each(WAYS)('the client over %s', (name, infer) => {
  const streamed = name === 'a gRPC stream';

  it.each([
    ['bool', { datatype: 'BOOL', shape: [1, 3], data: new Uint8Array([0, 1, 1]) }],
    ['uint8', { shape: [1, 3], data: new Uint8Array([0, 7, 255]) }],
    ['uint16', { shape: [1, 2], data: new Uint16Array([0, 65535]) }],
    ['uint32', { shape: [1, 2], data: new Uint32Array([0, 2 ** 32 - 1]) }],
    ['uint64', { shape: [1, 2], data: new BigUint64Array([0n, 2n ** 64n - 1n]) }],
    ['int8', { shape: [1, 2], data: new Int8Array([-128, 127]) }],
    ['int16', { shape: [1, 2], data: new Int16Array([-32768, 32767]) }],
    ['int32', { shape: [1, 2], data: new Int32Array([-(2 ** 31), 2 ** 31 - 1]) }],
    ['int64', { shape: [1, 2], data: new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]) }],
    ['fp16', { datatype: 'FP16', shape: [1, 3], data: toFloat16([1.5, -0, 65504]) }],
    ['bf16', { datatype: 'BF16', shape: [1, 3], data: toBfloat16([1.5, -2, 3e38]) }],
    ['fp32', { shape: [1, 3], data: new Float32Array([1.5, Number.NaN, Number.POSITIVE_INFINITY]) }],
    ['fp64', { shape: [1, 2], data: new Float64Array([Math.PI, 5e-324]) }],
  ] as const)('gives %s back bit for bit, in the typed array of its type', async (model, input) => {
    const { outputs } = await infer(model, { INPUT0: input as Client.InputTensor });
    expect(outputs.OUTPUT0).toEqual({ datatype: model.toUpperCase(), shape: input.shape, data: input.data });
  });

  it('takes strings and bytes, and gives bytes that are text', async () => {
    const raw = new Uint8Array([0, 255, 1]);
    const { outputs } = await infer('bytes', { INPUT0: { shape: [1, 3], data: ['grüß dich', '', raw] } });
    expect(outputs.OUTPUT0?.datatype).toBe('BYTES');
    const output = outputs.OUTPUT0 as Client.OutputTensor<'BYTES'>;
    expect(textsOf(output).slice(0, 2)).toEqual(['grüß dich', '']);
    expect(output.data[2]).toEqual(raw);
  });

  it('takes booleans, and a scalar', async () => {
    const { outputs } = await infer('bool', { INPUT0: { shape: [1, 2], data: [true, false] } });
    expect(outputs.OUTPUT0?.data).toEqual(new Uint8Array([1, 0]));
    const one = { shape: [], data: new Float32Array([3]) };
    expect((await infer('scalar', { a: one, b: one })).outputs.product).toEqual({
      datatype: 'FP32',
      shape: [],
      data: new Float32Array([9]),
    });
  });

  it('gives the outputs asked for, the id and the version', async () => {
    const element = {
      bool: Uint8Array,
      uint8: Uint8Array,
      uint16: Uint16Array,
      uint32: Uint32Array,
      uint64: BigUint64Array,
      int8: Int8Array,
      int16: Int16Array,
      int32: Int32Array,
      int64: BigInt64Array,
      fp16: Uint16Array,
      bf16: Uint16Array,
      fp32: Float32Array,
      fp64: Float64Array,
    };
    const inputs = Object.fromEntries(
      Object.entries(element).map(([type, array]) => [
        `IN_${type}`,
        { datatype: type.toUpperCase(), shape: [1, 1], data: new array(1) },
      ]),
    );
    const all = { ...inputs, IN_bytes: { shape: [1, 1], data: ['x'] } } as Client.AnyInputs;
    const answer = await infer('many', all, { id: 'mine', outputs: ['OUT_fp64', 'OUT_bytes'], version: 1 });
    expect([answer.id, answer.model, answer.version]).toEqual(['mine', 'many', '1']);
    expect(Object.keys(answer.outputs)).toEqual(['OUT_fp64', 'OUT_bytes']);
  });

  it('sends parameters of every type, integers of 64 bits too', async () => {
    const parameters = { penstock_explain: true, one: 2n ** 62n, two: 'text', three: 1.5, four: -7 };
    const input = { shape: [1, 1], data: new Float32Array(1) };
    const answer = await infer('fp32', { INPUT0: input }, { parameters });
    expect(answer.parameters.penstock_batch_size).toBe(1);
  });

  it('asks for one version of several', async () => {
    const INPUT0 = { shape: [1, 1], data: new Float32Array(1) };
    expect((await infer('one', { INPUT0 }, { version: 1 })).version).toBe('1');
    expect((await infer('one', { INPUT0 })).version).toBe('2');
  });

  it('fails with status and reason of the server', async () => {
    const error = await failure(infer('fp32', { INPUT0: { shape: [1, 1, 1], data: new Float32Array(1) } }));
    expect(error).toBeInstanceOf(PenstockError);
    expect(error.message).toMatch(/^input 'INPUT0': expected shape \[-1,-1\], got \[1,1,1\]/);
    // An error of a gRPC stream is a text.
    expect([error.status, error.reason]).toEqual(streamed ? [0, ''] : [400, 'SHAPE_MISMATCH']);
  });

  it.each([
    [
      'a shape that is not that of the data',
      { shape: [1, 2], data: new Float32Array(3) },
      /has 2 elements, data has 3/,
    ],
    ['a size below zero', { shape: [-1, -1], data: new Float32Array(1) }, /is no shape/],
    ['data without a type', { shape: [0], data: [] }, /say its datatype/],
    ['another typed array', { datatype: 'FP32', shape: [1], data: new Float64Array(1) }, /FP32 takes Float32Array/],
    ['plain numbers', { datatype: 'FP32', shape: [1], data: [1] }, /FP32 takes Float32Array/],
    ['an unknown type', { datatype: 'FP8', shape: [1], data: new Uint8Array(1) }, /no data type FP8/],
    ['numbers as BYTES', { datatype: 'BYTES', shape: [1], data: [1] }, /BYTES takes strings/],
  ] as const)('refuses %s without sending it', async (_what, input, message) => {
    const error = await failure(infer('fp32', { INPUT0: input as unknown as Client.InputTensor }));
    expect([error.status, error.reason]).toEqual([0, 'BAD_REQUEST']);
    expect(error.message).toMatch(message);
  });

  it('gives up at its time limit and when it is aborted', async () => {
    const inputs = {
      x: { shape: [1, 1], data: new Float32Array(1) },
      steps: { shape: [1, 1], data: new BigInt64Array([20000n]) },
    };
    const late = await failure(infer('slow', inputs, { timeoutMs: 150 }));
    expect(['TIMEOUT', 'DEADLINE_EXCEEDED']).toContain(late.reason);
    const abort = new AbortController();
    const aborted = failure(infer('slow', inputs, { signal: abort.signal }));
    setTimeout(() => abort.abort('enough'), 50);
    expect([(await aborted).reason, (await aborted).cause]).toEqual(['ABORTED', 'enough']);
    expect((await failure(infer('slow', inputs, { signal: AbortSignal.abort() }))).reason).toBe('ABORTED');
  });
});

describe.each([
  ['HTTP', () => http],
  ['gRPC', () => grpc],
] as const)('the client over %s', (name, of) => {
  it('says what is served', async () => {
    const client = of();
    expect(await client.serverMetadata()).toMatchObject({
      name: 'penstock',
      extensions: expect.arrayContaining(['statistics']),
    });
    expect([await client.live(), await client.ready()]).toEqual([true, true]);
    expect(await client.modelMetadata('one')).toEqual({
      name: 'one',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [-1, -1] }],
      outputs: [{ name: 'OUTPUT0', datatype: 'FP32', shape: [-1, -1] }],
    });
    expect(await client.modelConfig('one')).toMatchObject({ name: 'one', max_batch_size: 8 });
    expect(await client.modelReady('one', 2)).toBe(true);
  });

  it('counts inferences', async () => {
    const client = of();
    const count = async () => (await client.statistics('uint8'))[0]?.inference_count ?? 0;
    const before = await count();
    await client.infer('uint8', { INPUT0: { shape: [4, 1], data: new Uint8Array(4) } });
    await eventually(async () => (await count()) === before + 4, 'four more items');
    expect((await client.statistics()).length).toBeGreaterThan(10);
  });

  it('unloads and loads models, with a config of its own too', async () => {
    const client = of();
    await client.unload('int8');
    const listed = (await client.repositoryIndex()).find((entry) => entry.name === 'int8');
    expect(listed?.state).toBe('UNAVAILABLE');
    expect((await client.repositoryIndex(true)).some((entry) => entry.name === 'int8')).toBe(false);
    expect((await failure(client.infer('int8', { INPUT0: { shape: [1, 1], data: new Int8Array(1) } }))).status).toBe(
      404,
    );
    await client.load('int8', { config: { backend: 'onnxruntime', max_batch_size: 3 } });
    expect(await client.modelConfig('int8')).toMatchObject({ max_batch_size: 3 });
    await client.load('int8');
    expect((await failure(client.load('nobody'))).status).toBeGreaterThanOrEqual(400);
  });

  it('says whether a model is there that nobody has', async () => {
    if (name === 'gRPC') expect(await of().modelReady('nobody')).toBe(false);
    else expect((await failure(of().modelReady('nobody'))).status).toBe(404);
  });

  it('tells a server that is not there from one that refuses', async () => {
    const nobody = name === 'gRPC' ? new PenstockGrpcClient('127.0.0.1:9') : new PenstockClient('http://127.0.0.1:9');
    expect(await nobody.live({ timeoutMs: 5000 })).toBe(false);
    const error = await failure(nobody.infer('fp32', {}, { timeoutMs: 5000 }));
    expect([error.status, error.reason]).toEqual([0, 'UNREACHABLE']);
    if (nobody instanceof PenstockGrpcClient) nobody.close();
  });
});

describe('streams of the client', () => {
  const input = (value: number) => ({ INPUT0: { shape: [1, 1], data: new Float32Array([value]) } }) as const;
  const slow = {
    x: { shape: [1, 1], data: new Float32Array(1) },
    steps: { shape: [1, 1], data: new BigInt64Array([300n]) },
  };

  /** Both kinds, for one model. */
  const open = (model: string, options: Client.InFlightOptions = {}) => {
    const socket = http.openStream(model, options);
    const call = grpc.openStream(options);
    return [
      { stream: socket, infer: (inputs: Client.AnyInputs) => socket.infer(inputs) },
      { stream: call, infer: (inputs: Client.AnyInputs) => call.infer(model, inputs) },
    ];
  };

  it('keep many in flight, each with its own answer', async () => {
    for (const { stream, infer } of open('fp32', { maxInFlight: 16 })) {
      const asked = Array.from({ length: 500 }, (_, i) => infer(input(i)));
      const most = stream.inFlight;
      const answers = await Promise.all(asked);
      expect(answers.map(({ outputs }) => outputs.OUTPUT0?.data[0])).toEqual(answers.map((_, i) => i));
      expect(most).toBeLessThanOrEqual(16);
      await stream.close();
    }
  });

  it('refuse what nobody waits for, and an id that is in flight', async () => {
    const stream = http.openStream('slow', { maxInFlight: 1, maxWaiting: 2 });
    const first = stream.infer(slow, { id: 'a' });
    const same = await failure(stream.infer(slow, { id: 'a' }));
    expect(same.message).toMatch(/in flight/);
    const others = [stream.infer(slow), stream.infer(slow), stream.infer(slow)].map((one) =>
      one.then(
        () => 'done',
        (e) => e.reason,
      ),
    );
    expect(await Promise.race([...others, first])).toBe('TOO_MANY_WAITING');
    await stream.close();
    expect((await Promise.all(others)).filter((end) => end === 'done').length).toBeGreaterThanOrEqual(1);
    expect((await first).id).toBe('a');
    expect((await failure(stream.infer(slow))).reason).toBe('ABORTED');
  });

  it('end at once when they are aborted', async () => {
    for (const { stream, infer } of open('slow')) {
      const asked = failure(infer(slow));
      stream.abort();
      expect((await asked).reason).toBe('ABORTED');
    }
  });

  it('fail where there is no such model', async () => {
    const stream = http.openStream('nobody');
    const error = await failure(stream.infer(input(1)));
    expect(error.status === 404 || error.reason === 'UNREACHABLE').toBe(true);
    stream.abort();
  });
});

describe('a refusal under overload', () => {
  it('is tried again when the server says so, and then answered', async () => {
    const inputs = {
      x: { shape: [1, 1], data: new Float32Array(1) },
      steps: { shape: [1, 1], data: new BigInt64Array([300n]) },
    };
    const impatient = new PenstockClient(gateway.url, { retry: { attempts: 1 } });
    const patient = new PenstockClient(gateway.url, { retry: { attempts: 5 } });
    const many = Array.from({ length: 12 }, () =>
      impatient.infer('narrow', inputs).then(
        () => 'done',
        (error) => error.reason,
      ),
    );
    const again = patient.infer('narrow', inputs);
    const part = patient.stream('narrow', inputs).next();
    const ends = await Promise.all(many);
    expect(ends).toContain('QUEUE_FULL');
    expect((await again).outputs.y?.datatype).toBe('FP32');
    expect((await part).value?.outputs.y?.datatype).toBe('FP32');
  });
});

describe('half floats', () => {
  it('come back as they went, and are rounded to the nearest even', () => {
    const every = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const isNan16 = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
    const wrong = [...toFloat16(fromFloat16(every))].filter((bits, i) => bits !== i && !isNan16(i));
    expect(wrong).toEqual([]);
    const isNanB = (bits: number) => (bits & 0x7f80) === 0x7f80 && (bits & 0x7f) !== 0;
    expect([...toBfloat16(fromBfloat16(every))].filter((bits, i) => bits !== i && !isNanB(i))).toEqual([]);
    expect([...toFloat16([2049, 2051, 65519, 65520, 2 ** -25, 2 ** -25 * 1.001])]).toEqual([
      0x6800, 0x6802, 0x7bff, 0x7c00, 0, 1,
    ]);
    expect([...toBfloat16([1 + 2 ** -8, 1 + 3 * 2 ** -8])]).toEqual([0x3f80, 0x3f82]);
    expect(fromBfloat16(toBfloat16([Number.NaN]))[0]).toBeNaN();
    expect(fromFloat16(toFloat16([Number.NaN]))[0]).toBeNaN();
  });
});
