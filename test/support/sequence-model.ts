import {
  type Batch,
  bytesElements,
  type Clock,
  type SequenceControl,
  type SequencePlan,
  type ServingError,
  serialiseBytes,
  type Tensor,
} from '../../src/core/index.js';
import { FakeExecutor } from './fake-executor.js';
import { modelSpec, policy, tensorSpec } from './specs.js';

const text = (value: string) => serialiseBytes([Buffer.from(value)]);
const read = (tensor: Tensor) => bytesElements(tensor.data).map((one) => Buffer.from(one).toString());

/** An input `x` of one text, as requests of the model below have it. */
export function textInput(value: string): Tensor {
  return { name: 'x', dataType: 'BYTES', shape: [1, 1], data: text(value) };
}

/** The one text of an output. */
export function textOf(tensor: Tensor | undefined): string {
  return tensor === undefined ? '' : (read(tensor)[0] as string);
}

export const textSpec = modelSpec({
  inputs: [tensorSpec('x', 'BYTES', [1])],
  outputs: [tensorSpec('y', 'BYTES', [1])],
});

export function textSpecOf(maxBatchSize: number): typeof textSpec {
  return { ...textSpec, maxBatchSize, batching: policy({ maxBatchSize }) };
}

const flag = (name: string, kind: SequenceControl['kind']): SequenceControl => ({
  name,
  kind,
  dataType: 'BOOL',
  falseData: Uint8Array.of(0),
  trueData: Uint8Array.of(1),
});

/** All four controls, and where `kept` a state of one text that clients do not see. */
export function textPlan(changes: Partial<SequencePlan>, kept: boolean): SequencePlan {
  return {
    strategy: 'oldest',
    slotsPerInstance: 4,
    maxIdleUs: 1000,
    controls: [
      flag('START', 'start'),
      flag('END', 'end'),
      flag('READY', 'ready'),
      { name: 'CORRID', kind: 'corrid', dataType: 'UINT64', falseData: new Uint8Array(), trueData: new Uint8Array() },
    ],
    states: kept
      ? [
          {
            inputName: 'past',
            outputName: 'next',
            dataType: 'BYTES',
            dims: [1],
            initial: { name: 'past', dataType: 'BYTES', shape: [1, 1], data: text('') },
          },
        ]
      : [],
    maxStateBytes: 1 << 20,
    ...changes,
  };
}

/** A row of an execution, as the model sees it. */
export interface SeenRow {
  readonly x: string;
  readonly start: boolean;
  readonly end: boolean;
  readonly ready: boolean;
  readonly id: number;
}

export interface TextModelOptions {
  readonly clock: Clock;
  readonly serviceNs?: (batch: Batch) => number;
  /** State is the server's; else the model's own, by id or by row. */
  readonly kept: boolean;
  readonly byRow: boolean;
  readonly fails?: (rows: readonly SeenRow[]) => ServingError | undefined;
  readonly saw?: (rows: readonly SeenRow[]) => void;
}

/** One instance of a model that answers with all the texts of the sequence so far: `a`, `a b`, `a b c`. */
export function textInstance(options: TextModelOptions): FakeExecutor {
  const { clock, serviceNs, kept, byRow, fails, saw } = options;
  const own = new Map<number, string>();
  return new FakeExecutor({
    clock,
    cancelNs: 1,
    ...(serviceNs === undefined ? {} : { serviceNs }),
    compute: (batch) => {
      const rows = batch.members.map(({ inputs }): SeenRow => {
        const at = (name: string) => inputs.find((input) => input?.name === name) as Tensor;
        const id = new DataView(at('CORRID').data.slice().buffer).getBigUint64(0, true);
        return {
          x: read(at('x'))[0] as string,
          start: at('START').data[0] === 1,
          end: at('END').data[0] === 1,
          ready: at('READY').data[0] === 1,
          id: Number(id),
        };
      });
      saw?.(rows);
      const error = fails?.(rows);
      if (error !== undefined) {
        if (error.reason === 'EXECUTOR_LOST') own.clear();
        return error;
      }
      const told = rows.map(({ x, start, end, ready, id }, row) => {
        if (!ready) return '';
        const key = byRow ? row : id;
        const past = batch.members[row]?.inputs.find((input) => input?.name === 'past');
        const before = kept ? textOf(past) : start ? '' : (own.get(key) ?? 'NEVER BEGAN');
        const all = before === '' ? x : `${before} ${x}`;
        if (!kept && end && !byRow) own.delete(key);
        else if (!kept) own.set(key, all);
        return all;
      });
      const data = () => serialiseBytes(told.map((one) => Buffer.from(one)));
      const shape = [rows.length, 1];
      return [
        { name: 'y', dataType: 'BYTES', shape, data: data() },
        ...(kept ? [{ name: 'next', dataType: 'BYTES' as const, shape, data: data() }] : []),
      ];
    },
  });
}
