import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { MemoryFiles } from '../../test/support/memory-files.js';
import { SilentLog } from '../../test/support/silent-log.js';
import { fp32, modelSpec, tensorSpec } from '../../test/support/specs.js';
import type { ProbeTarget, Tensor } from '../core/index.js';
import { writeNpy } from '../elements/index.js';
import { type GatePolicy, Gates } from './index.js';

const OPEN: GatePolicy = {
  requireGolden: false,
  requireModelCard: false,
  modelCardFields: ['license'],
  requireSignature: false,
  keys: [],
};
const ID = { model: 'm', version: 2 };

/** Answers its input, less `off`; takes so long. */
function target(version: number, options: { off?: number; latencyMs?: number; computeMs?: number } = {}): ProbeTarget {
  const { off = 0, latencyMs = 2, computeMs = 1 } = options;
  return {
    spec: modelSpec({ id: { model: 'm', version }, outputs: [tensorSpec('y', 'FP32', [2])] }),
    probe: async ([input]) => {
      const { data, shape } = input as Tensor;
      const values = new Float32Array(new Uint8Array(data).buffer).map((value) => value - off);
      return { outputs: [fp32('y', [...shape], [...values])], latencyNs: latencyMs * 1e6, computeNs: computeMs * 1e6 };
    },
  };
}

function gatesOf(policy: Partial<GatePolicy> = {}) {
  return new Gates({ policy: { ...OPEN, ...policy }, clock: new FakeClock(), log: new SilentLog() });
}

const input = (...data: number[]) => ({ name: 'x', datatype: 'FP32', shape: [1, 2], data });
const output = (...data: number[]) => ({ name: 'y', datatype: 'FP32', shape: [1, 2], data });
const caseOf = (values: number[], expected: number[], more: object = {}) =>
  JSON.stringify({ inputs: [input(...values)], expected: [output(...expected)], ...more });

const invalid = (why: string) =>
  expect.objectContaining({ reason: 'MODEL_INVALID', message: expect.stringContaining(why) });

describe('a golden set', () => {
  it('lets a version serve whose answers are right, within the tolerance', async () => {
    const files = new MemoryFiles({
      'golden/one.json': caseOf([1, 2], [1.00001, 2]),
      'golden/README.md': 'where these come from',
    });
    const gates = gatesOf();
    await gates.beforeServing(files, target(2), undefined);
    expect(gates.report(ID)).toMatchObject({ passed: true, golden: { candidate: { cases: 1, right: 1 } } });
  });

  it('keeps a version out whose answers are wrong, and names the case', async () => {
    const files = new MemoryFiles({
      'golden/bad.json': caseOf([1, 2], [1, 2.5]),
      'golden/good.json': caseOf([1, 2], [1, 2]),
    });
    await expect(gatesOf().beforeServing(files, target(2), undefined)).rejects.toThrow(
      invalid(
        '1 of 2 cases (50 %) of the golden set are right, 100 % are asked for; first wrong: bad.json: its outputs differ',
      ),
    );
  });

  it('may ask for less than all', async () => {
    const files = new MemoryFiles({
      'golden/bad.json': caseOf([1, 2], [9, 9]),
      'golden/good.json': caseOf([1, 2], [1, 2]),
      'gates.yaml': 'golden: { limits: { minRight: 0.5 } }',
    });
    await gatesOf().beforeServing(files, target(2), undefined);
  });

  it.each([
    [
      'a request in JSON with its own tolerance',
      { 'golden/a.json': caseOf([1, 2], [1.5, 2], { tolerance: { absolute: 0.5 } }) },
    ],
    ['a label by index', { 'golden/a.json': JSON.stringify({ inputs: [input(1, 2)], label: 1 }) }],
    [
      'the answer that a gateway gave',
      { 'golden/a.json': JSON.stringify({ inputs: [input(1, 2)], expected: { outputs: [output(1, 2)] } }) },
    ],
    ['a binary request', { 'golden/a.v2': binaryCase([1, 2], [1, 2]) }],
    [
      'NumPy files',
      {
        'golden/a/x.npy': writeNpy(fp32('x', [1, 2], [1, 2])),
        'golden/a/expected/y.npy': writeNpy(fp32('y', [1, 2], [1, 2])),
      },
    ],
    ['NumPy files and a label', { 'golden/a/x.npy': writeNpy(fp32('x', [1, 2], [1, 2])), 'golden/a/label.txt': '1\n' }],
  ])('has cases that are %s', async (_, contents) => {
    const gates = gatesOf();
    await gates.beforeServing(new MemoryFiles(contents), target(2), undefined);
    expect(gates.report(ID)?.golden?.candidate).toMatchObject({ cases: 1, right: 1 });
    await expect(gates.beforeServing(new MemoryFiles(contents), target(2, { off: -1e9 }), undefined)).rejects.toThrow();
  });

  it.each([
    ['{', 'golden/a.json: not JSON'],
    ['[]', 'a JSON object is expected'],
    [JSON.stringify({ inputs: [input(1, 2)] }), '"expected" outputs or a "label"'],
    [JSON.stringify({ inputs: [input(1)], label: 1 }), 'golden/a.json: input "x": shape'],
    [
      JSON.stringify({ inputs: [{ ...input(1), datatype: 'INT64', shape: [1], data: [2 ** 60] }], label: 1 }),
      'need the binary form',
    ],
    [caseOf([1, 2], [1, 2], { tolerance: { absolute: -1 } }), '"tolerance"'],
  ])('is refused with the file at fault: %s', async (text, why) => {
    const files = new MemoryFiles({ 'golden/a.json': text });
    await expect(gatesOf().beforeServing(files, target(2), undefined)).rejects.toThrow(invalid(why));
  });

  it('is refused with files that are no cases', async () => {
    const files = new MemoryFiles({ 'golden/a.txt': '' });
    await expect(gatesOf().beforeServing(files, target(2), undefined)).rejects.toThrow(
      invalid('golden/a.txt: a case is'),
    );
  });

  it('counts a case that the version fails as a wrong one', async () => {
    const files = new MemoryFiles({ 'golden/a.json': caseOf([1, 2], [1, 2]) });
    const failing: ProbeTarget = { ...target(2), probe: async () => Promise.reject(new Error('no')) };
    await expect(gatesOf().beforeServing(files, failing, undefined)).rejects.toThrow(invalid('0 of 1 cases'));
  });

  it('may be asked for by the operator', async () => {
    const gates = gatesOf({ requireGolden: true });
    await expect(gates.beforeServing(new MemoryFiles({}), target(2), undefined)).rejects.toThrow(
      invalid('no golden set'),
    );
    await gatesOf().beforeServing(new MemoryFiles({}), target(2), undefined);
  });

  it('may be of one version', async () => {
    const files = new MemoryFiles({
      'gates.yaml': 'golden: { folder: VERSION/golden }',
      '2/golden/a.json': caseOf([1, 2], [1, 2]),
      '3/golden/a.json': caseOf([1, 2], [9, 9]),
    });
    await gatesOf().beforeServing(files, target(2), undefined);
    await expect(gatesOf().beforeServing(files, target(3), undefined)).rejects.toThrow(invalid('0 of 1'));
  });
});

describe('limits', () => {
  const files = (limits: string) =>
    new MemoryFiles({
      'golden/a.json': caseOf([1, 2], [1, 2]),
      'golden/b.json': caseOf([3, 4], [3, 4]),
      'gates.yaml': `golden: { limits: { minRight: 0, ${limits} } }`,
    });

  it.each([
    ['maxLatencyMs: 1.5', 'its slowest case took 2 ms, at most 1.5 ms'],
    ['maxDeviceMs: 0.5', 'the model takes 1 ms for a case, at most 0.5 ms'],
    ['maxLatencyRatio: 1.5', 'a case takes 2 ms, 1 ms with version 1, which serves; at most 1.5 times'],
    ['maxDeviceRatio: 1.5', 'the model takes 1 ms for a case, 0.5 ms with version 1'],
  ])('of %s keep out what is slower', async (limits, why) => {
    const serving = target(1, { latencyMs: 1, computeMs: 0.5 });
    await expect(gatesOf().beforeServing(files(limits), target(2), serving)).rejects.toThrow(invalid(why));
    await gatesOf().beforeServing(files(limits), serving, target(2));
  });

  it('beside the version that serves count only where one serves', async () => {
    await gatesOf().beforeServing(files('maxLatencyRatio: 0.1'), target(2), undefined);
  });

  it('keep out what is right less often than the version that serves', async () => {
    const worse = files('maxRightLoss: 0.1');
    await expect(gatesOf().beforeServing(worse, target(2, { off: 1 }), target(1))).rejects.toThrow(
      invalid('0 of 2 cases (0 %) of the golden set are right, 2 of 2 cases (100 %) with version 1'),
    );
    await gatesOf().beforeServing(worse, target(2, { off: 1 }), target(1, { off: 1 }));
  });

  it('are refused with the line at fault', async () => {
    const wrong = new MemoryFiles({
      'golden/a.json': caseOf([1, 2], [1, 2]),
      'gates.yaml': 'golden:\n  limits:\n    minright: 1\n',
    });
    await expect(gatesOf().beforeServing(wrong, target(2), undefined)).rejects.toThrow(
      invalid("m/gates.yaml:3: golden.limits.minright: unknown field 'minright', did you mean 'minRight'?"),
    );
  });

  it('of a plan stand for those of the file', async () => {
    const report = await gatesOf().compare(files('maxLatencyMs: 100'), target(2), target(1), {
      minRight: 1,
      maxLatencyMs: 1,
    });
    expect(report).toMatchObject({ passed: false, faults: ['its slowest case took 2 ms, at most 1 ms are allowed'] });
  });
});

describe('a model card', () => {
  const asking = { requireModelCard: true };
  it.each([
    ['in front of Markdown', { 'MODEL_CARD.md': '---\nlicense: mit\n---\n# Model\n' }],
    ['as YAML', { 'model-card.yaml': 'license: mit' }],
    ['of the version', { '2/model-card.yaml': 'license: mit', 'model-card.yaml': 'license:' }],
  ])('is read %s', async (_, contents) => {
    const gates = gatesOf(asking);
    await gates.beforeOpening(ID, new MemoryFiles(contents));
    expect(gates.report(ID)?.card).toBe('complete');
  });

  it.each([
    [{}, 'it has no model card'],
    [{ 'MODEL_CARD.md': '# Model\n' }, 'between two lines of ---'],
    [{ 'model-card.yaml': 'license: ""' }, 'its model card model-card.yaml lacks license'],
    [{ 'model-card.yaml': 'a: [' }, 'model card model-card.yaml: line 1'],
  ])('that is not there or not complete keeps a version out where it is asked for: %j', async (contents, why) => {
    await expect(gatesOf(asking).beforeOpening(ID, new MemoryFiles(contents))).rejects.toThrow(invalid(why));
    await gatesOf().beforeOpening(ID, new MemoryFiles(contents));
  });
});

/** Length of the JSON, the JSON, the input's bytes, the expected output's. */
function binaryCase(values: number[], expected: number[]): Uint8Array {
  const binary = (tensor: object) => ({ ...tensor, data: undefined, parameters: { binary_data_size: 8 } });
  const json = Buffer.from(JSON.stringify({ inputs: [binary(input())], expected: [binary(output())] }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.byteLength);
  return Buffer.concat([length, json, fp32('x', [1, 2], values).data, fp32('y', [1, 2], expected).data]);
}
