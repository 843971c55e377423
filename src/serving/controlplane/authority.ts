import { ServingError } from '../../core/index.js';

/** Who makes a call, as the transport that took it sees it. */
export interface Caller {
  /** The connection comes from this machine itself, and no proxy says that it passes on someone else's call. */
  readonly loopback: boolean;
  /** The bearer token that came with the call; undefined = none. */
  readonly token: string | undefined;
}

/** What a call asks of its caller: nothing, or to be on this machine or hold the admin token. */
export type Right = 'open' | 'admin';

/** The right that each call of the control plane needs. Every transport asks this table and no other. */
export const RIGHTS = {
  live: 'open',
  ready: 'open',
  serverMetadata: 'open',
  modelMetadata: 'open',
  modelReady: 'open',
  modelConfig: 'open',
  modelStatistics: 'open',
  modelStatus: 'open',
  modelScheduler: 'open',
  repositoryIndex: 'open',
  repositoryLoad: 'admin',
  repositoryUnload: 'admin',
  feedback: 'admin',
} as const satisfies Record<string, Right>;

export type ControlCall = keyof typeof RIGHTS;

/** Decides whether a caller may make a call. */
export class Authority {
  readonly #verify: (token: string) => boolean;

  /** `verify` says whether a token is the admin token; it must compare in constant time (hashes of both, say). */
  constructor(verify: (token: string) => boolean) {
    this.#verify = verify;
  }

  /**
   * Returns where the caller may make the call. Throws UNAUTHENTICATED where a token is needed and none came, FORBIDDEN
   * where the one that came is wrong; a wrong token is refused from this machine too, it is a mistake somebody should see.
   */
  check(call: ControlCall, caller: Caller): void {
    if (RIGHTS[call] === 'open') return;
    if (caller.token !== undefined) {
      if (this.#verify(caller.token)) return;
      throw new ServingError('FORBIDDEN', 'the token is not the admin token of this server');
    }
    if (caller.loopback) return;
    throw new ServingError(
      'UNAUTHENTICATED',
      'this call from another machine needs the admin token, as "authorization: Bearer <token>"',
    );
  }
}
