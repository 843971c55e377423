import { afterEach, describe, expect, it } from 'vitest';
import { batchOf, fixturePath, realClock, silentLog, specOf, tensorOf } from '../../../test/support/onnx-fixtures.js';
import type { BatchOutcome, OpenedModel } from '../../core/index.js';
import { CarrierChoice } from '../backend/onnx/carrier/choose-carrier.js';
import { InstanceCarriers } from '../backend/onnx/carrier/instance-carriers.js';
import { OnnxLane } from '../backend/onnx/lane.js';
import { loadOrtLibrary, type NativeFunction, type OrtLibrary } from '../backend/onnx/library.js';
import { NativeMemory } from '../backend/onnx/native-memory.js';
import { createSession, type OrtSession, releaseSession } from '../backend/onnx/session.js';
import { readSessionSettings } from '../backend/onnx/session-settings.js';
import { readSignature } from '../backend/onnx/signature.js';
import { Devices } from './devices.js';
import { createExecutor } from './lane-executor.js';

const library = loadOrtLibrary();
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A status of ONNX Runtime's own making whose text holds `text`: it quotes the name of a file that is not there. */
function nativeStatus(text: string): number {
  const { api, env, scratch } = library;
  api.CreateSessionOptions(scratch.address);
  const options = scratch.word(0);
  const status = api.CreateSession(env, text, options, new NativeMemory(8).address);
  api.ReleaseSessionOptions(options);
  return status;
}

/** The library, with runs that end in the next of `failures`, where there is one. */
function failing(failures: string[]): OrtLibrary {
  const run = library.api.Run;
  const async = (...values: unknown[]) => {
    const text = failures.shift();
    if (text === undefined) run.async(...values);
    else setImmediate(() => (values.at(-1) as (error: unknown, status: number) => void)(null, nativeStatus(text)));
  };
  const api = {
    ...library.api,
    Run: Object.assign((...values: number[]) => run(...values), { async }) as NativeFunction,
  };
  return { ...library, api };
}

/** The MLP on two sessions that stand for two GPUs; runs of the first fail as `failures` say. */
async function twoDevices(failures: string[]) {
  const sessions: OrtSession[] = [];
  for (const native of [failing(failures), library]) {
    sessions.push(
      await createSession({
        library: native,
        modelPath: fixturePath('mlp'),
        onGpu: true,
        settings: readSessionSettings({}, undefined),
        config: [],
        appendProviders: () => {},
      }),
    );
  }
  const signature = readSignature(library, (sessions[0] as OrtSession).address);
  const spec = specOf('mlp', signature, 4);
  const opened: OpenedModel = {
    signature,
    providers: {},
    fallback: undefined,
    lanesPerInstance: 2,
    createLane: async (_, instance) => {
      const session = sessions[instance] as OrtSession;
      const carriers = new InstanceCarriers({
        library: session.library,
        choice: new CarrierChoice('pool'),
        denormalsOff: false,
        clock: realClock,
        log: silentLog,
        id: { model: 'm', version: 1 },
      });
      return new OnnxLane({ session, spec, clock: realClock, runConfig: new Map(), carriers });
    },
    close: async () => {},
  };
  const devices = new Devices({ clock: realClock, log: silentLog });
  const instances = [0, 1].map((deviceId) => ({ device: 'cuda' as const, deviceId, count: 1 }));
  const executor = await createExecutor({
    opened,
    plan: { spec, instances, maxExecutionMs: 0 },
    clock: realClock,
    log: silentLog,
    devices,
  });
  closing.push(async () => {
    await executor.stop();
    devices.stop();
    await Promise.all(sessions.map(releaseSession));
  });
  return { executor, devices };
}

const x = tensorOf('x', 'FP32', [1, 64], new Float32Array(64).fill(0.5));

describe('a model on two GPUs, one of which fails in a native run', () => {
  it.each([
    ['lost', 'CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=n ; expr=Sync()', 'lost'],
    ['lost', 'CUDA error cudaErrorLaunchFailure:unspecified launch failure', 'lost'],
    ['serving', 'Non-zero status code returned while running Add node', undefined],
    ['serving', 'CUDA failure 2: out of memory ; GPU=0 ; hostname=n ; expr=cudaMalloc', 'memory'],
  ])('goes on with the other one (%s after %s)', async (state, text, deviceFault) => {
    const { executor, devices } = await twoDevices([text]);
    const run = () =>
      new Promise<BatchOutcome>((resolve) => executor.execute(batchOf([[x]]), (outcome) => resolve(outcome)));
    const first = await run();
    expect(first).toMatchObject({ kind: 'failed', error: { reason: 'BACKEND_FAILED' } });
    expect(first.kind === 'failed' && first.deviceFault).toBe(deviceFault);
    expect(devices.statuses().map((device) => device.state)).toEqual([state, 'serving']);
    for (let i = 0; i < 20; i++) expect((await run()).kind).toBe('done');
  });
});
