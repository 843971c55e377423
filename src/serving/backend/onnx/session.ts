import { access } from 'node:fs/promises';
import path from 'node:path';
import { type Lane, ServingError } from '../../../core/index.js';
import { callOffLoop } from './call-gate.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory } from './native-memory.js';
import type { SessionSettings } from './session-settings.js';
import { check, OrtFailure, publicText, takeFailure } from './status.js';

/** One model in memory on one device, shared by all its lanes. */
export interface OrtSession {
  readonly library: OrtLibrary;
  readonly address: Address;
  /** True where its failures may be a GPU's. */
  readonly onGpu: boolean;
  /** Folders of this machine that no caller shall read in a message. */
  readonly folders: readonly string[];
  /** Of weights that lie in a mapped file: pages of the system, shared by all sessions on the file. */
  readonly mappedBytes: number;
  /** Lanes that are open. */
  readonly lanes: Set<Lane>;
  /** Native runs in flight; a session is released at 0 only. */
  runs: number;
}

export interface SessionRequest {
  readonly library: OrtLibrary;
  readonly modelPath: string;
  readonly onGpu: boolean;
  readonly settings: SessionSettings;
  /** Entries over those of the settings. */
  readonly config: readonly (readonly [string, string])[];
  /** Adds execution providers to the options; ONNX Runtime adds the CPU's by itself, last. */
  readonly appendProviders: (sessionOptions: Address) => void;
  /** Bytes of weights that the model maps; default none. */
  readonly mappedBytes?: number;
  /** Where the optimised model is written to while the session is created; absent = nowhere. */
  readonly saveTo?: string;
}

/**
 * Creates a session on a libuv thread: the event loop stays free while the model is read, optimised and copied to its
 * device. Throws `MODEL_INVALID` with ONNX Runtime's reason, and what `appendProviders` throws.
 */
export async function createSession(request: SessionRequest): Promise<OrtSession> {
  const { library, modelPath, onGpu } = request;
  const { api, scratch } = library;
  const folders = [path.dirname(modelPath), path.dirname(library.path)];
  await access(modelPath).catch((cause) => {
    throw new ServingError('MODEL_INVALID', `model file ${path.basename(modelPath)} cannot be read`, { cause });
  });
  check(api, api.CreateSessionOptions(scratch.address));
  const options = scratch.word(0);
  const out = new NativeMemory(8);
  try {
    applySettings(library, options, request.settings);
    for (const [key, value] of request.config) check(api, api.AddSessionConfigEntry(options, key, value));
    if (request.saveTo !== undefined) check(api, api.SetOptimizedModelFilePath(options, request.saveTo));
    request.appendProviders(options);
    const values = [library.env, modelPath, options, out.address];
    const status = await callOffLoop(api.CreateSession, values, out);
    if (status !== 0) throw takeFailure(api, status);
  } catch (thrown) {
    if (!(thrown instanceof OrtFailure)) throw thrown;
    throw new ServingError('MODEL_INVALID', `ONNX Runtime refuses the model: ${publicText(thrown.message, folders)}`, {
      cause: thrown,
    });
  } finally {
    api.ReleaseSessionOptions(options);
  }
  const { mappedBytes = 0 } = request;
  return { library, address: out.word(0), onGpu, folders, mappedBytes, lanes: new Set(), runs: 0 };
}

/** Releases a session after its lanes, off the event loop. Waits for runs in flight. */
export async function releaseSession(session: OrtSession): Promise<void> {
  await Promise.all([...session.lanes].map((lane) => lane.close()));
  // A lane that is closed has no run; releasing under one would be a segmentation fault.
  if (session.runs !== 0) throw new Error(`${session.runs} runs in flight on a session to be released`);
  await callOffLoop(session.library.api.ReleaseSession, [session.address], session);
}

/** True where a session of these settings works on the threads that all sessions share. */
export function sharesThreads(library: OrtLibrary, settings: SessionSettings): boolean {
  return library.globalThreads > 0 && !settings.ownThreads;
}

function applySettings(library: OrtLibrary, options: Address, settings: SessionSettings): void {
  const { api } = library;
  check(api, api.SetSessionGraphOptimizationLevel(options, settings.graphOptimization));
  check(api, api.SetSessionExecutionMode(options, settings.executionMode));
  if (sharesThreads(library, settings)) {
    check(api, api.DisablePerSessionThreads(options));
  } else {
    check(api, api.SetIntraOpNumThreads(options, settings.intraOpThreads));
    check(api, api.SetInterOpNumThreads(options, settings.interOpThreads));
  }
  if (settings.memArena === true) check(api, api.EnableCpuMemArena(options));
  if (settings.memArena === false) check(api, api.DisableCpuMemArena(options));
  if (settings.memPattern === true) check(api, api.EnableMemPattern(options));
  if (settings.memPattern === false) check(api, api.DisableMemPattern(options));
  for (const [key, value] of settings.sessionConfig) check(api, api.AddSessionConfigEntry(options, key, value));
}
