import type { EjectionState, Log, ModelVersionId } from '../core/index.js';

/** Writes what becomes of versions that fail: each thread says what it has seen itself. */
export function ejectionLog(log: Log): (id: ModelVersionId, state: EjectionState, why: string) => void {
  return ({ model, version }, state, why) => {
    const fields = { model, version, why };
    if (state === 'ejected') log.warn('version ejected from its splits', fields);
    else log.info(state === 'probing' ? 'ejected version is tried' : 'version is in its splits again', fields);
  };
}
