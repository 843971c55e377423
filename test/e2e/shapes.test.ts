import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/core/index.js';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, InferForms, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import type { ModelFolder } from '../support/model-folder.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { seeded } from '../support/seeded-random.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SHAPES = readFileSync(`${ROOT}src/serving/batcher/SHAPES.md`, 'utf8');
/** The configs that the page shows. */
const [PADDED_YAML, PADDED_PBTXT, SIZES_YAML] = [...SHAPES.matchAll(/^```(?:yaml|pbtxt)\n(.*?)^```/gms)].map(
  (match) => match[1] as string,
);
const PADDED_IDENTITY = `
max_batch_size: 16
dynamic_batching: { max_queue_delay_microseconds: 300000 }
padding:
  inputs: [{ name: INPUT0, axis: 1, value: -1 }]
  outputs: [{ name: OUTPUT0, axis: 1 }]
  classes: [16]
`;
const SCRIPT = `
backend: script
max_batch_size: 4
dynamic_batching: { max_queue_delay_microseconds: 50000 }
input: [{ name: text, data_type: TYPE_STRING, dims: [1] }, { name: big, data_type: TYPE_INT64, dims: [-1] }]
output: [{ name: text_out, data_type: TYPE_STRING, dims: [1] }, { name: big_out, data_type: TYPE_INT64, dims: [-1] }]
padding: { inputs: [{ name: big, axis: 1, value: 7 }], outputs: [{ name: big_out, axis: 1 }] }
allowed_batch_sizes: [2, 4]
`;

let gateway: RunningGateway;
let forms: InferForms;

beforeAll(async () => {
  const folder = repositoryOf({
    identity: { fixture: 'identity_fp32', files: { 'config.yaml': PADDED_IDENTITY } },
    by_node: { fixture: 'identity_fp32', files: { 'config.yaml': `${PADDED_IDENTITY}engine: node\n` } },
    script: { fixture: 'echo.cjs', files: { 'config.yaml': SCRIPT } },
  });
  const sizes = 'max_batch_size: 4\ndynamic_batching: {}\nallowed_batch_sizes: [2, 4]\n';
  for (const [name, fixture, more] of [
    ['strings', 'identity_bytes_fixed', ''],
    ['bound', 'identity_fixed', 'provider: { io_binding: true }\n'],
  ] as const) {
    mkdirSync(join(folder.path, name, '1'), { recursive: true });
    cpSync(`${ROOT}test/fixtures/models/${fixture}.onnx`, join(folder.path, name, '1/model.onnx'));
    folder.write(`${name}/config.yaml`, sizes + more);
  }
  embedder(folder, 'alone', 'config.yaml', 'max_batch_size: 16\n');
  embedder(folder, 'padded', 'config.yaml', PADDED_YAML as string);
  embedder(folder, 'padded_by_parameters', 'config.pbtxt', PADDED_PBTXT as string);
  embedder(folder, 'sized', 'config.yaml', SIZES_YAML as string);
  gateway = await RunningGateway.start(folder);
  forms = new InferForms(gateway);
}, 120_000);

afterAll(async () => {
  await forms?.close();
  expect(await gateway?.stop()).toBe(0);
});

/** The transformer of the bench. */
function embedder(folder: ModelFolder, name: string, file: string, config: string): void {
  mkdirSync(join(folder.path, name), { recursive: true });
  cpSync(`${ROOT}native-bench/models/embedder/1`, join(folder.path, name, '1'), { recursive: true });
  folder.write(`${name}/${file}`, config);
}

function text(model: string, random: () => number, rows: number, length: number): NeutralRequest {
  const ids = BigInt64Array.from({ length: rows * length }, () => BigInt(Math.floor(random() * 1000)));
  const mask = new BigInt64Array(rows * length).fill(1n);
  return {
    model,
    inputs: [tensor('ids', 'INT64', [rows, length], ids), tensor('mask', 'INT64', [rows, length], mask)],
  };
}

/** Forms that may have several requests on their way at once. */
const manyAtOnce = () => forms.all.filter(({ name }) => /^(HTTP|gRPC (raw|typed))/.test(name));

async function floats(request: NeutralRequest, form = 0): Promise<Float32Array> {
  const chosen = manyAtOnce()[form % manyAtOnce().length] as InferForms['all'][number];
  const answer = await chosen.send(request);
  if (!answer.ok) throw new Error(`${chosen.name}: ${answer.message}`);
  return new Float32Array(own(answer.outputs[0] as Tensor));
}

/** The bytes of a tensor in a buffer of their own. */
function own({ data }: Tensor): ArrayBuffer {
  return new Uint8Array(data).buffer;
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}

const scheduler = async (model: string) => (await gateway.call(`/v2/models/${model}/scheduler`)).json();

describe('requests of different lengths', () => {
  it.each(['padded', 'padded_by_parameters'])(
    'get the answer they would get alone, over HTTP and gRPC, from the config of the page (%s)',
    async (model) => {
      const random = seeded(5);
      const requests = Array.from({ length: 60 }, () =>
        text('alone', random, 1 + Math.floor(random() * 3), 1 + Math.floor(random() * 12)),
      );
      const alone: Float32Array[] = [];
      for (const request of requests) alone.push(await floats(request));
      const shared = await Promise.all(requests.map((request, i) => floats({ ...request, model }, i)));
      shared.forEach((vector, i) => {
        expect(largestDifference(vector, alone[i] as Float32Array)).toBeLessThan(1e-5);
      });
      expect((await scheduler(model)).padding_share).toBeGreaterThan(0);
      expect(await gateway.metric('penstock_executions_total', { model })).toBeLessThan(requests.length);
    },
    60_000,
  );

  it.each(['identity', 'by_node'])(
    'get outputs that follow their length cut back to it, bit for bit, by engine %s',
    async (model) => {
      const values = (i: number) => Float32Array.from({ length: 2 * (i + 1) }, (_, k) => 100 * i + k);
      // Both of WebSocket use one connection.
      const each = forms.all.filter(({ name }) => name !== 'WebSocket text');
      const asked = each.map(async (form, i) => {
        const request = { model, inputs: [tensor('INPUT0', 'FP32', [2, i + 1], values(i))] };
        const answer = await form.send(request);
        if (!answer.ok) throw new Error(`${form.name}: ${answer.message}`);
        expect(answer.outputs.map(({ shape }) => shape)).toEqual([[2, i + 1]]);
        expect(new Float32Array(own(answer.outputs[0] as Tensor))).toEqual(values(i));
      });
      await Promise.all(asked);
      const { padding_share } = await scheduler(model);
      expect(padding_share).toBeGreaterThan(0.3);
      expect(await gateway.metric('penstock_executions_total', { model })).toBeLessThan(each.length);
    },
    60_000,
  );

  it('are served by scripts too, with sizes that are allowed and strings beside', async () => {
    const ask = async (i: number) => {
      const big = BigInt64Array.from({ length: i }, (_, k) => BigInt(10 * i + k));
      const answer = await (forms.all[i % 2 === 0 ? 3 : 7] as InferForms['all'][number]).send({
        model: 'script',
        inputs: [tensor('text', 'BYTES', [1, 1], [`text ${i}`]), tensor('big', 'INT64', [1, i], big)],
      });
      if (!answer.ok) throw new Error(answer.message);
      const [words, numbers] = answer.outputs as [Tensor, Tensor];
      expect(Buffer.from(words.data.subarray(4)).toString()).toBe(`text ${i}`);
      expect(words.shape).toEqual([1, 1]);
      expect(numbers.shape).toEqual([1, i]);
      expect(new BigInt64Array(own(numbers))).toEqual(big);
    };
    await Promise.all([1, 2, 3, 4, 5].map(ask));
    expect((await scheduler('script')).padding_share).toBeGreaterThan(0);
  });
});

describe('allowed batch sizes', () => {
  it('leave answers as they are, and nobody sees dummy rows', async () => {
    const random = seeded(9);
    const requests = [1, 3, 5, 7, 16].map((rows) => text('alone', random, rows, 6));
    for (const request of requests) {
      const alone = await floats(request);
      const sized = await floats({ ...request, model: 'sized' });
      expect(largestDifference(sized, alone)).toBeLessThan(1e-5);
    }
    // 3 ran as 4, 5 and 7 as 8: 5 of 37 rows.
    expect((await scheduler('sized')).padding_share).toBeCloseTo(5 / 37, 3);
  });
});

describe('allowed batch sizes of other inputs', () => {
  it.each([
    ['strings', tensor('INPUT0', 'BYTES', [3, 2], ['a', '', 'bcd', 'e', 'ü', 'f'])],
    [
      'bound',
      tensor(
        'INPUT0',
        'FP32',
        [3, 4],
        Float32Array.from({ length: 12 }, (_, i) => i + 0.5),
      ),
    ],
  ])('hold for %s', async (model, input) => {
    for (const form of manyAtOnce()) {
      const answer = await form.send({ model, inputs: [input] });
      if (!answer.ok) throw new Error(`${form.name}: ${answer.message}`);
      const [output] = answer.outputs as [Tensor];
      expect(output.shape).toEqual(input.shape);
      expect(Buffer.from(output.data).equals(input.data), form.name).toBe(true);
    }
    expect((await scheduler(model)).padding_share).toBe(0.25);
  });
});

describe('an explanation', () => {
  it('has the padding share, as headers over HTTP and as trailers over gRPC', async () => {
    const request = text('sized', seeded(1), 3, 6);
    const headers = { 'x-penstock-explain': 'true' };
    const answer = await gateway.call('/v2/models/sized/infer', { body: jsonBody(request), headers });
    expect(answer.headers['x-penstock-padding-share']).toBe('0.25');
    expect(answer.headers['x-penstock-batch-size']).toBe('3');

    const client = new GrpcClient(gateway.grpcPort);
    const trailersOf = async (asked: Readonly<Record<string, string>>, parameters = {}) => {
      let trailers = new Metadata();
      const ended = new Promise<void>((resolve) => {
        void client.unary(
          'ModelInfer',
          { ...grpcMessage({ ...request, parameters }, true) },
          {
            metadata: asked,
            onCall: (call) =>
              call.on('status', ({ metadata }) => {
                trailers = metadata;
                resolve();
              }),
          },
        );
      });
      await ended;
      return Object.keys(trailers.getMap())
        .filter((name) => name.startsWith('x-penstock-'))
        .map((name) => [name, String(trailers.get(name)[0])]);
    };
    const way = ['version', 'route', 'table'].map((name) => `x-penstock-${name}`);
    const names = [
      ...way,
      ...['batch-size', 'queue-us', 'compute-us', 'padding-share', 'device-ms'].map((name) => `x-penstock-${name}`),
    ];
    for (const told of [
      await trailersOf({ 'x-penstock-explain': 'true' }),
      await trailersOf({}, { penstock_explain: true }),
    ]) {
      expect(told.map(([name]) => name).sort()).toEqual([...names].sort());
      expect(Object.fromEntries(told)).toMatchObject({
        'x-penstock-padding-share': '0.25',
        'x-penstock-batch-size': '3',
      });
    }
    expect((await trailersOf({})).map(([name]) => name).sort()).toEqual([...way].sort());
    client.close();
  });
});
