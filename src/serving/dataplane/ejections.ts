import {
  type Clock,
  type EjectionSettings,
  type EjectionState,
  type InferenceReply,
  type InferenceResponse,
  isVersionsFault,
  type ModelVersionId,
  type RouteMark,
  type ServingError,
} from '../../core/index.js';
import type { ServedVersion } from './served-version.js';
import { VersionHealth } from './version-health.js';

export interface EjectionParts {
  readonly clock: Clock;
  /** Versions of a model that serve, as the table in force has them. */
  readonly versions: (model: string) => readonly ServedVersion[];
  /** Which versions of a model are out has changed. */
  readonly changed: (model: string, ejected: ReadonlySet<number>) => void;
  readonly told: (id: ModelVersionId, state: EjectionState, why: string) => void;
}

/** Which versions are ejected, on this thread: each has seen the outcomes of its own requests only. */
export class Ejections {
  readonly #parts: EjectionParts;
  readonly #health = new WeakMap<ServedVersion, VersionHealth>();

  constructor(parts: EjectionParts) {
    this.#parts = parts;
  }

  /** Of these, the numbers of those that are out. */
  among(versions: readonly ServedVersion[]): ReadonlySet<number> {
    const out = versions.filter((version) => this.#health.get(version)?.out === true);
    return new Set(out.map(({ spec }) => spec.id.version));
  }

  /** Whether a request that would have gone to an ejected version is to try it; `watched` must be its reply then. */
  mayProbe(served: ServedVersion): boolean {
    return this.#health.get(served)?.mayProbe() ?? false;
  }

  /** A reply that notes the outcome before it passes it on. */
  watched(served: ServedVersion, settings: EjectionSettings, isProbe: boolean, reply: InferenceReply): InferenceReply {
    return {
      ...(reply.part && { part: (...part) => reply.part?.(...part) }),
      done: (response: InferenceResponse) => {
        reply.done(response);
        this.note(served, settings, 'answered', isProbe);
      },
      failed: (error: ServingError, mark?: RouteMark) => {
        if (isVersionsFault(error.reason)) this.note(served, settings, 'failed', isProbe);
        else if (isProbe) this.#health.get(served)?.unknown();
        reply.failed(error, mark);
      },
    };
  }

  note(served: ServedVersion, settings: EjectionSettings, outcome: 'answered' | 'failed', isProbe: boolean): void {
    let health = this.#health.get(served);
    if (health === undefined) {
      health = new VersionHealth(this.#parts.clock, (state, why) => this.#moved(served, state, why));
      this.#health.set(served, health);
    }
    health.note(settings, outcome, isProbe, this.#hasOthers(served));
  }

  #hasOthers(served: ServedVersion): boolean {
    const versions = this.#parts.versions(served.spec.id.model);
    return versions.some((other) => other !== served && this.#health.get(other)?.out !== true);
  }

  #moved(served: ServedVersion, state: EjectionState, why: string): void {
    const { id } = served.spec;
    this.#parts.told(id, state, why);
    if (state === 'ejected') served.metrics.routed('ejection');
    const versions = this.#parts.versions(id.model);
    if (state !== 'probing' && versions.includes(served)) this.#parts.changed(id.model, this.among(versions));
  }
}
