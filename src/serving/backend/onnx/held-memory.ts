import type { MemoryUse } from '../../../core/index.js';
import type { OrtSession } from './session.js';
import { check } from './status.js';

/** `OrtDeviceAllocator`; `OrtMemTypeDefault`, and of pinned memory `OrtMemTypeCPUOutput`. */
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;
const PINNED_MEMORY = -1;

/** A session, and the GPU it runs on; undefined: it runs on the CPU. */
export interface HeldSession {
  readonly session: OrtSession;
  readonly gpu: number | undefined;
}

/**
 * What ONNX Runtime's arenas of some sessions have taken, weights included, and what is mapped of a compiled model's file. Not
 * in it: memory past the arenas (prepacked weights, workspaces of cuDNN and cuBLAS, the context of a GPU). A kind whose arena keeps no
 * figures, as with the arena switched off, is left out.
 */
export function heldMemory(sessions: readonly HeldSession[]): MemoryUse[] {
  const held = new Map<string, { -readonly [K in keyof MemoryUse]: MemoryUse[K] }>();
  const add = (type: MemoryUse['type'], id: number, bytes: number | undefined) => {
    if (bytes === undefined) return;
    const key = `${type}:${id}`;
    const before = held.get(key);
    if (before === undefined) held.set(key, { type, id, bytes });
    else before.bytes += bytes;
  };
  // A file is mapped once however many sessions are on it.
  let mappedBytes = 0;
  for (const { session, gpu } of sessions) {
    mappedBytes = Math.max(mappedBytes, session.mappedBytes);
    add('CPU', 0, arenaBytes(session, 'Cpu', 0, DEFAULT_MEMORY));
    if (gpu === undefined) continue;
    add('CPU_PINNED', 0, arenaBytes(session, 'CudaPinned', gpu, PINNED_MEMORY));
    add('GPU', gpu, arenaBytes(session, 'Cuda', gpu, DEFAULT_MEMORY));
  }
  if (mappedBytes > 0) add('CPU', 0, mappedBytes);
  return [...held.values()];
}

/** Undefined: the session has no such arena, or the library does not tell. */
function arenaBytes(session: OrtSession, name: string, deviceId: number, memory: number): number | undefined {
  const { library } = session;
  const { api, scratch } = library;
  if (!library.has('AllocatorGetStats')) return undefined;
  check(api, api.CreateMemoryInfo(name, DEVICE_ALLOCATOR, deviceId, memory, scratch.address));
  const info = scratch.word(0);
  const refused = api.CreateAllocator(session.address, info, scratch.address);
  api.ReleaseMemoryInfo(info);
  if (refused !== 0) {
    api.ReleaseStatus(refused);
    return undefined;
  }
  const allocator = scratch.word(0);
  try {
    check(api, api.AllocatorGetStats(allocator, scratch.address));
    const figures = scratch.word(0);
    const text = api.GetKeyValue(figures, 'TotalAllocated') as unknown as string | null;
    api.ReleaseKeyValuePairs(figures);
    return text === null ? undefined : Number(text);
  } finally {
    api.ReleaseAllocator(allocator);
  }
}
