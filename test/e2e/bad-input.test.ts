import { connect } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import type { ServiceError } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ERRORS, GRPC_CODE_NUMBERS, type Reason } from '../../src/core/index.js';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, tensor } from '../support/infer-forms.js';
import { type HttpCall, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const LIMIT = 1024 * 1024;
const INFER = '/v2/models/identity_fixed/infer';
const ROW = tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(1, 2, 3, 4));
const GOOD = '{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}';

let gateway: RunningGateway;
let grpc: GrpcClient;

beforeAll(async () => {
  gateway = await RunningGateway.start(
    repositoryOf({ identity_fixed: 'identity_fixed', add_two: 'add_two', identity_bytes: 'identity_bytes' }),
    // Explicit, so that load and unload really look at the repository's folder.
    [
      '--http-max-input-size',
      `${LIMIT}`,
      '--websocket-max-frame-bytes',
      `${LIMIT}`,
      '--grpc-max-message-bytes',
      `${LIMIT}`,
      '--model-control-mode',
      'explicit',
      '--load-model',
      '*',
    ],
  );
  grpc = new GrpcClient(gateway.grpcPort, { 'grpc.max_send_message_length': 64 * LIMIT });
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

// Whatever came before, the next good request is answered rightly.
afterEach(async () => {
  const answer = await gateway.call(INFER, { body: GOOD });
  expect(answer.status).toBe(200);
  expect(answer.json().outputs).toEqual([{ name: 'OUTPUT0', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }]);
  const message = await grpc.unary('ModelInfer', grpcMessage({ model: 'identity_fixed', inputs: [ROW] }, true));
  expect(message.raw_output_contents).toEqual([Buffer.from(ROW.data)]);
});

const input = (fields: object) =>
  JSON.stringify({ inputs: [{ name: 'INPUT0', shape: [1, 4], datatype: 'FP32', data: [1, 2, 3, 4], ...fields }] });
const binary = (size: unknown, tail: number, shape: unknown = [1, 4]): HttpCall => {
  const json = `{"inputs":[{"name":"INPUT0","shape":${JSON.stringify(shape)},"datatype":"FP32","parameters":{"binary_data_size":${size}}}]}`;
  return {
    body: Buffer.concat([Buffer.from(json), Buffer.alloc(tail)]),
    headers: { 'inference-header-content-length': String(json.length) },
  };
};
/** The last 8 bytes of gzip data are the checksum and the length. */
const wrongChecksum = (text: string) => {
  const packed = gzipSync(text);
  return packed.fill(0, packed.length - 8, packed.length - 4);
};
const gzip = { 'content-encoding': 'gzip' };

/** Name, call, reason, what the message names. */
const HTTP: readonly (readonly [string, HttpCall, Reason, ...string[]])[] = [
  ['no JSON', { body: 'hello' }, 'MALFORMED_REQUEST', 'byte 0'],
  ['an empty body', { body: '' }, 'MALFORMED_REQUEST'],
  ['JSON cut off', { body: GOOD.slice(0, 60) }, 'MALFORMED_REQUEST', 'the end'],
  ['JSON and more', { body: `${GOOD}{}` }, 'MALFORMED_REQUEST', 'nothing more'],
  ['an array', { body: '[]' }, 'MALFORMED_REQUEST'],
  ['no inputs', { body: '{}' }, 'MALFORMED_REQUEST', 'inputs'],
  ['inputs that are no list', { body: '{"inputs":{}}' }, 'MALFORMED_REQUEST', 'inputs'],
  [
    'bytes that are no UTF-8',
    { body: Buffer.concat([Buffer.from(GOOD.slice(0, -1)), Buffer.from([0xff])]) },
    'MALFORMED_REQUEST',
    'UTF-8',
  ],
  ['nesting without end', { body: '['.repeat(100_000) }, 'MALFORMED_REQUEST'],
  ['nesting without end in an unknown key', { body: `{"x":${'['.repeat(100_000)}` }, 'MALFORMED_REQUEST'],
  ['inputs twice', { body: '{"inputs":[],"inputs":[]}' }, 'MALFORMED_REQUEST', 'twice'],
  ['no name', { body: '{"inputs":[{"shape":[1,4],"datatype":"FP32","data":[1,2,3,4]}]}' }, 'MALFORMED_REQUEST', 'name'],
  ['NaN', { body: input({}).replace('[1,2,3,4]', '[1,NaN,3,4]') }, 'MALFORMED_REQUEST', 'INPUT0', 'NaN'],
  [
    'Infinity',
    { body: input({}).replace('[1,2,3,4]', '[1,-Infinity,3,4]') },
    'MALFORMED_REQUEST',
    'INPUT0',
    'Infinity',
  ],
  ['a float past FP32', { body: input({ data: [1e39, 2, 3, 4] }) }, 'DATA_TYPE_MISMATCH', 'INPUT0', 'FP32'],
  ['text among numbers', { body: input({ data: [1, '2', 3, 4] }) }, 'MALFORMED_REQUEST', 'INPUT0'],
  ['null among numbers', { body: input({ data: [1, null, 3, 4] }) }, 'MALFORMED_REQUEST', 'INPUT0'],
  ['too few elements', { body: input({ data: [1, 2, 3] }) }, 'SHAPE_MISMATCH', 'INPUT0', '4', '3'],
  ['too many elements', { body: input({ data: [1, 2, 3, 4, 5] }) }, 'SHAPE_MISMATCH', 'INPUT0', '4'],
  [
    'ragged nesting',
    {
      body: input({
        shape: [2, 4],
        data: [
          [1, 2, 3, 4],
          [5, 6, 7],
        ],
      }),
    },
    'SHAPE_MISMATCH',
    'INPUT0',
  ],
  ['a negative dimension', { body: input({ shape: [-1, 4] }) }, 'SHAPE_MISMATCH', 'INPUT0', '-1'],
  ['a fraction of a dimension', { body: input({ shape: [1.5, 4] }) }, 'SHAPE_MISMATCH', 'INPUT0', '1.5'],
  ['a dimension past 2^53', { body: input({}).replace('[1,4]', '[9007199254740993,4]') }, 'SHAPE_MISMATCH', 'INPUT0'],
  [
    'dimensions whose product overflows',
    { body: input({ shape: [2 ** 40, 2 ** 40], data: [] }) },
    'SHAPE_MISMATCH',
    'INPUT0',
  ],
  [
    'dimensions whose product wraps to 4',
    { body: input({ shape: [2 ** 32, 2 ** 32 + 1, 4] }) },
    'SHAPE_MISMATCH',
    'INPUT0',
  ],
  ['an empty tensor with a huge axis', { body: input({ shape: [0, 2 ** 52], data: [] }) }, 'SHAPE_MISMATCH', 'INPUT0'],
  ['a thousand dimensions', { body: input({ shape: Array(1000).fill(1) }) }, 'SHAPE_MISMATCH', 'INPUT0'],
  ['an unknown data type', { body: input({ datatype: 'FP31' }) }, 'DATA_TYPE_MISMATCH', 'INPUT0', 'FP31'],
  ['another data type', { body: input({ datatype: 'INT32' }) }, 'DATA_TYPE_MISMATCH', 'INPUT0', 'FP32', 'INT32'],
  [
    'shared memory',
    { body: input({ data: undefined, parameters: { shared_memory_region: 'r' } }) },
    'UNSUPPORTED',
    'shared memory',
  ],
  [
    'a hundred thousand outputs',
    { body: `{"outputs":[${Array.from({ length: 20_000 }, (_, i) => `{"name":"o${i}"}`)}],${GOOD.slice(1)}` },
    'MALFORMED_REQUEST',
    '4096',
  ],
  ['a hundred thousand inputs', { body: `{"inputs":[${Array(20_000).fill('{"name":"x"}')}]}` }, 'MALFORMED_REQUEST'],
  ['an unknown output', { body: `{"outputs":[{"name":"none"}],${GOOD.slice(1)}` }, 'UNKNOWN_OUTPUT', 'none', 'OUTPUT0'],
  ['a negative timeout', { body: `{"parameters":{"timeout":-1},${GOOD.slice(1)}` }, 'MALFORMED_REQUEST', 'timeout'],
  ['binary data shorter than declared', binary(16, 12), 'MALFORMED_REQUEST', 'INPUT0', '16', '12'],
  ['binary data longer than declared', binary(16, 20), 'MALFORMED_REQUEST', '20', '16'],
  ['binary data of another size than the shape', binary(12, 12), 'SHAPE_MISMATCH', 'INPUT0', '16', '12'],
  ['a binary size past the address space', binary('18446744073709551615', 16), 'MALFORMED_REQUEST', 'binary_data_size'],
  ['a negative binary size', binary(-16, 16), 'MALFORMED_REQUEST', 'binary_data_size'],
  [
    'a JSON length past the body',
    { body: GOOD, headers: { 'inference-header-content-length': '100000' } },
    'MALFORMED_REQUEST',
    '100000',
  ],
  [
    'a JSON length that is no number',
    { body: GOOD, headers: { 'inference-header-content-length': '-1' } },
    'MALFORMED_REQUEST',
    'inference-header-content-length',
  ],
  [
    'a raw body of another size',
    { body: 'abc', headers: { 'inference-header-content-length': '0' } },
    'SHAPE_MISMATCH',
    'INPUT0',
    '16',
    '3',
  ],
  ['no gzip', { body: GOOD, headers: gzip }, 'MALFORMED_REQUEST', 'gzip'],
  ['gzip cut off', { body: gzipSync(GOOD).subarray(0, 40), headers: gzip }, 'MALFORMED_REQUEST', 'gzip'],
  ['gzip with a wrong checksum', { body: wrongChecksum(GOOD), headers: gzip }, 'MALFORMED_REQUEST', 'gzip'],
  [
    'deflate cut off',
    { body: deflateSync(GOOD).subarray(0, 20), headers: { 'content-encoding': 'deflate' } },
    'MALFORMED_REQUEST',
    'deflate',
  ],
  ['a gzip bomb', { body: gzipSync(Buffer.alloc(512 * LIMIT)), headers: gzip }, 'BODY_TOO_LARGE', String(LIMIT)],
  ['an unknown encoding', { body: GOOD, headers: { 'content-encoding': 'br' } }, 'UNSUPPORTED_MEDIA', 'br'],
  ['a body past the limit', { body: Buffer.alloc(LIMIT + 1, 32) }, 'BODY_TOO_LARGE', String(LIMIT)],
  [
    'a timeout of none',
    { body: GOOD, headers: { 'x-request-timeout-ms': '0' } },
    'MALFORMED_REQUEST',
    'x-request-timeout-ms',
  ],
  [
    'a timeout that is text',
    { body: GOOD, headers: { 'x-request-timeout-ms': 'soon' } },
    'MALFORMED_REQUEST',
    'x-request-timeout-ms',
  ],
];

describe('over HTTP', () => {
  it.each(HTTP.map(([name, call, reason, ...named]) => ({ name, call, reason, named })))(
    '$name',
    async ({ call, reason, named }) => {
      const answer = await gateway.call(INFER, { ...call, method: 'POST' });
      expect(answer.json()).toEqual({ error: expect.any(String) });
      for (const text of named) expect(answer.json().error).toContain(text);
      expect(answer.status).toBe(ERRORS[reason].http);
    },
  );

  it('a body past the limit without a declared length', async () => {
    const headers = { 'transfer-encoding': 'chunked' };
    const answer = await gateway.call(INFER, { body: Buffer.alloc(LIMIT + 1, 32), headers });
    expect(answer.status).toBe(413);
  });

  it('a declared length that never comes holds nobody up', async () => {
    const socket = connect(gateway.httpPort, '127.0.0.1');
    socket.write(`POST ${INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: ${LIMIT}\r\n\r\n{"inp`);
    expect((await gateway.call(INFER, { body: GOOD })).status).toBe(200);
    socket.destroy();
  });
});

describe('over WebSocket', () => {
  const exchange = (frame: string | Buffer) =>
    new Promise<{ error?: string; status?: number; closed?: number }>((resolve, reject) => {
      const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/identity_fixed/stream`);
      socket.once('open', () => socket.send(frame));
      socket.once('message', (data: Buffer) => {
        resolve(JSON.parse(data.toString()));
        socket.terminate();
      });
      socket.once('close', (closed) => resolve({ closed }));
      socket.once('error', reject);
    });
  it.each([
    ['no JSON', 'hello', 'byte 0'],
    ['an empty frame', '', ''],
    ['another model', GOOD.replace('{', '{"model_name":"other",'), 'other'],
    ['a binary frame too short for its length', Buffer.from([1, 2]), '4 bytes'],
    ['a JSON length past the frame', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7b]), '4294967295'],
  ])('%s', async (_, frame, named) => {
    const answer = await exchange(frame);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(named);
  });

  it('a frame past the limit ends its connection', async () => {
    expect((await exchange(Buffer.alloc(LIMIT + 1))).closed).toBeDefined();
  });
});

describe('over gRPC', () => {
  const good = grpcMessage({ model: 'identity_fixed', inputs: [ROW] }, true);
  const refusal = (message: object, bytes?: Buffer): Promise<ServiceError> =>
    grpc.unary('ModelInfer', message, bytes === undefined ? {} : { bytes }).then(
      () => Promise.reject(new Error('it was answered')),
      (error) => error,
    );
  const changed = (fields: object) => ({ ...good, inputs: [{ ...good.inputs[0], ...fields }] });

  const GRPC: readonly (readonly [string, object, Buffer | undefined, Reason, ...string[]])[] = [
    ['no message', {}, Buffer.from('hello world'), 'MALFORMED_REQUEST'],
    ['a length past the end', {}, Buffer.from([0x0a, 0xff, 0x01, 0x61]), 'MALFORMED_REQUEST'],
    ['an endless varint', {}, Buffer.alloc(30, 0xff), 'MALFORMED_REQUEST'],
    ['a name that is no UTF-8', {}, Buffer.from([0x0a, 0x02, 0xff, 0xfe]), 'MALFORMED_REQUEST'],
    ['an empty message', {}, Buffer.alloc(0), 'MODEL_NOT_FOUND'],
    [
      'fewer raw contents than inputs',
      { ...good, inputs: [...good.inputs, ...good.inputs] },
      undefined,
      'MALFORMED_REQUEST',
    ],
    ['a negative dimension', changed({ shape: [-1, 4] }), undefined, 'SHAPE_MISMATCH', 'INPUT0', '-1'],
    ['dimensions that overflow', changed({ shape: ['4611686018427387904', 4] }), undefined, 'SHAPE_MISMATCH', 'INPUT0'],
    ['an unknown data type', changed({ datatype: 'FP31' }), undefined, 'DATA_TYPE_MISMATCH', 'INPUT0', 'FP31'],
    [
      'raw and typed contents',
      changed({ contents: { fp32_contents: [1, 2, 3, 4] } }),
      undefined,
      'MALFORMED_REQUEST',
      'INPUT0',
    ],
    [
      'typed contents of another type',
      { ...changed({ contents: { int_contents: [1, 2, 3, 4] } }), raw_input_contents: [] },
      undefined,
      'DATA_TYPE_MISMATCH',
      'INPUT0',
    ],
    ['a version that is no number', { ...good, model_version: '../1' }, undefined, 'MALFORMED_REQUEST', '../1'],
    [
      'a hundred thousand outputs',
      { ...good, outputs: Array.from({ length: 100_000 }, (_, i) => ({ name: `${i}` })) },
      undefined,
      'MALFORMED_REQUEST',
      '4096',
    ],
    ['a message past the limit', { ...good, id: 'x'.repeat(LIMIT) }, undefined, 'BODY_TOO_LARGE'],
  ];
  it.each(GRPC.map(([name, message, bytes, reason, ...named]) => ({ name, message, bytes, reason, named })))(
    '$name',
    async ({ message, bytes, reason, named }) => {
      const { code, details } = await refusal(message, bytes);
      for (const text of named) expect(details).toContain(text);
      expect(code).toBe(GRPC_CODE_NUMBERS[ERRORS[reason].grpc]);
    },
  );
});

describe('names never become paths', () => {
  /** As a client could write them into a URL; each stands for one segment. */
  const ENCODED = [
    '..%2f..%2fetc',
    '%2e%2e',
    '..%5c..',
    '%2e%2e%2f',
    '..',
    '.',
    '%00',
    'a%00b',
    '%c0%ae%c0%ae',
    '%252e%252e%252f',
    '.hidden',
    'a%2fb',
    '%ff',
    '%zz',
  ];
  const PATHS = (name: string): readonly (readonly [string, 'GET' | 'POST'])[] => [
    [`/v2/models/${name}`, 'GET'],
    [`/v2/models/${name}/ready`, 'GET'],
    [`/v2/models/${name}/config`, 'GET'],
    [`/v2/models/${name}/stats`, 'GET'],
    [`/v2/models/${name}/status`, 'GET'],
    [`/v2/models/${name}/infer`, 'POST'],
    [`/v2/models/identity_fixed/versions/${name}/infer`, 'POST'],
    [`/v2/repository/models/${name}/load`, 'POST'],
    [`/v2/repository/models/${name}/unload`, 'POST'],
  ];

  it.each(ENCODED)('%s', async (name) => {
    for (const [path, method] of PATHS(name)) {
      const answer = await gateway.call(path, method === 'POST' ? { method, body: GOOD } : { method });
      // Asked whether it is ready, a model that does not exist is not.
      expect(path.endsWith('/ready') ? [400, 404, 503] : [400, 404], `${method} ${path}`).toContain(answer.status);
      expect(answer.body.toString()).not.toMatch(/root:|ENOENT|EACCES|\/tmp\//);
    }
  });

  it.each(['../../etc', '..', '/etc/passwd', 'a/b', 'a\\b', '.hidden', 'a\u0000b', ''])(
    '%j over gRPC',
    async (name) => {
      for (const [call, message] of [
        ['ModelInfer', { ...grpcMessage({ model: name, inputs: [ROW] }, true) }],
        ['ModelMetadata', { name }],
        ['ModelConfig', { name }],
        ['RepositoryModelLoad', { model_name: name }],
        ['RepositoryModelUnload', { model_name: name }],
      ] as const) {
        const { code, details } = await grpc.unary(call, message).then(
          () => ({ code: 0, details: 'it was answered' }),
          (error: ServiceError) => error,
        );
        expect([3, 5], `${call}: ${details}`).toContain(code);
        expect(details).not.toMatch(/ENOENT|EACCES|\/tmp\//);
      }
    },
  );

  it.each([
    'file:1/../../../x',
    'file:../1/model.onnx',
    'file:/etc/passwd',
    'file:1/.hidden',
    'file:0/model.onnx',
    'file:1\\model.onnx',
  ])('a file of a load: %s', async (parameter) => {
    const parameters = { config: '{"max_batch_size":4}', [parameter]: Buffer.from('x').toString('base64') };
    const answer = await gateway.post('/v2/repository/models/identity_fixed/load', { parameters });
    expect(answer.status).toBe(400);
    expect(answer.json().error).toMatch(/file|version/);
  });
});

it('memory does not grow over thousands of bad requests', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * LIMIT));
  const calls: HttpCall[] = [
    ...HTTP.filter(([name]) => name !== 'a gzip bomb').map(([, call]) => ({ ...call, method: 'POST' })),
    { body: bomb, headers: gzip },
  ];
  const round = async (times: number) => {
    for (let i = 0; i < times; i++) {
      await Promise.all(calls.map((call) => gateway.call(INFER, call)));
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          grpc.unary('ModelInfer', {}, { bytes: Buffer.alloc(n * 100, 0xff) }).catch(() => undefined),
        ),
      );
    }
  };
  await round(20); // warms code, pools and heaps
  const before = gateway.rssBytes();
  await round(40);
  const grown = gateway.rssBytes() - before;
  // 2,900 requests, of which 40 would unpack to 64 MiB: a kilobyte kept of each would show, and so would one body a round.
  expect(grown).toBeLessThan(40 * LIMIT);
});
