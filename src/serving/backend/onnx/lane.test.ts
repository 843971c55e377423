import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import {
  batchOf,
  openRequest,
  outputsOf,
  realClock,
  runBatch,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import {
  bytesElements,
  DATA_TYPES,
  type DataType,
  type Lane,
  type ModelSpec,
  type OpenedModel,
  type OpenRequest,
  serialiseBytes,
  type Tensor,
} from '../../../core/index.js';
import { CARRIER_SETTINGS } from './carrier/choose-carrier.js';

// Compiled: a run thread's entry is a compiled file.
const { onnxNativeBackend } = await compiled<typeof import('./index.js')>('serving/backend/onnx/index.js');
const backend = onnxNativeBackend({ log: silentLog, clock: realClock });
const opened: OpenedModel[] = [];

let carrier = 'auto';

async function lane(
  name: string,
  maxBatchSize: number,
  change: (spec: ModelSpec) => ModelSpec = (spec) => spec,
  over: Partial<OpenRequest> = {},
): Promise<Lane> {
  const model = await backend.open(openRequest(name, { parameters: { carrier }, ...over }));
  opened.push(model);
  return model.createLane(change(specOf(name, model.signature, maxBatchSize)), 0);
}

const floats = (name: string, shape: number[], values: number[]) =>
  tensorOf(name, 'FP32', shape, new Float32Array(values));
const asFloats = (tensor: Tensor | undefined) => [...new Float32Array((tensor as Tensor).data.slice().buffer)];

afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

/** Bytes that are telling for a data type: NaN payloads, signed zero, extremes, 64-bit integers beyond 2^53. */
function tellingBytes(dataType: DataType): Uint8Array {
  const { elementBytes } = DATA_TYPES[dataType];
  if (dataType === 'BOOL') return Uint8Array.of(0, 1, 1, 0, 1, 0, 0, 1);
  const bytes = new Uint8Array(elementBytes * 8);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 73 + 151) & 0xff;
  bytes.fill(0xff, 0, elementBytes);
  bytes.fill(0, elementBytes, elementBytes * 2);
  bytes.set([0x80], elementBytes * 2 - 1);
  return bytes;
}

describe.each(CARRIER_SETTINGS)('by carrier %s', (setting) => {
  beforeAll(() => {
    carrier = setting;
  });

  describe('identity models', () => {
    const numeric = (Object.keys(DATA_TYPES) as DataType[]).filter((dataType) => dataType !== 'BYTES');
    it.each(numeric)('return %s bit for bit, NaN payloads and extremes included', async (dataType) => {
      const l = await lane(`identity_${dataType.toLowerCase()}`, 4);
      const data = tellingBytes(dataType);
      const shape = [2, 4];
      const [output] = await outputsOf(l, batchOf([[{ name: 'INPUT0', dataType, shape, data }]]));
      expect(output).toEqual({ name: 'OUTPUT0', dataType, shape, data });
    });

    it.each(numeric)('take empty tensors of %s', async (dataType) => {
      const l = await lane(`identity_${dataType.toLowerCase()}`, 4);
      const [output] = await outputsOf(
        l,
        batchOf([[{ name: 'INPUT0', dataType, shape: [2, 0], data: new Uint8Array(0) }]]),
      );
      expect(output).toEqual({ name: 'OUTPUT0', dataType, shape: [2, 0], data: new Uint8Array(0) });
    });

    it.each(['identity_bytes', 'identity_bytes_fixed'])(
      '%s: strings keep NUL, invalid UTF-8 and emptiness',
      async (name) => {
        const l = await lane(name, 4);
        const elements = [
          Uint8Array.of(),
          Uint8Array.of(0),
          Uint8Array.of(65, 0, 66),
          Uint8Array.of(0xff, 0xfe, 0x80),
          Buffer.from('grüße 🐟'),
          new Uint8Array(100_000).fill(0xc3),
        ];
        const part = (from: number, to: number): Tensor => ({
          name: 'INPUT0',
          dataType: 'BYTES',
          shape: [(to - from) / 2, 2],
          data: serialiseBytes(elements.slice(from, to)),
        });
        const [output] = await outputsOf(l, batchOf([[part(0, 2)], [part(2, 6)]]));
        expect(output?.shape).toEqual([3, 2]);
        expect(bytesElements((output as Tensor).data).map((e) => Buffer.from(e).toString('hex'))).toEqual(
          elements.map((e) => Buffer.from(e).toString('hex')),
        );
      },
    );

    it('take an empty tensor of strings', async () => {
      const l = await lane('identity_bytes', 4);
      const [output] = await outputsOf(
        l,
        batchOf([[{ name: 'INPUT0', dataType: 'BYTES', shape: [1, 0], data: new Uint8Array(0) }]]),
      );
      expect(output).toEqual({ name: 'OUTPUT0', dataType: 'BYTES', shape: [1, 0], data: new Uint8Array(0) });
    });
  });

  describe('a lane', () => {
    it('gathers the rows of all members and gives them back in order', async () => {
      const l = await lane('identity_fixed', 8);
      const members = [floats('INPUT0', [1, 4], [1, 2, 3, 4]), floats('INPUT0', [2, 4], [5, 6, 7, 8, 9, 10, 11, 12])];
      const [output] = await outputsOf(l, batchOf(members.map((tensor) => [tensor])));
      expect(output?.shape).toEqual([3, 4]);
      expect(asFloats(output)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    });

    it('takes inputs at any offset of any buffer', async () => {
      const l = await lane('identity_fixed', 8);
      const data = Buffer.alloc(19).subarray(3);
      data.writeFloatLE(0.5, 4);
      const [output] = await outputsOf(l, batchOf([[{ name: 'INPUT0', dataType: 'FP32', shape: [1, 4], data }]]));
      expect(asFloats(output)).toEqual([0, 0.5, 0, 0]);
    });

    it('serves scalars and models without a batch axis', async () => {
      const scalar = await lane('scalar', 0);
      const [product] = await outputsOf(scalar, batchOf([[floats('a', [], [6]), floats('b', [], [7])]], false));
      expect(product).toMatchObject({ shape: [] });
      expect(asFloats(product)).toEqual([42]);
      const matrix = await lane('no_batch', 0);
      const [transposed] = await outputsOf(matrix, batchOf([[floats('matrix', [2, 3], [1, 2, 3, 4, 5, 6])]], false));
      expect(transposed?.shape).toEqual([3, 2]);
      expect(asFloats(transposed)).toEqual([1, 4, 2, 5, 3, 6]);
    });

    it('hands ONNX Runtime the model’s shape and the client its own where they differ by reshape', async () => {
      const reshape = (spec: ModelSpec): ModelSpec => ({
        ...spec,
        inputs: spec.inputs.map((input) => ({ ...input, dims: [4] })),
        outputs: spec.outputs.map((output) => ({ ...output, dims: [4] })),
      });
      const l = await lane('squares', 4, reshape);
      const [output] = await outputsOf(l, batchOf([[floats('x', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])]]));
      expect(output?.shape).toEqual([2, 4]);
      expect(asFloats(output)).toEqual([1, 3, 2, 4, 5, 7, 6, 8]);
    });

    it('leaves an optional input out where no member has it, and uses it where they do', async () => {
      const withBias = (spec: ModelSpec): ModelSpec => ({
        ...spec,
        inputs: [
          ...spec.inputs,
          { name: 'BIAS', dataType: 'FP32', dims: [4], modelDims: [4], optional: true, labels: undefined },
        ],
      });
      // Optional inputs have no batch axis here, so the model is served without one: [1, 4].
      const l = await lane('overridable', 0, (spec) => ({
        ...withBias(spec),
        outputs: spec.outputs.map((o) => ({ ...o, dims: [-1, 4], modelDims: [-1, 4] })),
      }));
      const input = floats('INPUT0', [1, 4], [0, 0, 0, 0]);
      const [own] = await outputsOf(l, batchOf([[input, undefined]], false));
      expect(asFloats(own)).toEqual([1, 2, 3, 4]);
      const [given] = await outputsOf(l, batchOf([[input, floats('BIAS', [4], [9, 9, 9, 9])]], false));
      expect(asFloats(given)).toEqual([9, 9, 9, 9]);
    });

    it('returns outputs whose size depends on the values', async () => {
      const l = await lane('non_zero', 0);
      const sizes: number[] = [];
      for (const values of [
        [0, 0, 0, 1],
        [1, 1, 1, 1],
        [0, 0, 0, 0],
      ]) {
        const [output] = await outputsOf(l, batchOf([[floats('x', [2, 2], values)]], false));
        sizes.push((output as Tensor).shape[1] as number);
      }
      expect(sizes).toEqual([1, 4, 0]);
    });

    it.each([-1, 4])('refuses a batch whose output rows differ from its input rows (inner axis %i)', async (axis) => {
      const l = await lane('loses_rows', 8, (spec) => ({
        ...spec,
        outputs: spec.outputs.map((output) => ({ ...output, dims: [axis], modelDims: [axis] })),
      }));
      const lost = await runBatch(l, batchOf([[floats('x', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])]]));
      expect(lost).toMatchObject({ kind: 'failed', error: { reason: 'OUTPUT_SHAPE_MISMATCH' } });
      const [kept] = await outputsOf(l, batchOf([[floats('x', [1, 4], [1, 2, 3, 4])]]));
      expect(asFloats(kept)).toEqual([1, 2, 3, 4]);
    });

    it.each([-1, 5])('refuses outputs of another shape than declared (declared %i, 2)', async (axis) => {
      const l = await lane('no_batch', 0, (spec) => ({
        ...spec,
        outputs: spec.outputs.map((output) => ({ ...output, dims: [axis, 5], modelDims: [axis, 5] })),
      }));
      const outcome = await runBatch(l, batchOf([[floats('matrix', [2, 3], [1, 2, 3, 4, 5, 6])]], false));
      expect(outcome).toMatchObject({ kind: 'failed', error: { reason: 'OUTPUT_SHAPE_MISMATCH' } });
    });

    it('refuses an output that ONNX Runtime finds to be of another shape only while it runs', async () => {
      const l = await lane('non_zero', 0, (spec) => ({
        ...spec,
        outputs: spec.outputs.map((output) => ({ ...output, dims: [2, 3], modelDims: [2, 3] })),
      }));
      const outcome = await runBatch(l, batchOf([[floats('x', [2, 2], [1, 1, 1, 1])]], false));
      expect(outcome).toMatchObject({ kind: 'failed', error: { reason: 'OUTPUT_SHAPE_MISMATCH' } });
      expect(await runBatch(l, batchOf([[floats('x', [2, 2], [1, 1, 1, 0])]], false))).toMatchObject({ kind: 'done' });
    });

    it('reports a node that fails in ONNX Runtime’s words, without paths, and serves the next batch', async () => {
      const l = await lane('gather', 4);
      const index = (value: bigint) => tensorOf('index', 'INT64', [1], BigInt64Array.of(value));
      const outcome = await runBatch(l, batchOf([[index(9n)]]));
      expect(outcome).toMatchObject({ kind: 'failed', error: { reason: 'BACKEND_FAILED' } });
      const { message } = (outcome as { error: Error }).error;
      expect(message).toMatch(/indices element out of data bounds, idx=9/);
      expect(message).not.toMatch(/onnxruntime_src|\/work|\.cc:/);
      const [row] = await outputsOf(l, batchOf([[index(2n)]]));
      expect(asFloats(row)).toEqual([4, 5]);
    });

    it('never lets bytes of an earlier request through where a member is too short or too long', async () => {
      const l = await lane('identity_fixed', 4);
      await outputsOf(l, batchOf([[floats('INPUT0', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])]]));
      for (const bytes of [16, 48]) {
        const lying: Tensor = { name: 'INPUT0', dataType: 'FP32', shape: [2, 4], data: new Uint8Array(bytes) };
        const outcome = await runBatch(l, batchOf([[lying]]));
        expect(outcome).toMatchObject({ kind: 'failed', error: { reason: 'INTERNAL' } });
      }
      expect(asFloats((await outputsOf(l, batchOf([[floats('INPUT0', [1, 4], [9, 9, 9, 9])]])))[0])).toEqual([
        9, 9, 9, 9,
      ]);
    });

    it('settles after run has returned, and tells its stages in order', async () => {
      const l = await lane('mlp', 4);
      let returned = false;
      const outcome = await new Promise<{ timing: Record<string, number> }>((resolve) => {
        l.run(batchOf([[floats('x', [1, 64], Array(64).fill(1))]]), (o) => {
          expect(returned).toBe(true);
          resolve(o as never);
        });
        returned = true;
      });
      const { takenNs, gatheredNs, startedNs, finishedNs } = outcome.timing as Record<string, number>;
      expect([takenNs, gatheredNs, startedNs, finishedNs]).toEqual(
        [takenNs, gatheredNs, startedNs, finishedNs].sort((a, b) => (a as number) - (b as number)),
      );
    });

    it('refuses a second batch while it holds one, without harm to the first', async () => {
      const l = await lane('mlp', 4);
      const batch = batchOf([[floats('x', [1, 64], Array(64).fill(1))]]);
      const first = runBatch(l, batch);
      const second = await runBatch(l, batch);
      expect(second).toMatchObject({ kind: 'failed', error: { reason: 'INTERNAL' } });
      expect(await first).toMatchObject({ kind: 'done' });
    });

    it('runs all types together in one request', async () => {
      const l = await lane('identity_all_types', 2);
      const spec = (opened.at(-1) as OpenedModel).signature;
      const inputs = spec.inputs.map(({ name, dataType }): Tensor => {
        const type = dataType as DataType;
        const data =
          type === 'BYTES'
            ? serialiseBytes([Buffer.from('a'), Buffer.from('\0')])
            : tellingBytes(type).slice(0, DATA_TYPES[type].elementBytes * 2);
        return { name, dataType: type, shape: [1, 2], data };
      });
      const outputs = await outputsOf(l, batchOf([inputs]));
      expect(outputs.map((o) => Buffer.from(o.data).toString('hex'))).toEqual(
        inputs.map((i) => Buffer.from(i.data).toString('hex')),
      );
    });
  });
});
