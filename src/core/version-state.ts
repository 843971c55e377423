import type { MoveTable } from './state-machine.js';

/** Life of a model version (architecture: state machines). Published ready only after it can serve. */
export type VersionState =
  | 'declared'
  | 'fetching'
  | 'loading'
  | 'warming'
  | 'ready'
  | 'impaired'
  | 'draining'
  | 'unloading'
  | 'unloaded'
  | 'failed';

export const VERSION_MOVES = {
  declared: ['fetching', 'loading', 'failed', 'unloaded'],
  fetching: ['loading', 'failed'],
  loading: ['warming', 'failed'],
  warming: ['ready', 'failed'],
  ready: ['impaired', 'draining', 'failed'],
  impaired: ['ready', 'draining', 'failed'],
  draining: ['unloading', 'failed'],
  unloading: ['unloaded', 'failed'],
  unloaded: ['declared'],
  failed: ['declared', 'unloaded'],
} as const satisfies MoveTable<VersionState>;

/** Readiness as the protocols speak of it (Triton `model_lifecycle.cc`; the names of RepositoryIndex). */
export type ProtocolState = 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE';

export const PROTOCOL_STATES = {
  declared: 'LOADING',
  fetching: 'LOADING',
  loading: 'LOADING',
  warming: 'LOADING',
  ready: 'READY',
  impaired: 'UNAVAILABLE',
  draining: 'UNLOADING',
  unloading: 'UNLOADING',
  unloaded: 'UNAVAILABLE',
  failed: 'UNAVAILABLE',
} as const satisfies Record<VersionState, ProtocolState>;
