import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compiled } from '../../../test/support/compiled.js';
import { realClock, silentLog } from '../../../test/support/onnx-fixtures.js';
import {
  type Backend,
  type BindingPolicy,
  type Lane,
  type ProviderShares,
  ServingError,
  type Tensor,
} from '../../core/index.js';
import { providerFault } from './agreement.js';
import { examine } from './examine.js';
import { TIMED_ROWS } from './speed.js';

// Lanes that are bound run in worker threads.
const { onnxNativeBackend } =
  await compiled<typeof import('../../serving/backend/index.js')>('serving/backend/index.js');

const MLP = {
  name: 'mlp',
  path: fileURLToPath(new URL('../../../native-bench/models/mlp/1/model.onnx', import.meta.url)),
  inputName: 'x',
};
const QUICK = { budgetMs: 1, leastRuns: 1, warmUpRuns: 0 };

/** A GPU played by the CPU: it says what a GPU says of itself, and spoils the answers as `spoil` does. */
function playedGpu(
  play: { providers?: ProviderShares; spoil?: (values: Float32Array, rows: number) => void; refuse?: string } = {},
): Backend {
  const real = onnxNativeBackend({ log: silentLog, clock: realClock });
  return {
    ...real,
    async open(request) {
      if (request.instances[0]?.device === 'cpu') return real.open(request);
      expect(request.provider).toMatchObject({ onGpuError: 'fail', strict: true });
      if (play.refuse !== undefined) throw new ServingError('UNSUPPORTED', play.refuse);
      const opened = await real.open({
        ...request,
        instances: [{ device: 'cpu', deviceId: 0, count: 1 }],
        // What a CPU has no graphs for runs without.
        provider: { ...request.provider, options: {}, ...cpuBinding(request.provider.binding) },
      });
      return {
        signature: opened.signature,
        providers: play.providers ?? { CUDAExecutionProvider: 1 },
        fallback: undefined,
        lanesPerInstance: opened.lanesPerInstance,
        createLane: async (spec, instance) => spoiled(await opened.createLane(spec, instance), play.spoil),
        close: () => opened.close(),
      };
    },
  };
}

function cpuBinding(binding: BindingPolicy | undefined): { binding?: BindingPolicy } {
  return binding === undefined ? {} : { binding: { ...binding, cudaGraphBatchSizes: undefined } };
}

function spoiled(lane: Lane, spoil: ((values: Float32Array, rows: number) => void) | undefined): Lane {
  if (spoil === undefined) return lane;
  const change = (output: Tensor): Tensor => {
    const data = new Uint8Array(output.data);
    spoil(new Float32Array(data.buffer), output.shape[0] as number);
    return { ...output, data };
  };
  return {
    run: (batch, settle) =>
      lane.run(batch, (outcome) =>
        settle(outcome.kind === 'done' ? { ...outcome, outputs: outcome.outputs.map(change) } : outcome),
      ),
    cancel: () => lane.cancel(),
    broken: false,
    close: () => lane.close(),
  };
}

const examined = (backend: Backend) => examine(MLP, backend, { deviceId: 0, cpuThreads: 1 }, QUICK);

describe('examining a model', () => {
  it('finds nothing where the GPU answers as the CPU does, and times both', async () => {
    const { model, problems } = await examined(playedGpu());
    expect(problems).toEqual([]);
    expect(model.agreements.map(({ worst, comparisons }) => [worst, comparisons])).toEqual([
      [0, 32],
      [0, 32],
    ]);
    expect(model.modes.map(({ name, agreement }) => [name, agreement.worst])).toEqual([
      ['io_binding, pages not locked', 0],
      ['io_binding', 0],
      ['cuda graphs', 0],
    ]);
    for (const speeds of [model.cpu, model.cuda, ...model.modes.map((mode) => mode.speeds)]) {
      expect(speeds.map((speed) => speed.rows)).toEqual(TIMED_ROWS);
      for (const speed of speeds) {
        expect(speed.p50Us).toBeGreaterThan(0);
        expect(speed.p99Us).toBeGreaterThanOrEqual(speed.p50Us);
        expect(speed.rowsPerSecond).toBeGreaterThan(0);
      }
    }
  });

  it.each([
    [
      'one wrong element of the largest batch only',
      (values: Float32Array, rows: number) => {
        if (rows === 64) values[639]! += 0.05;
      },
      5,
    ],
    [
      'an error that TF32 may have and FP32 may not',
      (values: Float32Array) => {
        for (let i = 0; i < values.length; i++) values[i]! *= 1.003;
      },
      8,
    ],
    ['answers that are not numbers', (values: Float32Array) => void values.fill(Number.NaN), 40],
    ['answers of zero', (values: Float32Array) => void values.fill(0), 40],
  ])('tells %s', async (_, spoil, count) => {
    const { problems } = await examined(playedGpu({ spoil }));
    expect(problems).toHaveLength(count);
    expect(problems[0]).toMatch(/^mlp, FP32, CUDA against CPU: \d+ rows: output 'y': element/);
  });

  it('tells an answer to another request', async () => {
    let last: Float32Array | undefined;
    const { problems } = await examined(
      playedGpu({
        spoil: (values) => {
          const own = values.slice();
          if (last?.length === values.length) values.set(last);
          last = own;
        },
      }),
    );
    expect(problems.length).toBeGreaterThan(0);
  });

  it('tells nodes that do not run on CUDA, however right the answers', async () => {
    const { problems } = await examined(
      playedGpu({ providers: { CUDAExecutionProvider: 0.75, CPUExecutionProvider: 0.25 } }),
    );
    expect(problems).toEqual([
      'mlp: nodes do not all run on CUDA: CUDAExecutionProvider 75 %, CPUExecutionProvider 25 %',
      'mlp: nodes do not all run on CUDA: CUDAExecutionProvider 75 %, CPUExecutionProvider 25 %',
    ]);
    expect(providerFault({})).toMatch(/no provider is known/);
    expect(providerFault({ CPUExecutionProvider: 1 })).toMatch(/CPUExecutionProvider 100 %/);
    expect(providerFault({ CUDAExecutionProvider: 1 })).toBeUndefined();
  });

  it('tells that CUDA refused, once, and times nothing', async () => {
    const { model, problems } = await examined(playedGpu({ refuse: 'libcublas.so.13: cannot open' }));
    expect(problems).toEqual(['mlp, FP32, on CUDA: libcublas.so.13: cannot open']);
    expect(model.providers).toBeUndefined();
    expect([model.cuda, model.cpu]).toEqual([[], []]);
  });
});
