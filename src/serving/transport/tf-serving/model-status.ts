import { ServingError } from '../../../core/index.js';
import type { IndexRow } from '../../controlplane/index.js';
import { type Awaitable, type ControlPort, mapped } from '../ports.js';

/** States of versions as TensorFlow Serving names them (`get_model_status.proto`), with their numbers. */
export const VERSION_STATES = { UNKNOWN: 0, START: 10, LOADING: 20, AVAILABLE: 30, UNLOADING: 40, END: 50 } as const;

/** One version, in the field names of `ModelVersionStatus`. */
export interface ModelVersionStatus {
  /** Text, as JSON has 64-bit integers of protobuf. */
  readonly version: string;
  readonly state: keyof typeof VERSION_STATES;
  readonly status: { readonly error_code: 'OK' | 'UNKNOWN'; readonly error_message: string };
}

const STATES: Readonly<Record<IndexRow['state'], ModelVersionStatus['state']>> = {
  READY: 'AVAILABLE',
  LOADING: 'LOADING',
  UNLOADING: 'UNLOADING',
  UNAVAILABLE: 'END',
};

/**
 * How the versions of a model stand, the newest first, or the one that is named. Throws, or rejects with, MODEL_NOT_FOUND and
 * VERSION_NOT_FOUND for what no repository has.
 */
export function modelStatus(
  control: ControlPort,
  model: string,
  version: number | undefined,
): Awaitable<readonly ModelVersionStatus[]> {
  return mapped(control.repositoryIndex({ ready: false }), (index) => {
    const rows = index.filter(({ name }) => name === model);
    if (rows.length === 0) throw new ServingError('MODEL_NOT_FOUND', `could not find any versions of model '${model}'`);
    const asked = rows.filter((row) => version === undefined || row.version === String(version));
    if (asked.length === 0 && version !== undefined)
      throw new ServingError('VERSION_NOT_FOUND', `could not find version ${version} of model '${model}'`);
    return asked
      .filter((row) => row.version !== undefined)
      .sort((a, b) => Number(b.version) - Number(a.version))
      .map(statusOf);
  });
}

function statusOf({ version = '', state, reason = '' }: IndexRow): ModelVersionStatus {
  const failed = state === 'UNAVAILABLE' && reason !== '' && reason !== 'unloaded';
  return {
    version,
    state: STATES[state] ?? 'UNKNOWN',
    status: { error_code: failed ? 'UNKNOWN' : 'OK', error_message: failed ? reason : '' },
  };
}
