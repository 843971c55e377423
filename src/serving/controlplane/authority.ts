import {
  type AuditOutcome,
  type AuditTrail,
  type Clock,
  type Log,
  type Reason,
  type Scope,
  ServingError,
  type TokenFacts,
  toServingError,
} from '../../core/index.js';
import { RefusalBudget } from './refusal-budget.js';

/** Who makes a call, as the transport that took it sees it. */
export interface Caller {
  /** The connection comes from this machine itself, and no proxy says that it passes on someone else's call. */
  readonly loopback: boolean;
  /** The bearer token that came with the call; undefined = none. */
  readonly token: string | undefined;
  /** Address of the caller's end of the connection; empty = not known. */
  readonly from: string;
}

/** What a call asks of its caller: nothing, or a token with that scope. */
export type Right = 'open' | Scope;

/** The right that each call beside inferences needs. Every transport asks this table and no other. */
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
  modelLatency: 'open',
  sloStatus: 'open',
  repositoryIndex: 'open',
  repositoryLoad: 'admin',
  repositoryUnload: 'admin',
  adoptModel: 'admin',
  adoptedModels: 'open',
  setVersionLabels: 'admin',
  logSettings: 'open',
  setLogSettings: 'admin',
  traceSettings: 'open',
  setTraceSettings: 'admin',
  sharedMemoryStatus: 'open',
  sharedMemoryRegister: 'admin',
  sharedMemoryUnregister: 'admin',
  cudaMemoryStatus: 'open',
  cudaMemoryRegister: 'open',
  cudaMemoryUnregister: 'open',
  feedback: 'feedback',
  adminDocs: 'open',
  auditList: 'admin',
  tokenList: 'admin',
  captureStatus: 'admin',
  captureSet: 'admin',
  costShow: 'cost',
  routesList: 'rollout',
  routesShow: 'rollout',
  routesSet: 'admin',
  routesRemove: 'admin',
  flagSet: 'admin',
  filterSet: 'admin',
  rolloutList: 'rollout',
  rolloutStatus: 'rollout',
  rolloutLog: 'rollout',
  rolloutStart: 'rollout',
  rolloutCommand: 'rollout',
  rolloutUnpin: 'rollout',
} as const satisfies Record<string, Right>;

export type ControlCall = keyof typeof RIGHTS;

/** Calls that who is on this machine may make without a token, as Triton's users expect. */
const FREE_ON_THIS_MACHINE: ReadonlySet<ControlCall> = new Set([
  'repositoryLoad',
  'repositoryUnload',
  'adoptModel',
  'setVersionLabels',
  'setLogSettings',
  'setTraceSettings',
  'sharedMemoryRegister',
  'sharedMemoryUnregister',
]);

export interface AuthorityOptions {
  /** Whose token it is; undefined = nobody's. Must compare in constant time (hashes, say). */
  readonly identify: (token: string) => TokenFacts | undefined;
  readonly audit: AuditTrail;
  readonly clock: Clock;
  readonly log: Log;
}

/** What log and audit say of a call. */
interface Said {
  readonly call: ControlCall;
  readonly target: string;
  readonly who: string;
  readonly from: string;
}

/**
 * Decides whether a caller may make a call, and writes down who was refused and who changed something. One for all
 * transports and threads.
 */
export class Authority {
  readonly #options: AuthorityOptions;
  readonly #refusals: RefusalBudget;

  constructor(options: AuthorityOptions) {
    this.#options = options;
    this.#refusals = new RefusalBudget(options.clock);
  }

  /**
   * The name of who calls, where it may. Throws UNAUTHENTICATED where a token is needed and none came, FORBIDDEN where the one that came
   * is unknown or of another scope; a wrong token is refused from this machine too, it is a mistake somebody should see.
   */
  check(call: ControlCall, caller: Caller, target = ''): string {
    const right: Right = RIGHTS[call];
    if (right === 'open') return NOBODY;
    const { token } = caller;
    if (token === undefined) {
      if (caller.loopback && FREE_ON_THIS_MACHINE.has(call)) return THIS_MACHINE;
      throw this.#refused(call, caller, target, NOBODY, new ServingError('UNAUTHENTICATED', needed(call, right)));
    }
    const known = this.#options.identify(token);
    if (known === undefined) {
      const error = new ServingError('FORBIDDEN', 'the token is not one of this server: it was mistyped or revoked');
      throw this.#refused(call, caller, target, 'unknown token', error);
    }
    if (!known.scopes.includes(right) && !known.scopes.includes('admin')) {
      const error = new ServingError(
        'FORBIDDEN',
        `the token '${known.name}' has the scope ${known.scopes.join(', ')}; this call needs ${right}`,
      );
      throw this.#refused(call, caller, target, known.name, error);
    }
    return known.name;
  }

  /**
   * Does what changes something, where the caller may, with its name; who asked for it is written down before, what became of it after.
   * Rejects as `check` throws, as `action` does, or with INTERNAL where the audit cannot be written, and then nothing was done;
   * but loading and unloading go on without it, so that a full disk does not keep models from serving.
   */
  async change<T>(
    call: ControlCall,
    target: string,
    caller: Caller,
    action: (who: string) => T | Promise<T>,
  ): Promise<T> {
    const who = this.check(call, caller, target);
    const said = { call, target: shortened(target), who, from: caller.from };
    const sequence = this.#begun(said);
    let outcome: AuditOutcome = 'done';
    try {
      return await action(who);
    } catch (thrown) {
      outcome = toServingError(thrown).reason;
      throw thrown;
    } finally {
      this.#options.log.info('administrative call', { ...said, outcome });
      this.#settle(sequence, outcome);
    }
  }

  #begun(said: Said): number | undefined {
    const { audit, clock, log } = this.#options;
    try {
      return audit.add({ ...said, atMs: clock.wallMs(), outcome: 'begun', omitted: this.#refusals.takeOmitted() });
    } catch (thrown) {
      if (!FREE_ON_THIS_MACHINE.has(said.call)) throw thrown;
      log.error('a call is not in the audit', { ...said, cause: thrown });
      return undefined;
    }
  }

  /** The change stands: an audit that cannot say so keeps `begun`, and must not make it look refused. */
  #settle(sequence: number | undefined, outcome: AuditOutcome): void {
    if (sequence === undefined) return;
    try {
      this.#options.audit.settle(sequence, outcome);
    } catch (thrown) {
      this.#options.log.error('the outcome of a call is not in the audit', { sequence, outcome, cause: thrown });
    }
  }

  #refused(call: ControlCall, { from }: Caller, target: string, who: string, error: ServingError): ServingError {
    if (!this.#refusals.admit()) return error;
    const { audit, clock, log } = this.#options;
    const outcome: Reason = error.reason;
    const said = { call, target: shortened(target), who, from };
    const omitted = this.#refusals.takeOmitted();
    log.warn('call refused', { ...said, reason: outcome, omitted });
    try {
      audit.add({ ...said, atMs: clock.wallMs(), outcome, omitted });
    } catch (thrown) {
      log.error('a refused call is not in the audit', { ...said, cause: thrown });
    }
    return error;
  }
}

const NOBODY = 'nobody';
const THIS_MACHINE = 'this machine';

const MOST_TARGET_CHARACTERS = 256;

/** A caller without rights chooses what is written down of its target. */
function shortened(target: string): string {
  return target.length > MOST_TARGET_CHARACTERS ? `${target.slice(0, MOST_TARGET_CHARACTERS)}...` : target;
}

function needed(call: ControlCall, right: Scope): string {
  const how = `a token with the scope ${right}, as "authorization: Bearer <token>"`;
  return FREE_ON_THIS_MACHINE.has(call)
    ? `this call needs ${how}, where it comes from another machine`
    : `this call needs ${how}`;
}
