import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../config/index.js';
import type { ModelSignature, SignatureTensor } from '../../core/index.js';
import { completeTensors } from './complete-tensors.js';
import { batchingOfSequences, sequencePlanOf } from './sequence-plan.js';
import { shownSignature } from './sequence-tensors.js';

const root = mkdtempSync(join(tmpdir(), 'penstock-sequences-'));
mkdirSync(join(root, 'm/initial_state'), { recursive: true });
writeFileSync(join(root, 'm/initial_state/ones'), new Uint8Array(Float32Array.of(1, 1).buffer));
afterAll(() => rmSync(root, { recursive: true }));

const of = (name: string, dataType: SignatureTensor['dataType'], dims: readonly number[]): SignatureTensor => ({
  name,
  dataType,
  foreignType: undefined,
  dims,
  optional: false,
});
const SIGNATURE: ModelSignature = {
  inputs: [
    of('x', 'FP32', [-1, 3]),
    of('START', 'FP32', [-1, 1]),
    of('ID', 'UINT64', [-1, 1]),
    of('past', 'FP32', [-1, 2]),
  ],
  outputs: [of('y', 'FP32', [-1, 3]), of('next', 'FP32', [-1, -1])],
};
const CONTROLS = `control_input [
  { name: "START" control [ { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 0.5 ] } ] },
  { name: "ID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] }
]`;
const STATE = 'input_name: "past" output_name: "next" data_type: TYPE_FP32';

async function plan(text: string, rest = '') {
  const { config } = parseModelConfig(`${rest} sequence_batching { ${text} }`, 'pbtxt', 'm/config.pbtxt');
  const signature = shownSignature(config, SIGNATURE);
  const tensors = completeTensors(config, signature, 4);
  const place = { root, folder: join(root, 'm') } as Parameters<typeof sequencePlanOf>[4];
  const batching = config.sequence_batching ?? {};
  return { tensors, plan: await sequencePlanOf(config, batching, tensors, SIGNATURE, place) };
}

describe('the sequences of a model', () => {
  it('leave clients what they send and get, and fill in the defaults of Triton', async () => {
    const found = await plan(`${CONTROLS} state [ { ${STATE} dims: [ 2 ] } ]`);
    expect(found.tensors.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(found.tensors.outputs.map(({ name }) => name)).toEqual(['y']);
    expect(found.tensors.maxBatchSize).toBe(4);
    expect(found.plan).toMatchObject({
      strategy: 'direct',
      slotsPerInstance: 4,
      maxIdleUs: 1_000_000,
      maxStateBytes: 67108864,
    });
    const [start] = found.plan.controls;
    expect(start).toMatchObject({ kind: 'start', dataType: 'FP32' });
    expect(new Float32Array(start?.trueData.slice().buffer ?? new ArrayBuffer(0))).toEqual(Float32Array.of(0.5));
    expect(found.plan.states[0]?.initial).toEqual({
      name: 'past',
      dataType: 'FP32',
      shape: [1, 2],
      data: new Uint8Array(8),
    });
  });

  it('begin with what a file holds', async () => {
    const initial = 'initial_state { name: "i" data_type: TYPE_FP32 dims: [ 2 ] data_file: "ones" }';
    const found = await plan(`${CONTROLS} oldest { } state [ { ${STATE} dims: [ 2 ] ${initial} } ]`);
    expect(found.plan.states[0]?.initial.data).toEqual(new Uint8Array(Float32Array.of(1, 1).buffer));
  });

  it.each([
    [
      'a state of another type',
      `state [ { ${STATE.replace('FP32', 'INT32')} dims: [ 2 ] } ]`,
      "state input 'past': the config expects data type TYPE_INT32, the model has TYPE_FP32",
    ],
    ['a state of another shape', `state [ { ${STATE} dims: [ 3 ] } ]`, "input 'past'"],
    [
      'a control that the model has not',
      'control_input [ { name: "END" control [ { kind: CONTROL_SEQUENCE_END fp32_false_true: [ 0, 1 ] } ] } ]',
      "unexpected control input 'END', the model has: x, START, ID, past",
    ],
    [
      'a control of another type',
      CONTROLS.replace('fp32', 'int32').replace('0.5', '1'),
      "control input 'START': the config expects data type TYPE_INT32, the model has TYPE_FP32",
    ],
    [
      'a file of another size',
      `state [ { ${STATE} dims: [ -1 ] initial_state { name: "i" data_type: TYPE_FP32 dims: [ 4 ] data_file: "ones" } } ]`,
      'has 8 bytes, expected 16',
    ],
    [
      'a state that is too large to begin with',
      `state [ { ${STATE} dims: [ 99999999 ] } ]`,
      'has 399999996 bytes, at most 67108864 are kept (max_sequence_state_bytes)',
    ],
  ])('refuse %s', async (_, text, message) => {
    await expect(plan(text)).rejects.toThrow(message);
  });

  it('are gathered as dynamic batching is, direct ones from the share of slots on that is worth no more waiting', () => {
    expect(batchingOfSequences({ oldest: { preferred_batch_size: [2], preserve_ordering: true } }, 4)).toMatchObject({
      preferred_batch_size: [2],
      preserve_ordering: true,
    });
    expect(batchingOfSequences({ direct: { max_queue_delay_microseconds: 9 } }, 4)).toEqual({});
    expect(
      batchingOfSequences({ direct: { max_queue_delay_microseconds: 9, minimum_slot_utilization: 0.5 } }, 4),
    ).toEqual({
      preferred_batch_size: [2, 3, 4],
      max_queue_delay_microseconds: 9,
    });
  });
});
