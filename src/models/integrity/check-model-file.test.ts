import { linkSync, mkdirSync, symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelFolder } from '../../../test/support/model-folder.js';
import { externalTensor, onnxModel, protobuf } from '../../../test/support/onnx-bytes.js';
import { ServingError } from '../../core/index.js';
import { checkOnnxFile } from './index.js';

let folder: ModelFolder;

beforeEach(() => {
  folder = new ModelFolder();
  folder.write('m/1/weights.bin', new Uint8Array(100));
  folder.write('m/1/sub/more.bin', new Uint8Array(10));
  folder.write('outside.bin', new Uint8Array(100));
});

afterEach(() => folder.remove());

const check = (bytes: Uint8Array) => checkOnnxFile(folder.write('m/1/model.onnx', bytes), 'model file m/1/model.onnx');
const graph = (...fields: [number, number | string | Uint8Array][]) => protobuf(fields);
const tensor = (location: string) => externalTensor({ location });

describe('external data of ONNX files', () => {
  const good: [string, Record<string, string>][] = [
    ['a file beside the model', { location: 'weights.bin' }],
    ['a part of it', { location: 'weights.bin', offset: '40', length: '60' }],
    ['a file below', { location: 'sub/more.bin' }],
    ['a path with dots', { location: './sub/./more.bin', checksum: 'x' }],
  ];
  it.each(good)('takes %s, and names it', async (_case, entries) => {
    expect(await check(onnxModel([externalTensor(entries)]))).toEqual([entries.location]);
  });

  const bad: [string, Record<string, string>, RegExp][] = [
    ['an absolute path', { location: '/etc/passwd' }, /'\/etc\/passwd' is an absolute path/],
    ['a drive', { location: 'C:/x' }, /is an absolute path/],
    ['a way up', { location: '../../outside.bin' }, /leaves the model's folder/],
    ['a hidden way up', { location: 'sub/../../1/weights.bin' }, /leaves the model's folder/],
    ['a backslash', { location: '..\\x' }, /holds a backslash/],
    ['a NUL', { location: 'weights.bin\0' }, /holds a backslash or NUL/],
    ['nothing', { location: '' }, /has no file name/],
    ['a dot', { location: '.' }, /has no file name/],
    ['a folder', { location: 'sub' }, /is not a regular file/],
    ['a file as a folder', { location: 'weights.bin/x' }, /goes through 'weights.bin', which is no folder/],
    ['a file that is not there', { location: 'none.bin' }, /does not exist/],
    ["the runtime's mark for memory", { location: '*/_ORT_MEM_ADDR_/*' }, /does not exist/],
    ['a link', { location: 'link.bin' }, /is reached through a symbolic link/],
    ['a folder behind a link', { location: 'linked/more.bin' }, /is reached through a symbolic link/],
    ['a file with two names', { location: 'hard.bin' }, /has 2 names \(hard links\)/],
    [
      'more than the file has',
      { location: 'sub/more.bin', offset: '5', length: '6' },
      /up to byte 11 of 'sub\/more.bin' are needed, the file has 10 bytes/,
    ],
    ['an offset past the end', { location: 'sub/more.bin', offset: '11' }, /the file has 10 bytes/],
    ['a negative offset', { location: 'weights.bin', offset: '-1' }, /offset is '-1'/],
    ['an offset past 2^53', { location: 'weights.bin', offset: '99999999999999999999' }, /expected a number of bytes/],
    ['a length in words', { location: 'weights.bin', length: '1e3' }, /length is '1e3'/],
  ];
  it.each(bad)('refuses %s', async (_case, entries, message) => {
    symlinkSync(join(folder.path, 'outside.bin'), join(folder.path, 'm/1/link.bin'));
    symlinkSync(join(folder.path, 'm/1/sub'), join(folder.path, 'm/1/linked'));
    linkSync(join(folder.path, 'outside.bin'), join(folder.path, 'm/1/hard.bin'));
    const checked = check(onnxModel([externalTensor(entries)]));
    await expect(checked).rejects.toMatchObject({ reason: 'MODEL_INVALID' });
    await expect(checked).rejects.toThrow(message);
    await expect(checked).rejects.not.toThrow(folder.path);
  });

  const evil = tensor('/etc/passwd');
  const places: [string, Uint8Array][] = [
    ['a node attribute', protobuf([[7, graph([1, protobuf([[5, protobuf([[5, evil]])]])])]])],
    ['a list of tensors in an attribute', protobuf([[7, graph([1, protobuf([[5, protobuf([[10, evil]])]])])]])],
    ['a subgraph', protobuf([[7, graph([1, protobuf([[5, protobuf([[6, graph([5, evil])]])]])])]])],
    ['one of several subgraphs', protobuf([[7, graph([1, protobuf([[5, protobuf([[11, graph([5, evil])]])]])])]])],
    ['a sparse initializer', protobuf([[7, graph([15, protobuf([[1, evil]])])]])],
    ['the indices of one', protobuf([[7, graph([15, protobuf([[2, evil]])])]])],
    ['a sparse attribute', protobuf([[7, graph([1, protobuf([[5, protobuf([[22, protobuf([[1, evil]])]])]])])]])],
    ['a function', protobuf([[25, protobuf([[7, protobuf([[5, protobuf([[5, evil]])]])]])]])],
    ['an attribute default of a function', protobuf([[25, protobuf([[11, protobuf([[5, evil]])]])]])],
    ['a training graph', protobuf([[20, protobuf([[2, graph([5, evil])]])]])],
    [
      'a second graph',
      protobuf([
        [7, graph([2, 'g'])],
        [7, graph([5, evil])],
      ]),
    ],
  ];
  it.each(places)('finds a reference in %s', async (_case, bytes) => {
    await expect(check(bytes)).rejects.toThrow(/is an absolute path/);
  });

  it('does not trust that data_location is set, nor that a location is given once', async () => {
    const entry = (value: string) =>
      protobuf([
        [1, 'location'],
        [2, value],
      ]);
    await expect(check(onnxModel([protobuf([[13, entry('/etc/passwd')]])]))).rejects.toThrow(/absolute/);
    const twice = protobuf([
      [13, entry('/etc/passwd')],
      [13, entry('weights.bin')],
      [14, 1],
    ]);
    await expect(check(onnxModel([twice]))).rejects.toThrow(/absolute/);
  });

  it('finds a reference behind raw data larger than what it holds in memory', async () => {
    const big = protobuf([[9, new Uint8Array(700_000)]]);
    await check(onnxModel([big, tensor('weights.bin'), big]));
    await expect(check(onnxModel([big, tensor('../x'), big]))).rejects.toThrow(/leaves/);
  });

  it('walks a sparse file of almost 2 GiB without reading it, and refuses more', async () => {
    const length = 2 ** 31 - 100;
    const varint = (value: number) => {
      const bytes: number[] = [];
      for (let rest = value; ; rest = Math.floor(rest / 128)) {
        bytes.push(rest >= 128 ? (rest % 128) | 128 : rest);
        if (rest < 128) return bytes;
      }
    };
    const rest = [8 * 9 + 2, ...varint(length - 20)];
    const inner = [8 * 5 + 2, ...varint(length - 20 + rest.length), ...rest];
    const head = Uint8Array.from([8 * 7 + 2, ...varint(length - 20 + inner.length), ...inner]);
    const path = folder.write('m/1/model.onnx', head);
    truncateSync(path, head.length + length - 20);
    await checkOnnxFile(path, 'model');
    truncateSync(path, 2 ** 31);
    await expect(checkOnnxFile(path, 'model')).rejects.toThrow(/above 2 GiB/);
  });

  it('refuses what nests without end', async () => {
    let bytes: Uint8Array = graph([2, 'g']);
    for (let i = 0; i < 100; i++) bytes = graph([1, protobuf([[5, protobuf([[6, bytes]])]])]);
    await expect(check(protobuf([[7, bytes]]))).rejects.toThrow(/nested deeper/);
  });

  it('refuses or passes any bytes, and never does anything else', async () => {
    mkdirSync(join(folder.path, 'fuzz'), { recursive: true });
    const base = onnxModel([externalTensor({ location: 'weights.bin', offset: '1', length: '2' })]);
    const changed = fc
      .tuple(fc.nat(base.length - 1), fc.nat(255), fc.nat(base.length))
      .map(([at, value, end]) => Uint8Array.from(base, (byte, i) => (i === at ? value : byte)).subarray(0, end));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 64 }), changed), async (bytes) => {
        const ended = await check(bytes).catch((error) => error);
        if (!Array.isArray(ended)) expect(ended).toBeInstanceOf(ServingError);
      }),
      { numRuns: 500 },
    );
  });
});
