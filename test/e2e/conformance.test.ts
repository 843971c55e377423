import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bytesElements,
  DATA_TYPES,
  type DataType,
  ERRORS,
  GRPC_CODE_NUMBERS,
  type Reason,
  type Tensor,
} from '../../src/core/index.js';
import { binaryParts, type Form, InferForms, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

/** One request, and what every form that can carry it must answer. */
interface Case {
  readonly request: NeutralRequest;
  /** The answer's outputs; undefined = the case is refused. */
  readonly gives?: readonly Tensor[];
  readonly version?: string;
  /** Why it is refused, and what the message must name. */
  readonly reason?: Reason;
  readonly says?: readonly string[];
  /** False where JSON has no way to write the values. */
  readonly json?: false;
  /** False where the client's own numbers lose the bits (a NaN's payload). */
  readonly typed?: false;
  /** Also sent as a raw binary body. */
  readonly raw?: true;
  /** The forms say the same in other words (sizes in bytes, or in elements). */
  readonly ownWords?: true;
}

const f32 = (...values: number[]) => Float32Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);
const i64 = (...values: bigint[]) => BigInt64Array.from(values);
const fixed = (...values: number[]) => tensor('INPUT0', 'FP32', [1, 4], f32(...values));

/** Edges of every data type, as the bits that go in and must come back. */
const EDGES: Record<DataType, ArrayBufferView | readonly string[]> = {
  BOOL: Uint8Array.of(0, 1, 1, 0),
  UINT8: Uint8Array.of(0, 1, 127, 255),
  UINT16: Uint16Array.of(0, 1, 32768, 65535),
  UINT32: Uint32Array.of(0, 1, 2 ** 31, 2 ** 32 - 1),
  UINT64: BigUint64Array.of(0n, 9007199254740993n, 2n ** 63n, 2n ** 64n - 1n),
  INT8: Int8Array.of(0, -1, 127, -128),
  INT16: Int16Array.of(0, -1, 32767, -32768),
  INT32: Int32Array.of(0, -1, 2 ** 31 - 1, -(2 ** 31)),
  INT64: BigInt64Array.of(0n, -9007199254740993n, 2n ** 63n - 1n, -(2n ** 63n)),
  // One, the least subnormal, infinity and a NaN with a payload: bits that only a copy keeps.
  FP16: Uint16Array.of(0x3c00, 0x0001, 0x7c00, 0x7e01),
  BF16: Uint16Array.of(0x3f80, 0x0001, 0xff80, 0x7fc1),
  FP32: Float32Array.of(0.1, -0, 3.4028234663852886e38, 1.401298464324817e-45),
  FP64: Float64Array.of(0.1, -0, 1.7976931348623157e308, 5e-324),
  BYTES: ['', 'a "quoted" \\ line\n\t', 'grüße 🎈 \u0000 end', '{"error":"no"}'],
};

function identity(
  dataType: DataType,
  shape: readonly number[],
  values: ArrayBufferView | readonly (string | Uint8Array)[],
) {
  return {
    request: { model: `identity_${dataType.toLowerCase()}`, inputs: [tensor('INPUT0', dataType, shape, values)] },
    gives: [tensor('OUTPUT0', dataType, shape, values)],
  };
}

const TYPES = Object.keys(DATA_TYPES) as DataType[];
const inJson = (dataType: DataType) => DATA_TYPES[dataType].json !== 'none';

const ANSWERED: Record<string, Case> = {
  ...Object.fromEntries(
    TYPES.map((dataType): [string, Case] => [
      `${dataType}: its edges, bit for bit`,
      {
        ...identity(dataType, [2, 2], EDGES[dataType]),
        ...(inJson(dataType) ? {} : { json: false }),
      },
    ]),
  ),
  ...Object.fromEntries(
    TYPES.map((dataType): [string, Case] => [
      `${dataType}: no element at all`,
      { ...identity(dataType, [3, 0], new Uint8Array(0)), ...(inJson(dataType) ? {} : { json: false }) },
    ]),
  ),
  'FP32: NaN with a payload and infinities': {
    ...identity('FP32', [1, 4], Uint32Array.of(0x7fc00001, 0xffc00000, 0x7f800000, 0xff800000)),
    json: false,
    typed: false,
  },
  'BYTES: bytes that are no text': {
    ...identity('BYTES', [1, 2], [Buffer.from([0xff, 0xfe, 0x00, 0xc3]), Buffer.alloc(300, 0x80)]),
    json: false,
  },
  'all data types in one request': {
    request: {
      model: 'identity_all_types',
      inputs: TYPES.map((dataType) => tensor(`IN_${dataType.toLowerCase()}`, dataType, [2, 2], EDGES[dataType])),
    },
    gives: TYPES.map((dataType) => tensor(`OUT_${dataType.toLowerCase()}`, dataType, [2, 2], EDGES[dataType])),
    json: false,
  },
  'rank 0': {
    request: { model: 'scalar', inputs: [tensor('a', 'FP32', [], f32(1.5)), tensor('b', 'FP32', [], f32(-4))] },
    gives: [tensor('product', 'FP32', [], f32(-6))],
  },
  'no batch axis': {
    request: { model: 'no_batch', inputs: [tensor('matrix', 'FP32', [2, 3], f32(1, 2, 3, 4, 5, 6))] },
    gives: [tensor('transposed', 'FP32', [3, 2], f32(1, 4, 2, 5, 3, 6))],
    raw: true,
  },
  'an output whose size depends on the values': {
    request: { model: 'non_zero', inputs: [tensor('x', 'FP32', [2, 3], f32(0, 1, 0, 2, 0, 3))] },
    gives: [tensor('indices', 'INT64', [2, 3], i64(0n, 1n, 1n, 1n, 0n, 2n))],
  },
  'several inputs and outputs, in the order of the model': {
    request: {
      model: 'add_two',
      inputs: [
        tensor('INPUT1', 'INT32', [1, 16], i32(...Array(16).keys())),
        tensor('INPUT0', 'INT32', [1, 16], i32(...Array(16).fill(100))),
      ],
    },
    gives: [
      tensor('OUTPUT0', 'INT32', [1, 16], i32(...Array.from({ length: 16 }, (_, i) => 100 + i))),
      tensor('OUTPUT1', 'INT32', [1, 16], i32(...Array.from({ length: 16 }, (_, i) => 100 - i))),
    ],
  },
  'the outputs asked for, in the order asked for': {
    request: {
      model: 'add_two',
      inputs: ['INPUT0', 'INPUT1'].map((name) => tensor(name, 'INT32', [1, 16], i32(...Array(16).fill(3)))),
      outputs: [{ name: 'OUTPUT1' }, { name: 'OUTPUT0' }],
    },
    gives: [
      tensor('OUTPUT1', 'INT32', [1, 16], i32(...Array(16).fill(0))),
      tensor('OUTPUT0', 'INT32', [1, 16], i32(...Array(16).fill(6))),
    ],
  },
  'one output of two': {
    request: {
      model: 'add_two',
      inputs: ['INPUT0', 'INPUT1'].map((name) => tensor(name, 'INT32', [1, 16], i32(...Array(16).fill(3)))),
      outputs: [{ name: 'OUTPUT1' }],
    },
    gives: [tensor('OUTPUT1', 'INT32', [1, 16], i32(...Array(16).fill(0)))],
  },
  'an optional input left out': {
    request: { model: 'optional', inputs: [fixed(1, 2, 3, 4)] },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(2, 4, 6, 8))],
  },
  'an optional input given': {
    request: { model: 'optional', inputs: [fixed(1, 2, 3, 4), tensor('BIAS', 'FP32', [4], f32(0, 1, 2, 0.5))] },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(1, 3, 5, 4.5))],
  },
  'a shape that the config gives clients, reshaped for the model': {
    request: { model: 'squares', inputs: [tensor('x', 'FP32', [2, 4], f32(1, 2, 3, 4, 5, 6, 7, 8))] },
    gives: [tensor('y', 'FP32', [2, 4], f32(1, 3, 2, 4, 5, 7, 6, 8))],
  },
  'a fixed shape, also as a raw body': {
    request: { model: 'identity_fixed', inputs: [fixed(1, 2, 3, 4)] },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(1, 2, 3, 4))],
    raw: true,
  },
  'one free axis, also as a raw body': { ...identity('INT16', [1, 3], Int16Array.of(1, -2, 3)), raw: true },
  'a BYTES element, also as a raw body': { ...identity('BYTES', [1, 1], ['any text']), raw: true },
  'the best classes with their labels, ties by index': {
    request: { model: 'labelled', inputs: [fixed(0.5, 3, -1, 3)], outputs: [{ name: 'OUTPUT0', classification: 3 }] },
    gives: [tensor('OUTPUT0', 'BYTES', [1, 3], ['3.000000:1:two', '3.000000:3:four', '0.500000:0:one'])],
  },
  'a request id comes back as it was': {
    request: { model: 'identity_fixed', id: 'id "7" / grüße\n', inputs: [fixed(1, 2, 3, 4)] },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(1, 2, 3, 4))],
  },
  'the version policy picks the newest': {
    request: { model: 'two_versions', inputs: [fixed(1, 2, 3, 4)] },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(1, 2, 3, 4))],
    version: '2',
  },
  'an older version by number': {
    request: { model: 'two_versions', version: '1', inputs: [fixed(1, 2, 3, 4)] },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(2, 4, 6, 8))],
    version: '1',
  },
  'parameters of the request: priority and a timeout that is far': {
    request: {
      model: 'identity_fixed',
      inputs: [fixed(1, 2, 3, 4)],
      parameters: { timeout: 60_000_000, own: 'text', flag: true },
    },
    gives: [tensor('OUTPUT0', 'FP32', [1, 4], f32(1, 2, 3, 4))],
  },
  'a large body, decoded off the event loop where it is JSON': {
    ...identity(
      'FP32',
      [2, 60_000],
      Float32Array.from({ length: 120_000 }, (_, i) => Math.fround(i / 7)),
    ),
  },
};

const REFUSED: Record<string, Case> = {
  'an unknown model': {
    request: { model: 'nobody', inputs: [fixed(1, 2, 3, 4)] },
    reason: 'MODEL_NOT_FOUND',
    says: ['nobody'],
  },
  'an unknown version': {
    request: { model: 'identity_fixed', version: '9', inputs: [fixed(1, 2, 3, 4)] },
    reason: 'VERSION_NOT_FOUND',
    says: ['identity_fixed', '9'],
  },
  'a model that failed to load': {
    request: { model: 'broken', inputs: [fixed(1, 2, 3, 4)] },
    reason: 'VERSION_NOT_READY',
    says: ['broken', 'not an ONNX model'],
  },
  'an unknown input': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT9', 'FP32', [1, 4], f32(1, 2, 3, 4))] },
    reason: 'UNKNOWN_INPUT',
    says: ['INPUT9', 'INPUT0'],
  },
  'a missing input': {
    request: { model: 'add_two', inputs: [tensor('INPUT0', 'INT32', [1, 16], new Int32Array(16))] },
    reason: 'MISSING_INPUT',
    says: ['INPUT1', '2', '1'],
  },
  'no input': { request: { model: 'identity_fixed', inputs: [] }, reason: 'MISSING_INPUT', says: ['INPUT0'] },
  'an input twice': {
    request: { model: 'identity_fixed', inputs: [fixed(1, 2, 3, 4), fixed(5, 6, 7, 8)] },
    reason: 'MALFORMED_REQUEST',
    says: ['INPUT0', 'twice'],
  },
  'an unknown output': {
    request: { model: 'identity_fixed', inputs: [fixed(1, 2, 3, 4)], outputs: [{ name: 'OUTPUT9' }] },
    reason: 'UNKNOWN_OUTPUT',
    says: ['OUTPUT9', 'OUTPUT0'],
  },
  'an output twice': {
    request: {
      model: 'identity_fixed',
      inputs: [fixed(1, 2, 3, 4)],
      outputs: [{ name: 'OUTPUT0' }, { name: 'OUTPUT0' }],
    },
    reason: 'MALFORMED_REQUEST',
    says: ['OUTPUT0', 'twice'],
  },
  'another data type': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP64', [1, 4], Float64Array.of(1, 2, 3, 4))] },
    reason: 'DATA_TYPE_MISMATCH',
    says: ['INPUT0', 'FP32', 'FP64'],
  },
  'another shape': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP32', [1, 5], f32(1, 2, 3, 4, 5))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0', '[-1,4]', '[1,5]'],
  },
  'another rank': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP32', [4], f32(1, 2, 3, 4))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0', '[-1,4]', '[4]'],
  },
  'a batch above the limit': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP32', [5, 4], new Float32Array(20))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0', '4', '5'],
  },
  'a batch of none': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP32', [0, 4], new Float32Array(0))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0', '0'],
  },
  'batches that differ': {
    request: {
      model: 'add_two',
      inputs: [
        tensor('INPUT0', 'INT32', [1, 16], new Int32Array(16)),
        tensor('INPUT1', 'INT32', [2, 16], new Int32Array(32)),
      ],
    },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT1', '1', '2'],
  },
  'fewer data than the shape says': {
    request: { model: 'identity_fixed', id: 'q', inputs: [tensor('INPUT0', 'FP32', [1, 4], f32(1, 2, 3))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0'],
    ownWords: true,
  },
  'more data than the shape says': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP32', [1, 4], f32(1, 2, 3, 4, 5))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0'],
    ownWords: true,
  },
  'a negative dimension': {
    request: { model: 'identity_fixed', inputs: [tensor('INPUT0', 'FP32', [-1, 4], f32(1, 2, 3, 4))] },
    reason: 'SHAPE_MISMATCH',
    says: ['INPUT0', '-1'],
  },
  'classes of an output that has no order': {
    request: {
      model: 'identity_bytes',
      inputs: [tensor('INPUT0', 'BYTES', [1, 1], ['x'])],
      outputs: [{ name: 'OUTPUT0', classification: 1 }],
    },
    reason: 'UNSUPPORTED',
    says: ['OUTPUT0', 'BYTES'],
  },
  'a failure inside the model': {
    request: { model: 'gather', inputs: [tensor('index', 'INT64', [1, 1], i64(9n))] },
    reason: 'BACKEND_FAILED',
    says: ['Gather'],
  },
};

let gateway: RunningGateway;
let forms: InferForms;

beforeAll(async () => {
  const names = TYPES.map((dataType) => `identity_${dataType.toLowerCase()}`);
  const same = ['identity_all_types', 'identity_fixed', 'scalar', 'no_batch', 'add_two', 'gather'];
  gateway = await RunningGateway.start(
    repositoryOf({
      ...Object.fromEntries([...names, ...same].map((name) => [name, name])),
      non_zero: { fixture: 'non_zero', config: 'max_batch_size: 0' },
      two_versions: { fixture: { 1: 'overridable', 2: 'identity_fixed' }, config: 'version_policy: { all: {} }' },
      labelled: {
        fixture: 'identity_fixed',
        config: 'output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 4 ] label_filename: "labels.txt" } ]',
        files: { 'labels.txt': 'one\ntwo\nthree\nfour\n' },
      },
      optional: {
        fixture: 'overridable',
        config: `max_batch_size: 0
          input [
            { name: "INPUT0" data_type: TYPE_FP32 dims: [ -1, 4 ] },
            { name: "BIAS" data_type: TYPE_FP32 dims: [ 4 ] optional: true }
          ]`,
      },
      squares: {
        fixture: 'squares',
        config: `max_batch_size: 4
          input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] reshape: { shape: [ 2, 2 ] } } ]
          output [ { name: "y" data_type: TYPE_FP32 dims: [ 4 ] reshape: { shape: [ 2, 2 ] } } ]`,
      },
      broken: 'corrupt',
    }),
    ['--log-error', 'false', '--log-warning', 'false'],
  );
  forms = new InferForms(gateway);
});

afterAll(async () => {
  await forms?.close();
  expect(await gateway?.stop()).toBe(0);
});

function formsOf({ request, json, raw, ...own }: Case): Form[] {
  const typed = own.typed !== false && request.inputs.every(({ dataType }) => DATA_TYPES[dataType].contents !== 'raw');
  const able = forms.all.filter(({ carries }) => (carries === 'json' ? json !== false : carries === 'bytes' || typed));
  return raw ? [...able, forms.rawBody] : able;
}

describe('every form gives the same answer', () => {
  it.each(Object.keys(ANSWERED))('%s', async (name) => {
    const asked = ANSWERED[name] as Case;
    for (const form of formsOf(asked)) {
      const answer = await form.send(asked.request);
      const outputs = asked.gives?.map((output) => ({ ...output, data: Buffer.from(output.data).toString('hex') }));
      // A raw body has no place for an id and cannot name outputs.
      const shown = answer.ok
        ? { ...answer, outputs: answer.outputs.map((o) => ({ ...o, data: Buffer.from(o.data).toString('hex') })) }
        : answer;
      const { model, id = '' } = asked.request;
      expect(shown, form.name).toEqual({ ok: true, model, version: asked.version ?? '1', id, outputs });
    }
  });
});

describe('every form refuses alike', () => {
  it.each(Object.keys(REFUSED))('%s', async (name) => {
    const asked = REFUSED[name] as Case;
    const reason = asked.reason as Reason;
    const messages = new Set<string>();
    for (const form of formsOf(asked)) {
      const answer = await form.send(asked.request);
      if (answer.ok) throw new Error(`${form.name} answered`);
      for (const named of asked.says ?? []) expect(answer.message, form.name).toContain(named);
      if (answer.http !== undefined) expect(answer.http, form.name).toBe(ERRORS[reason].http);
      if (answer.grpc !== undefined) expect(answer.grpc, form.name).toBe(GRPC_CODE_NUMBERS[ERRORS[reason].grpc]);
      if (answer.reason !== undefined) expect(answer.reason, form.name).toBe(reason);
      if (answer.id !== undefined) expect(answer.id, form.name).toBe(asked.request.id ?? '');
      messages.add(answer.message);
    }
    if (asked.ownWords === undefined) expect([...messages]).toHaveLength(1);
  });
});

describe('what JSON cannot carry is said, not bent', () => {
  const asJson = async (request: NeutralRequest) => {
    const { json, data } = binaryParts(request, false);
    const headers = { 'inference-header-content-length': String(json.byteLength) };
    const answer = await gateway.call(`/v2/models/${request.model}/infer`, {
      body: Buffer.concat([json, data]),
      headers,
    });
    return { status: answer.status, message: String(answer.json().error) };
  };

  it.each([
    ['NaN', identity('FP32', [1, 1], f32(Number.NaN)), 'NaN', 'UNSUPPORTED'],
    ['an infinity', identity('FP64', [1, 1], Float64Array.of(Number.NEGATIVE_INFINITY)), 'Infinity', 'UNSUPPORTED'],
    ['a half float', identity('FP16', [1, 1], Uint16Array.of(0x3c00)), 'FP16', 'DATA_TYPE_MISMATCH'],
    ['a brain float', identity('BF16', [1, 1], Uint16Array.of(0x3f80)), 'BF16', 'DATA_TYPE_MISMATCH'],
    ['bytes that are no text', identity('BYTES', [1, 1], [Buffer.from([0xff])]), 'UTF-8', 'UNSUPPORTED'],
  ] as const)('%s', async (_, { request }, named, reason) => {
    const { status, message } = await asJson(request);
    expect(message).toContain('OUTPUT0');
    expect(message).toContain(named);
    expect(status).toBe(ERRORS[reason].http);
  });
});

it('one request of a stream that is refused leaves the others of the connection alone', async () => {
  const good: NeutralRequest = { model: 'identity_fixed', id: 'good', inputs: [fixed(1, 2, 3, 4)] };
  const bad: NeutralRequest = { ...good, id: 'bad', inputs: [] };
  for (const form of forms.all.filter(({ name }) => name.includes('stream') || name.includes('WebSocket'))) {
    expect(await form.send(bad), form.name).toMatchObject({ ok: false, id: 'bad' });
    expect(await form.send(good), form.name).toMatchObject({ ok: true, id: 'good' });
  }
});

it('strings of a batch keep their rows', async () => {
  const rows = Array.from({ length: 4 }, (_, row) => Buffer.alloc(row * 7, 65 + row));
  for (const form of forms.all) {
    const answers = await Promise.all(
      // Over a connection whose answers are told apart by order alone, one at a time.
      form.name.startsWith('HTTP') || form.name.startsWith('gRPC')
        ? rows.map((row) => form.send(identity('BYTES', [1, 1], [row]).request))
        : [await form.send(identity('BYTES', [4, 1], rows).request)],
    );
    const got = answers.flatMap((answer) => (answer.ok ? bytesElements((answer.outputs[0] as Tensor).data) : []));
    expect(
      got.map((element) => element.byteLength),
      form.name,
    ).toEqual(rows.map((row) => row.byteLength));
  }
});
