import { describe, expect, it } from 'vitest';
import { FakeFeedback } from '../../../test/support/fake-feedback.js';
import { FakeLogControl } from '../../../test/support/fake-log-control.js';
import { FakeModels } from '../../../test/support/fake-models.js';
import { FakeTraceControl } from '../../../test/support/fake-trace-control.js';
import { adminAuthority } from '../../../test/support/kept-audit.js';
import { modelSpec, tensorSpec } from '../../../test/support/specs.js';
import {
  type SchedulerReport,
  ServingError,
  toServingError,
  tritonError,
  type VersionLatency,
  type VersionStatistics,
} from '../../core/index.js';
import { type Caller, ControlPlane } from './index.js';

const SCHEDULER: SchedulerReport = {
  policy: 'deadlines',
  sloMs: 20,
  waiting: 3,
  running: 1,
  slots: 2,
  freeSlots: 1,
  idleBecause: 'waits for its turn',
  arrivalsPerSecond: 1234.56789,
  paddingShare: 0.125,
  curve: { rows: [1, 4], meanMs: [1, 2], upperMs: [1.5, 2.5], payingRows: 4 },
  tenants: [{ name: 'a', weight: 2, share: 0.66667, waiting: 3, started: 5, refused: 1, deviceMs: 1.23456 }],
  criticality: [{ level: 'default', started: 5, refused: 1 }],
  recent: [
    { agoMs: 0.5, kind: 'wait', why: 'its turn', rows: 3, waiting: 3, freeSlots: 1, waitMs: 1.25 },
    { agoMs: 2, kind: 'run', why: 'full', rows: 4, waiting: 4, freeSlots: 2, waitMs: undefined },
  ],
};

const LATENCY: VersionLatency = {
  count: 4,
  sumSeconds: 0.01,
  longestSeconds: 0.004,
  quantileSeconds: (quantile) => quantile / 100,
  sketch: () => ({
    mapping: { gamma: 1.02, indexOffset: 0, interpolation: 'NONE' },
    positiveValues: { contiguousBinCounts: [4], contiguousBinIndexOffset: -300 },
    zeroCount: 0,
  }),
  sketchBase64: () => 'CQ==',
};

const LOCAL: Caller = { loopback: true, token: undefined, from: '' };

function setUp(options: { strictReadiness?: boolean; serving?: boolean; figures?: VersionStatistics } = {}) {
  const models = new FakeModels([
    modelSpec({ id: { model: 'm', version: 1 } }),
    modelSpec({ id: { model: 'm', version: 3 }, outputs: [tensorSpec('text', 'BYTES', [-1])] }),
    modelSpec({ id: { model: 'flat', version: 1 }, maxBatchSize: 0 }),
  ]);
  const control = new ControlPlane({
    models,
    routes: models,
    statistics: { statistics: (id) => (id.model === 'm' && id.version === 3 ? options.figures : undefined) },
    schedulers: { scheduler: (_, version) => (version === 3 ? SCHEDULER : undefined) },
    latencies: { latency: ({ model, version }) => (model === 'm' && version === 3 ? LATENCY : undefined) },
    slos: { statuses: () => [], sinceMs: 5 },
    feedback: new FakeFeedback(),
    process: { live: () => true, ready: () => options.serving ?? true },
    strictReadiness: options.strictReadiness ?? false,
    serverName: 'penstock',
    version: '1.2.3',
    authority: adminAuthority('right'),
    logging: new FakeLogControl(),
    tracing: new FakeTraceControl(),
    memory: { register: () => {}, unregister: () => {}, list: () => [] },
    sharedMemory: false,
  });
  return { models, control };
}

const reason = (expected: string) => expect.objectContaining({ reason: expected });

describe('metadata', () => {
  it('names the server and only the extensions that are served', () => {
    expect(setUp().control.serverMetadata()).toEqual({
      name: 'penstock',
      version: '1.2.3',
      extensions: [
        'binary_tensor_data',
        'classification',
        'logging',
        'model_repository',
        'model_configuration',
        'parameters',
        'schedule_policy',
        'sequence',
        'sequence(string_id)',
        'statistics',
        'trace',
      ],
    });
  });

  it('gives the highest version where none is named, with the batch axis as -1 and versions as text', () => {
    expect(setUp().control.modelMetadata('m', undefined)).toEqual({
      name: 'm',
      versions: ['1', '3'],
      platform: 'test',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'text', datatype: 'BYTES', shape: [-1, -1] }],
    });
  });

  it('shows no batch axis for a model that does not batch', () => {
    expect(setUp().control.modelMetadata('flat', 1).inputs).toEqual([{ name: 'x', datatype: 'FP32', shape: [2] }]);
  });

  it('says which of model and version is unknown', () => {
    const { control } = setUp();
    expect(() => control.modelMetadata('other', undefined)).toThrowError(reason('MODEL_NOT_FOUND'));
    expect(() => control.modelMetadata('m', 2)).toThrowError(reason('VERSION_NOT_FOUND'));
  });
});

describe('names', () => {
  const calls: [string, (control: ControlPlane, name: string) => unknown][] = [
    ['modelMetadata', (control, name) => control.modelMetadata(name, undefined)],
    ['modelReady', (control, name) => control.modelReady(name, undefined)],
    ['modelConfig', (control, name) => control.modelConfig(name, undefined)],
    ['modelStatistics', (control, name) => control.modelStatistics(name, undefined)],
    ['modelScheduler', (control, name) => control.modelScheduler(name, undefined)],
    ['modelStatus', (control, name) => control.modelStatus(name, undefined)],
    ['repositoryLoad', (control, name) => control.repositoryLoad(name, {}, LOCAL)],
    ['repositoryUnload', (control, name) => control.repositoryUnload(name, {}, LOCAL)],
  ];
  it.each(calls)('are checked by %s before a port sees them', async (_, call) => {
    const { control, models } = setUp();
    for (const name of ['', '..', '../m', 'a/b', 'a\\b', 'm\0']) {
      await expect(async () => call(control, name)).rejects.toThrowError(reason('MALFORMED_REQUEST'));
    }
    expect(models.calls).toEqual({ load: [], unload: [] });
  });
});

describe('readiness', () => {
  it.each([
    [true, false, true, true],
    [true, false, false, true],
    [true, true, true, true],
    [true, true, false, false],
    [false, false, true, false],
    [false, true, true, false],
  ])('serving %s, strict %s, all models ready %s: ready %s', (serving, strictReadiness, all, ready) => {
    const { control, models } = setUp({ serving, strictReadiness });
    models.everyReady = all;
    expect(control.ready()).toEqual({ ready });
    expect(control.live()).toEqual({ live: true });
  });

  it('of a model is told with its name', () => {
    expect(setUp().control.modelReady('m', 3)).toEqual({ name: 'm', ready: true });
    expect(() => setUp().control.modelReady('m', 4)).toThrowError(reason('VERSION_NOT_FOUND'));
  });
});

describe('statistics', () => {
  const of = (count: number, ns: number) => ({ count, ns });
  const figures: VersionStatistics = {
    id: { model: 'm', version: 3 },
    lastInferenceMs: 1_700_000_000_000,
    inferenceCount: 12,
    executionCount: 5,
    success: of(6, 600.4),
    fail: of(1, 7),
    queue: of(6, 60),
    computeInput: of(6, 6),
    computeInfer: of(6, 66),
    computeOutput: of(6, 5),
    cacheHit: of(0, 0),
    cacheMiss: of(0, 0),
    responses: [
      {
        computeInfer: of(4, 1),
        computeOutput: of(4, 2),
        success: of(4, 3),
        fail: of(4, 4),
        emptyResponse: of(4, 5),
        cancel: of(4, 6),
      },
    ],
    batches: [{ rows: 2, computeInput: of(3, 1), computeInfer: of(3, 2), computeOutput: of(3, 3) }],
  };

  it("have Triton's shape, with whole nanoseconds", () => {
    const { control, models } = setUp({ figures });
    models.memories[3] = [{ type: 'GPU', id: 1, bytes: 4096 }];
    expect(control.modelStatistics('m', 3)).toEqual({
      model_stats: [
        {
          name: 'm',
          version: '3',
          last_inference: 1_700_000_000_000,
          inference_count: 12,
          execution_count: 5,
          inference_stats: {
            success: of(6, 600),
            fail: of(1, 7),
            queue: of(6, 60),
            compute_input: of(6, 6),
            compute_infer: of(6, 66),
            compute_output: of(6, 5),
            cache_hit: of(0, 0),
            cache_miss: of(0, 0),
          },
          response_stats: {
            0: {
              compute_infer: of(4, 1),
              compute_output: of(4, 2),
              success: of(4, 3),
              fail: of(4, 4),
              empty_response: of(4, 5),
              cancel: of(4, 6),
            },
          },
          batch_stats: [{ batch_size: 2, compute_input: of(3, 1), compute_infer: of(3, 2), compute_output: of(3, 3) }],
          memory_usage: [{ type: 'GPU', id: 1, byte_size: 4096 }],
        },
      ],
    });
  });

  it('cover all ready versions of a model, or of all models', () => {
    const { control } = setUp();
    const rows = (model?: string) =>
      control.modelStatistics(model, undefined).model_stats.map((s) => `${s.name}/${s.version}`);
    expect(rows('m')).toEqual(['m/1', 'm/3']);
    expect(rows()).toEqual(['m/1', 'm/3', 'flat/1']);
  });

  it('are zeros for a version that never served', () => {
    const [row] = setUp().control.modelStatistics('m', 1).model_stats;
    expect(row).toMatchObject({
      inference_count: 0,
      last_inference: 0,
      inference_stats: { success: of(0, 0) },
      batch_stats: [],
    });
  });

  it('refuse an unknown model, an unknown version, and a version without a model', () => {
    const { control } = setUp();
    expect(() => control.modelStatistics('other', undefined)).toThrowError(reason('MODEL_NOT_FOUND'));
    expect(() => control.modelStatistics('m', 2)).toThrowError(reason('VERSION_NOT_FOUND'));
    expect(() => control.modelStatistics(undefined, 2)).toThrowError(reason('MALFORMED_REQUEST'));
  });
});

describe('repository index', () => {
  it('leaves out what cannot be told, and keeps only ready rows on request', () => {
    const { control, models } = setUp();
    models.notReady = [
      { name: 'broken', version: undefined, state: 'UNAVAILABLE', reason: 'config.pbtxt:3: unknown field' },
    ];
    const broken = { name: 'broken', state: 'UNAVAILABLE', reason: 'config.pbtxt:3: unknown field' };
    expect(control.repositoryIndex({ ready: false })).toContainEqual(broken);
    expect(control.repositoryIndex({ ready: true })).toEqual([
      { name: 'm', version: '1', state: 'READY' },
      { name: 'm', version: '3', state: 'READY' },
      { name: 'flat', version: '1', state: 'READY' },
    ]);
  });
});

describe('status', () => {
  it('tells how long the requests of versions took, with their sketch where it is asked for', () => {
    const { control } = setUp();
    const times = { count: 4, mean_ms: 2.5, max_ms: 4, p50_ms: 5, p90_ms: 9, p99_ms: 9.9, p99_9_ms: 9.99 };
    expect(control.modelLatency('m', undefined)).toEqual({
      name: 'm',
      versions: [
        { version: '1', count: 0 },
        { version: '3', ...times },
      ],
    });
    expect(control.modelLatency('m', 3, 'protobuf').versions).toEqual([{ version: '3', ...times, sketch: 'CQ==' }]);
    expect(control.modelLatency('m', 3, 'json').versions).toEqual([
      { version: '3', ...times, sketch: LATENCY.sketch() },
    ]);
    expect(() => control.modelLatency('m', 3, 'jsn')).toThrow(reason('MALFORMED_REQUEST'));
    expect(() => control.modelLatency('m', 2)).toThrow(reason('VERSION_NOT_FOUND'));
  });

  it('shows what the scheduler of the version that a request would meet does, and why', () => {
    expect(setUp().control.modelScheduler('m', undefined)).toEqual({
      name: 'm',
      version: '3',
      policy: 'deadlines',
      slo_ms: 20,
      waiting: 3,
      running: 1,
      slots: 2,
      free_slots: 1,
      idle_because: 'waits for its turn',
      arrivals_per_second: 1234.568,
      padding_share: 0.125,
      curve: { rows: [1, 4], mean_ms: [1, 2], upper_ms: [1.5, 2.5], paying_rows: 4 },
      tenants: [{ name: 'a', weight: 2, share: 0.667, waiting: 3, started: 5, refused: 1, device_ms: 1.235 }],
      criticality: [{ level: 'default', started: 5, refused: 1 }],
      recent: [
        { ago_ms: 0.5, kind: 'wait', why: 'its turn', rows: 3, waiting: 3, free_slots: 1, wait_ms: 1.25 },
        { ago_ms: 2, kind: 'run', why: 'full', rows: 4, waiting: 4, free_slots: 2 },
      ],
    });
    expect(() => setUp().control.modelScheduler('m', 1)).toThrow(reason('VERSION_NOT_READY'));
  });

  it('tells what runs a version', () => {
    expect(setUp().control.modelStatus('m', 3)).toEqual({
      name: 'm',
      version: '3',
      state: 'ready',
      reason: '',
      engine: 'native',
      providers: { CPUExecutionProvider: 1 },
      instances: 1,
      lanes: { idle: 2 },
      carriers: [{ device: 'cpu:0', carrier: 'sync', why: 'its config says so', run_us: 4.5 }],
    });
  });
});

describe('load and unload', () => {
  it('hand config and decoded files to the repository', async () => {
    const { control, models } = setUp();
    await control.repositoryLoad(
      'm',
      { config: '{}', 'file:2/model.onnx': 'AQID', 'file:3/labels.txt': Uint8Array.of(9) },
      LOCAL,
    );
    await control.repositoryUnload('m', { unload_dependents: true }, LOCAL);
    const [[name, parameters]] = models.calls.load as [[string, { config: string; files: Map<string, Uint8Array> }]];
    expect([name, parameters.config]).toEqual(['m', '{}']);
    expect([...parameters.files].map(([path, bytes]) => [path, [...bytes]])).toEqual([
      ['2/model.onnx', [1, 2, 3]],
      ['3/labels.txt', [9]],
    ]);
    expect(models.calls.unload).toEqual([['m', true]]);
  });

  it.each([
    ['a file without config', { 'file:1/model.onnx': '' }],
    ['a config that is not text', { config: { name: 'm' } }],
    ['an unknown parameter', { confg: '{}' }],
    ['a version policy that is not text', { version_policy: { all: {} } }],
    ['a version policy beside a config', { version_policy: '{}', config: '{}' }],
    ['a version policy beside a version', { version_policy: '{}', version: 1 }],
    ['a traversing file name', { config: '{}', 'file:1/../../x': '' }],
    ['a traversing version', { config: '{}', 'file:../1/x': '' }],
    ['a version with a zero in front', { config: '{}', 'file:01/x': '' }],
    ['an absolute file name', { config: '{}', 'file:1//etc/passwd': '' }],
    ['a nested file name', { config: '{}', 'file:1/a/b': '' }],
    ['a backslash', { config: '{}', 'file:1/a\\b': '' }],
    ['a NUL', { config: '{}', 'file:1/a\0b': '' }],
    ['a hidden file', { config: '{}', 'file:1/.x': '' }],
    ['no file name', { config: '{}', 'file:1/': '' }],
    ['no version', { config: '{}', 'file:model.onnx': '' }],
    ['broken base64', { config: '{}', 'file:1/x': 'AQI*' }],
    ['short base64', { config: '{}', 'file:1/x': 'AQI' }],
    ['a file that is not text', { config: '{}', 'file:1/x': 3 }],
  ])('refuse %s', async (_, parameters) => {
    const { control, models } = setUp();
    await expect(control.repositoryLoad('m', parameters, LOCAL)).rejects.toThrowError(reason('MALFORMED_REQUEST'));
    expect(models.calls.load).toEqual([]);
  });

  it.each([[{ unload_dependents: 'yes' }], [{ dependents: true }]])(
    'refuse the unload parameters %j',
    async (parameters) => {
      await expect(setUp().control.repositoryUnload('m', parameters, LOCAL)).rejects.toThrowError(
        reason('MALFORMED_REQUEST'),
      );
    },
  );

  it.each([
    ['this machine, no token', { loopback: true, token: undefined, from: '' }, undefined],
    ['this machine, right token', { loopback: true, token: 'right', from: '' }, undefined],
    ['this machine, wrong token', { loopback: true, token: 'wrong', from: '' }, 'FORBIDDEN'],
    ['elsewhere, no token', { loopback: false, token: undefined, from: '' }, 'UNAUTHENTICATED'],
    ['elsewhere, right token', { loopback: false, token: 'right', from: '' }, undefined],
    ['elsewhere, wrong token', { loopback: false, token: 'wrong', from: '' }, 'FORBIDDEN'],
    ['elsewhere, empty token', { loopback: false, token: '', from: '' }, 'FORBIDDEN'],
  ] as [string, Caller, string | undefined][])('from %s: %s', async (_, caller, refused) => {
    const { control, models } = setUp();
    for (const call of [control.repositoryLoad('m', {}, caller), control.repositoryUnload('m', {}, caller)]) {
      if (refused === undefined) await expect(call).resolves.toBeUndefined();
      else await expect(call).rejects.toThrowError(reason(refused));
    }
    expect(models.calls.load.length + models.calls.unload.length).toBe(refused === undefined ? 2 : 0);
  });

  it('tell an unauthorised caller nothing about names or parameters', async () => {
    const elsewhere: Caller = { loopback: false, token: undefined, from: '' };
    await expect(setUp().control.repositoryLoad('../x', { bad: 1 }, elsewhere)).rejects.toThrowError(
      reason('UNAUTHENTICATED'),
    );
  });

  it.each([
    [{ config: '{}', 'file:A/x': 'AQID' }, /^failed to load 'm', /],
    [{ config: '{}', 'file:AAA': 'AQID' }, "failed to load 'm', failed to poll from model repository"],
    [{ config: '{}', 'file:1/..': 'AQID' }, "failed to load 'm', failed to poll from model repository"],
  ])("say of %j in Triton's words that the load failed", async (parameters, said) => {
    const found = await setUp().control.repositoryLoad('m', parameters, LOCAL).catch(toServingError);
    const shown = tritonError(found as ServingError, {});
    expect(shown.message).toMatch(said);
    if (typeof said === 'string') expect(shown.facts).toMatchObject({ http: 500, grpc: 'INTERNAL' });
  });

  it('pass on why the repository refused', async () => {
    const { control, models } = setUp();
    models.failure = new ServingError('MODEL_INVALID', 'no such operator');
    await expect(control.repositoryLoad('m', {}, LOCAL)).rejects.toThrowError(reason('MODEL_INVALID'));
  });
});
