import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { protobuf } from '../../../../../test/support/onnx-bytes.js';
import {
  batchOf,
  fixturePath,
  openRequest,
  outputsOf,
  realClock,
  silentLog,
  specOf,
} from '../../../../../test/support/onnx-fixtures.js';
import type { Backend, DataType, Log, OpenedModel, OpenRequest, Tensor } from '../../../../core/index.js';
import { onnxNativeBackend } from '../index.js';

let root: string;
let folder: string;
let warnings: { message: string; fields: Record<string, unknown> }[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'penstock-compiled-'));
  folder = join(root, 'models');
  warnings = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const log: Log = {
  ...silentLog,
  warn: (message, fields) => {
    warnings.push({ message, fields: { ...fields } });
  },
};
const plain = onnxNativeBackend({ log: silentLog, clock: realClock });
const cached = (minModelBytes = 0): Backend =>
  onnxNativeBackend({ log, clock: realClock, cache: { folder, maxBytes: 2 ** 34, minModelBytes } });
const request = (name: string, over: Partial<OpenRequest> = {}) => openRequest(name, { externalFiles: [], ...over });
const entries = () => readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
const inEntry = (name: string) => join(folder, entries()[0]!, name);

/** Fixtures that the engine serves. */
const SERVED = readdirSync(fixturePath('mlp').replace(/\/[^/]*$/, ''))
  .filter((file) => file.endsWith('.onnx') && !/^(?:corrupt|empty|unknown_op|unsupported_)/.test(file))
  .map((file) => file.replace('.onnx', ''));

/** Bytes of one element by data type; BYTES are written with their lengths. */
function data(dataType: DataType, elements: number): Uint8Array {
  const bits = (size: number) => Uint8Array.from({ length: elements * size }, (_, i) => (i * 37 + 11) & 0x3f);
  const integers = (size: number) => Uint8Array.from({ length: elements * size }, (_, i) => +(i % (size * 2) === 0));
  if (dataType === 'BYTES') {
    return Buffer.concat(
      Array.from({ length: elements }, (_, i) => {
        const text = Buffer.from([0, 0xff, ...Buffer.from('é'.repeat(i))]);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.byteLength);
        return Buffer.concat([length, text]);
      }),
    );
  }
  if (dataType === 'FP64') return bits(8);
  if (dataType === 'FP32') return bits(4);
  if (dataType === 'FP16' || dataType === 'BF16') return bits(2);
  return integers(dataType === 'BOOL' ? 1 : Number(/\d+$/.exec(dataType)![0]) / 8);
}

/** What callers see of a model: its signature, who runs it, and its answer to one batch. */
async function seen(model: OpenedModel, name: string): Promise<unknown> {
  const spec = specOf(name, model.signature, 0);
  const lane = await model.createLane(spec, 0);
  const inputs = spec.inputs.map(({ name: input, dataType, dims }): Tensor => {
    const shape = dims.map((dim) => (dim < 0 ? 2 : dim));
    return {
      name: input,
      dataType,
      shape,
      data: data(
        dataType,
        shape.reduce((product, dim) => product * dim, 1),
      ),
    };
  });
  const outputs = await outputsOf(lane, batchOf([inputs], false));
  await lane.close();
  const answers = outputs.map((output) => ({ ...output, data: Buffer.from(output.data).toString('base64') }));
  return { signature: model.signature, providers: model.providers, answers };
}

async function seenThrough(backend: Backend, name: string, over: Partial<OpenRequest> = {}): Promise<unknown> {
  const model = await backend.open(request(name, over));
  try {
    return await seen(model, name);
  } finally {
    await model.close();
  }
}

describe('compiled models', () => {
  it.each(SERVED)('%s: the same signature and the same answers bit for bit, made and found', async (name) => {
    const expected = await seenThrough(plain, name);
    expect(await seenThrough(cached(), name)).toEqual(expected);
    expect(entries()).toHaveLength(1);
    const made = statSync(inEntry('model.onnx')).ino;
    expect(await seenThrough(cached(), name)).toEqual(expected);
    expect([entries().length, statSync(inEntry('model.onnx')).ino]).toEqual([1, made]);
    expect(warnings).toEqual([]);
  });

  it('gives a second session while the first is open, and keeps serving when its entry is removed', async () => {
    const expected = await seenThrough(plain, 'mlp');
    const first = await cached().open(request('mlp'));
    const second = await cached().open(request('mlp'));
    rmSync(folder, { recursive: true });
    expect(await seen(first, 'mlp')).toEqual(expected);
    expect(await seen(second, 'mlp')).toEqual(expected);
    await Promise.all([first.close(), second.close()]);
  });

  it('serves the new content of a file that was written anew with the old times', async () => {
    const modelPath = join(root, 'model.onnx');
    copyFileSync(fixturePath('identity_fp32'), modelPath);
    await seenThrough(cached(), 'identity_fp32', { modelPath });
    const { atime, mtime } = statSync(modelPath);
    copyFileSync(fixturePath('cnn'), modelPath);
    utimesSync(modelPath, atime, mtime);
    expect(await seenThrough(cached(), 'cnn', { modelPath })).toEqual(await seenThrough(plain, 'cnn'));
    expect(entries()).toHaveLength(2);
  });

  it('serves the new weights where only the external data changed', async () => {
    const modelPath = join(root, 'model.onnx');
    writeFileSync(modelPath, addsExternal('weights.bin', 512));
    const answerWith = async (weight: number) => {
      writeFileSync(join(root, 'weights.bin'), Buffer.from(new Float32Array(512).fill(weight).buffer));
      const over = { modelPath, externalFiles: ['weights.bin'] };
      const answer = await seenThrough(cached(), 'adds', over);
      expect(answer).toEqual(await seenThrough(plain, 'adds', over));
      return answer;
    };
    const one = await answerWith(1);
    expect(await answerWith(2)).not.toEqual(one);
    expect(await answerWith(1)).toEqual(one);
    expect(entries()).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it('makes an entry of its own for other session settings', async () => {
    await seenThrough(cached(), 'cnn');
    expect(await seenThrough(cached(), 'cnn', { graphLevel: 2 })).toEqual(
      await seenThrough(plain, 'cnn', { graphLevel: 2 }),
    );
    await seenThrough(cached(), 'cnn', { parameters: { 'session.disable_quant_qdq': '1' } });
    expect(entries()).toHaveLength(3);
  });

  const damages: readonly (readonly [string, () => void, RegExp])[] = [
    ['a changed weight', () => flipByte(inEntry('model.data'), 100), /other content/],
    ['a changed graph', () => flipByte(inEntry('model.onnx'), 40), /other content/],
    ['a shortened file', () => truncateSync(inEntry('model.data'), 1000), /1000 bytes instead of/],
    ['a lengthened file', () => appendFileSync(inEntry('model.data'), 'x'), /bytes instead of/],
    ['a missing file', () => rmSync(inEntry('model.data')), /'model.data' is missing/],
    ['a foreign file', () => writeFileSync(inEntry('more.data'), ''), /foreign file, 'more.data'/],
    ['no manifest', () => rmSync(inEntry('manifest.json')), /manifest cannot be read/],
    ['half a manifest', () => truncateSync(inEntry('manifest.json'), 50), /manifest cannot be read/],
    [
      'a file out of the folder',
      () =>
        writeFileSync(
          inEntry('manifest.json'),
          readFileSync(inEntry('manifest.json'), 'utf8').replaceAll('model.data', '../x'),
        ),
      /manifest cannot be read/,
    ],
    [
      'a link in place of a file',
      () => {
        renameSync(inEntry('model.data'), join(root, 'elsewhere'));
        symlinkSync(join(root, 'elsewhere'), inEntry('model.data'));
      },
      /not a regular file/,
    ],
    [
      'the entry of another version of ONNX Runtime',
      () =>
        writeFileSync(
          inEntry('manifest.json'),
          readFileSync(inEntry('manifest.json'), 'utf8').replace(/1\.\d+\.\d+/, '0.9.9'),
        ),
      /compiled from something else/,
    ],
  ];
  it.each(damages)('notices %s and makes the entry again', async (_what, damage, fault) => {
    const expected = await seenThrough(cached(), 'mlp');
    damage();
    expect(await seenThrough(cached(), 'mlp')).toEqual(expected);
    expect(warnings).toMatchObject([{ fields: { fault: expect.stringMatching(fault) } }]);
    expect(await seenThrough(cached(), 'mlp')).toEqual(expected);
    expect(warnings).toHaveLength(1);
  });

  it('notices a change of the same size whose times were set back, though it has read the file before', async () => {
    const expected = await seenThrough(cached(), 'mlp');
    const path = inEntry('model.data');
    const old = new Date(Date.now() - 100_000);
    utimesSync(path, old, old);
    await seenThrough(cached(), 'mlp');
    flipByte(path, 100);
    utimesSync(path, old, old);
    expect(await seenThrough(cached(), 'mlp')).toEqual(expected);
    expect(warnings).toHaveLength(1);
  });

  it.each([
    ['is a file', () => writeFileSync(folder, ''), /EEXIST|ENOTDIR/],
    [
      'may be written by everybody',
      () => {
        mkdirSync(folder);
        chmodSync(folder, 0o777);
      },
      /other users may write it/,
    ],
  ])('serves without where its folder %s, and says so', async (_what, spoil, reason) => {
    spoil();
    expect(await seenThrough(cached(), 'mlp')).toEqual(await seenThrough(plain, 'mlp'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      message: 'the model cache cannot be used; the model was loaded without',
      fields: { model: 'mlp', cause: expect.objectContaining({ message: expect.stringMatching(reason) }) },
    });
  });

  it('refuses a model that ONNX Runtime refuses as without the cache, and keeps nothing of it', async () => {
    for (const name of ['corrupt', 'empty', 'unknown_op', 'no_such_file']) {
      const reasonOf = (backend: Backend) => backend.open(request(name)).then(() => expect.unreachable(), String);
      expect(await reasonOf(cached())).toBe(await reasonOf(plain));
    }
    expect(entries()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('keeps neither small models, nor those whose external data nobody listed', async () => {
    await seenThrough(cached(10 ** 6), 'mlp');
    const { externalFiles: _, ...unlisted } = request('mlp');
    await (await cached().open(unlisted)).close();
    expect(() => entries()).toThrow(/ENOENT/);
  });

  it('lets processes that start at once share one entry', { timeout: 60_000 }, async () => {
    const backendUrl = new URL('../../../../../dist/serving/backend/index.js', import.meta.url).href;
    const script = `
      const { onnxNativeBackend } = await import(${JSON.stringify(backendUrl)});
      const warnings = [];
      const log = { debug() {}, info() {}, error() {}, warn: (message, fields) => warnings.push(message + String(fields.cause ?? fields.fault)) };
      const clock = { nowNs: () => performance.now() * 1e6, wallMs: Date.now, setTimer: () => ({ clear() {} }) };
      const cache = { folder: ${JSON.stringify(folder)}, maxBytes: 2 ** 34, minModelBytes: 0 };
      const backend = onnxNativeBackend({ log, clock, cache });
      for (let i = 0; i < 5; i++) {
        const model = await backend.open(${JSON.stringify(request('mlp'))});
        if (model.signature.inputs[0].name !== 'x') throw new Error('another model');
        await model.close();
      }
      console.log(JSON.stringify(warnings));
    `;
    const start = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const runs = await Promise.all(Array.from({ length: 4 }, start));
    expect(runs.map((run) => JSON.parse(run.stdout))).toEqual([[], [], [], []]);
    expect(entries()).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(await seenThrough(cached(), 'mlp')).toEqual(await seenThrough(plain, 'mlp'));
  });
});

/** A model y = x + w, all [elements] FP32, with `w` in a file beside it. */
function addsExternal(location: string, elements: number): Uint8Array {
  const value = (name: string) =>
    protobuf([
      [1, name],
      [
        2,
        protobuf([
          [
            1,
            protobuf([
              [1, 1],
              [2, protobuf([[1, protobuf([[1, elements]])]])],
            ]),
          ],
        ]),
      ],
    ]);
  const stored = protobuf([
    [1, 'location'],
    [2, location],
  ]);
  const graph = protobuf([
    [
      1,
      protobuf([
        [1, 'x'],
        [1, 'w'],
        [2, 'y'],
        [4, 'Add'],
      ]),
    ],
    [2, 'adds'],
    [
      5,
      protobuf([
        [1, elements],
        [2, 1],
        [8, 'w'],
        [13, stored],
        [14, 1],
      ]),
    ],
    [11, value('x')],
    [12, value('y')],
  ]);
  return protobuf([
    [1, 10],
    [7, graph],
    [8, protobuf([[2, 21]])],
  ]);
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}
