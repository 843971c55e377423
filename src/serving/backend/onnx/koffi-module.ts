import { createRequire } from 'node:module';
import { ServingError } from '../../../core/index.js';

type Koffi = typeof import('koffi').default;

let koffi: Koffi | undefined;

/** Native calls in flight at once from one JavaScript thread; past 32 each call costs three times as much. */
export const MAX_CALLS_IN_FLIGHT = 32;

/** A stack of native code; only what is used of it takes memory. */
const NATIVE_STACK_BYTES = 8 * 1024 * 1024;

/**
 * koffi, loaded and configured at its first use: a machine that cannot load it can still serve with `engine: node`.
 * Throws `UNSUPPORTED` there.
 */
export function koffiModule(): Koffi {
  if (koffi !== undefined) return koffi;
  let loaded: Koffi;
  try {
    loaded = createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new ServingError('UNSUPPORTED', 'the native engine needs koffi, which does not load on this machine', {
      cause,
    });
  }
  // Before the first call, or it has no effect. Native code runs on koffi's stacks: 128 KiB, the default, is too small
  // for a session's creation. `max_async_calls` lies above what the call gate ever starts.
  loaded.config({
    sync_stack_size: NATIVE_STACK_BYTES,
    async_stack_size: NATIVE_STACK_BYTES,
    resident_async_pools: MAX_CALLS_IN_FLIGHT,
    max_async_calls: MAX_CALLS_IN_FLIGHT * 4,
  });
  koffi = loaded;
  return loaded;
}
