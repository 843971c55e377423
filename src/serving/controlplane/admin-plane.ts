import {
  type AuditEntry,
  type AuditTrail,
  type CaptureControl,
  type CaptureStatus,
  checkModelName,
  ServingError,
  type TokenFacts,
} from '../../core/index.js';
import type { Authority, Caller, ControlCall } from './authority.js';

export interface AdminPlaneOptions {
  readonly authority: Authority;
  readonly audit: AuditTrail;
  readonly tokens: () => readonly (TokenFacts & { readonly created?: string | undefined })[];
  readonly capture: CaptureControl;
  readonly serverName: string;
  readonly version: string;
}

/** One line of the audit as it is shown. */
export interface AuditRow extends Omit<AuditEntry, 'atMs'> {
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
}

/**
 * The calls of the admin API, once for whoever carries them. Who carries them asks `check` with each call, before it reads
 * anything else of it; what changes something goes through `Authority.change`, which asks again and keeps the audit.
 */
export class AdminPlane {
  readonly #options: AdminPlaneOptions;

  constructor(options: AdminPlaneOptions) {
    this.#options = options;
  }

  get server(): { readonly name: string; readonly version: string } {
    return { name: this.#options.serverName, version: this.#options.version };
  }

  /** Throws UNAUTHENTICATED or FORBIDDEN, as `Authority.check`. */
  check(call: ControlCall, caller: Caller, target: string): void {
    this.#options.authority.check(call, caller, target);
  }

  /** The newest first. `next`: what to give as `before` for those that came earlier; undefined = there are none. */
  audit(
    before: number | undefined,
    most: number,
  ): { readonly entries: readonly AuditRow[]; readonly next: number | undefined } {
    const found = this.#options.audit.entries(before, most);
    const last = found.at(-1);
    return {
      entries: found.map(({ sequence, atMs, ...entry }) => ({
        number: sequence,
        at: new Date(atMs).toISOString(),
        ...entry,
      })),
      next: found.length === most ? last?.sequence : undefined,
    };
  }

  /** What is captured, and what became of it. */
  capture(): CaptureStatus {
    return this.#options.capture.status();
  }

  /** Captures `{"percent": P}` of the requests of `model` (`*`: of those not named) from now on, until the next start. */
  setCapture(model: string, body: string, caller: Caller): Promise<CaptureStatus> {
    return this.#options.authority.change('captureSet', model, caller, () => {
      const percent = percentOf(body);
      return this.#options.capture.set(model === '*' ? model : checkModelName(model), percent);
    });
  }

  /** Names and scopes; never a token, nor its hash. */
  tokens(): { readonly tokens: readonly (TokenFacts & { readonly created?: string | undefined })[] } {
    return { tokens: this.#options.tokens() };
  }
}

function percentOf(body: string): number {
  let percent: unknown;
  try {
    percent = (JSON.parse(body) as { percent?: unknown } | null)?.percent;
  } catch {
    percent = undefined;
  }
  if (typeof percent === 'number' && percent >= 0 && percent <= 100) return percent;
  throw new ServingError('MALFORMED_REQUEST', 'expected a JSON object with "percent", a number from 0 to 100');
}
