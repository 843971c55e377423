import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import { openRequest, realClock, specOf } from '../../../../test/support/onnx-fixtures.js';
import { SilentLog } from '../../../../test/support/silent-log.js';
import {
  type Batch,
  type BatchOutcome,
  bytesElements,
  type Lane,
  type OpenedModel,
  type PartSink,
  serialiseBytes,
  type Tensor,
} from '../../../core/index.js';

const { threadBackend } = await compiled<typeof import('../index.js')>('serving/executor/index.js');

const log = new SilentLog();
const models: OpenedModel[] = [];
const lanes: Lane[] = [];

afterEach(async () => {
  await Promise.all(lanes.splice(0).map((lane) => lane.close()));
  await Promise.all(models.splice(0).map((model) => model.close()));
  log.lines.length = 0;
});

const path = fileURLToPath(new URL('../../../../test/fixtures/scripts/responses.mjs', import.meta.url));

/** The fixture, opened for so many requests at once, and what makes lanes of it. */
async function open(requestsPerInstance = 1, maxExecutionMs = 10_000) {
  const over = { backend: 'script', engine: 'node', modelPath: path, maxExecutionMs } as const;
  const request = openRequest('script', { ...over, decoupled: { requestsPerInstance } });
  const opened = await threadBackend('script', { clock: realClock, log }).open(request);
  models.push(opened);
  const spec = { ...specOf('script', opened.signature, 0), decoupled: true } as const;
  return async (instance = 0) => {
    const lane = await opened.createLane(spec, instance);
    lanes.push(lane);
    return lane;
  };
}

function batchOf(mode: string, count: number | undefined, parts: PartSink): Batch {
  const text = new TextEncoder().encode(mode);
  const inputs: (Tensor | undefined)[] = [
    { name: 'mode', dataType: 'BYTES', shape: [1], data: serialiseBytes([text]) },
    count === undefined
      ? undefined
      : { name: 'count', dataType: 'INT32', shape: [1], data: new Uint8Array(Int32Array.of(count).buffer) },
  ];
  return { version: { model: 'script', version: 1 }, members: [{ inputs, rows: 1, parts }], rows: 1 };
}

const numberIn = ([y]: readonly Tensor[]) => new Int32Array((y as Tensor).data.slice().buffer)[0];

/** Runs a request whose reader takes every response at once, or as `take` says. */
function run(lane: Lane, mode: string, count?: number, take = (taken: () => void) => taken()) {
  const values: (number | undefined)[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const parts: PartSink = {
    part: (outputs, taken) => {
      values.push(numberIn(outputs));
      for (const waiter of waiting) if (values.length >= waiter.count) waiter.resolve();
      take(taken);
    },
  };
  const ended = new Promise<BatchOutcome & { last?: number | undefined }>((resolve) => {
    lane.run(batchOf(mode, count, parts), (outcome) => {
      const last = outcome.kind === 'done' && outcome.outputs.length > 0 ? numberIn(outcome.outputs) : undefined;
      resolve({ ...outcome, last });
    });
  });
  const when = (least: number) =>
    new Promise<void>((resolve) => {
      if (values.length >= least) resolve();
      else waiting.push({ count: least, resolve });
    });
  return { values, ended, when };
}

const messageOf = (outcome: BatchOutcome) =>
  outcome.kind === 'failed' ? `${outcome.error.reason}: ${outcome.error.message}` : 'done';
const printed = () => log.lines.map(({ fields }) => String(fields.text)).filter((text) => text.startsWith('gave'));

describe('a decoupled script', () => {
  it('gives the responses of its generator in order, then its end', async () => {
    const lane = await (await open())();
    for (const [mode, count, last] of [
      ['ok', 5, undefined],
      ['sync', 4, undefined],
      ['ok', 0, undefined],
      ['last', 2, 2],
      ['slow', 3, undefined],
    ] as const) {
      const { values, ended } = run(lane, mode, count);
      expect(await ended).toMatchObject({ kind: 'done', last });
      expect(values).toEqual(Array.from({ length: count }, (_, i) => i));
    }
  });

  it.each(['plain', 'promise', 'nothing'])('may give its answer without a generator: %s', async (mode) => {
    const { values, ended } = run(await (await open())(), mode, 7);
    expect(await ended).toMatchObject({ kind: 'done', last: mode === 'nothing' ? undefined : 7 });
    expect(values).toEqual([]);
  });

  it('gives all outputs of each response, strings too', async () => {
    const lane = await (await open())();
    const texts: string[][] = [];
    const parts: PartSink = {
      part: ([, text], taken) => {
        texts.push([...bytesElements((text as Tensor).data)].map((bytes) => Buffer.from(bytes).toString()));
        taken();
      },
    };
    await new Promise<void>((resolve) => lane.run(batchOf('ok', 2, parts), () => resolve()));
    expect(texts).toEqual([
      ['number 0', 'é'],
      ['number 1', 'é'],
    ]);
  });

  it('waits for a slow reader: its generator is never further ahead than the bound', async () => {
    const lane = await (await open())();
    const untaken: (() => void)[] = [];
    const { values, ended, when } = run(lane, 'ok', 100, (taken) => untaken.push(taken));
    await when(16);
    // Time in which it would give more.
    await run(await (await open())(), 'slow', 5).ended;
    expect(values.length).toBe(16);
    for (let taken = 1; taken <= 84; taken++) {
      untaken.shift()?.();
      await when(16 + taken);
      expect(values.length).toBe(16 + taken);
    }
    for (const taken of untaken) taken();
    expect(await ended).toMatchObject({ kind: 'done' });
    expect(values).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('waits earlier where its responses are large', async () => {
    const untaken: (() => void)[] = [];
    const { values, ended, when } = run(await (await open())(), 'large', 10, (taken) => untaken.push(taken));
    await when(4);
    await run(await (await open())(), 'slow', 5).ended;
    expect(values.length).toBe(4);
    for (let taken = 0; taken < 10; taken++) {
      await when(taken + 1);
      untaken[taken]?.();
    }
    expect(await ended).toMatchObject({ kind: 'done' });
  });

  it('is ended where it stands when it is cancelled, its `finally` run', async () => {
    const lane = await (await open())();
    const { values, ended, when } = run(lane, 'slow', 100_000);
    await when(3);
    lane.cancel();
    expect(messageOf(await ended)).toMatch(/^CLIENT_CANCELLED/);
    const seen = values.length;
    await run(lane, 'ok', 1).ended;
    expect(values.length).toBe(seen);
    // What a worker prints comes by a way of its own.
    await vi.waitFor(() => expect(printed()[0]).toMatch(/^gave \d+ of 100000, aborted true$/));
    expect(seen).toBeLessThan(1000);
  });

  it('is ended while it waits for its reader, and where it never waits itself', async () => {
    const lane = await (await open())();
    const stopped = run(lane, 'ok', 1_000_000, () => {});
    await stopped.when(16);
    lane.cancel();
    expect(messageOf(await stopped.ended)).toMatch(/^CLIENT_CANCELLED/);
    const busy = run(lane, 'ok', 1_000_000);
    await busy.when(100);
    lane.cancel();
    expect(messageOf(await busy.ended)).toMatch(/^CLIENT_CANCELLED/);
    expect(busy.values.length).toBeLessThan(1_000_000);
  });

  it('that is cancelled before its worker knows of it gives nothing more', async () => {
    const lane = await (await open())();
    const { ended } = run(lane, 'slow', 100_000);
    lane.cancel();
    expect(messageOf(await ended)).toMatch(/^CLIENT_CANCELLED/);
  });

  it('answers several requests at once in one worker, where it is told so', async () => {
    const laneOf = await open(3);
    const runs = [];
    for (const instance of [0, 1, 2]) runs.push(run(await laneOf(instance), 'slow', 100_000));
    await Promise.all(runs.map(({ when }) => when(2)));
    expect(printed()).toEqual([]);
    for (const lane of lanes) lane.cancel();
    for (const { ended } of runs) expect(messageOf(await ended)).toMatch(/^CLIENT_CANCELLED/);
  });

  it.each([
    ['throw', 'BACKEND_FAILED: the script failed: it broke after its last response, see <path>'],
    [
      'wrong',
      "BACKEND_FAILED: the script's answer is wrong: output 'y' of type INT32: expected a Int32Array, got Float32Array",
    ],
  ])('that fails after some responses gave those: %s', async (mode, message) => {
    const lane = await (await open())();
    const { values, ended } = run(lane, mode, 3);
    expect(messageOf(await ended)).toBe(message);
    expect(values).toEqual([0, 1, 2]);
    expect(await run(lane, 'ok', 1).ended).toMatchObject({ kind: 'done' });
  });

  it('whose worker ends loses its request, after the responses that it gave', async () => {
    const { values, ended } = run(await (await open())(), 'exit', 3);
    expect(messageOf(await ended)).toMatch(/^EXECUTOR_LOST/);
    expect(values).toEqual([0, 1, 2]);
  });

  it('that gives nothing for longer than its limit is ended; a long answer is not', async () => {
    const lane = await (await open(1, 300))();
    expect(await run(lane, 'deaf', 3).ended).toMatchObject({ kind: 'done' });
    const { values, ended } = run(lane, 'hang', 3);
    expect(messageOf(await ended)).toMatch(/EXECUTOR_LOST: .* did not end within 300 ms/);
    expect(values).toEqual([0, 1, 2]);
  });

  it('does not lose its worker while a reader makes it wait', async () => {
    const lane = await (await open(1, 200))();
    const untaken: (() => void)[] = [];
    const { ended, when } = run(lane, 'ok', 20, (taken) => untaken.push(taken));
    await when(16);
    await run(await (await open())(), 'deaf', 2).ended;
    for (let taken = 0; taken < 20; taken++) {
      await when(taken + 1);
      untaken[taken]?.();
    }
    expect(await ended).toMatchObject({ kind: 'done' });
  });
});
